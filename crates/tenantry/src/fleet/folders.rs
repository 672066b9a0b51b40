//! Where the tracks' folders are.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::engine::Engine;
use crate::migration::{ReadError, Track};
use crate::registry;
use crate::registry::RegistryError;
use crate::target::TrackName;
use crate::tenant::ProductType;

use super::FleetError;

/// The folders of the tracks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Folders {
    /// The platform's own tables in the central database; an empty path if it has none.
    pub central: PathBuf,
    /// The tenants' shared databases.
    pub tenant: PathBuf,
    /// The product databases, by type.
    pub products: BTreeMap<ProductType, PathBuf>,
    /// What becomes of files that hold no statement yet.
    pub unfinished: UnfinishedFiles,
}

/// What becomes of a migration file that holds no statement yet, as a new one from a template.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnfinishedFiles {
    /// Its track is refused: for whatever goes forwards.
    #[default]
    Refused,
    /// It is left out and named in [`Track::unfinished`]: for a look, and for going back.
    LeftOut,
}

impl Folders {
    /// Reads a track for an engine. A product type without a folder, and a central database without one, give
    /// an empty track: there is nothing to apply. A folder that is named and not there is an error.
    pub fn read(&self, name: &TrackName, engine: Engine) -> Result<Track, FleetError> {
        let folder = match name {
            TrackName::Registry => return registry::track(engine).map_err(FleetError::from),
            TrackName::Central if self.central.as_os_str().is_empty() => return empty(name, engine),
            TrackName::Central => &self.central,
            TrackName::Tenant => &self.tenant,
            TrackName::Product(product) => match self.products.get(product) {
                Some(folder) => folder,
                None => return empty(name, engine),
            },
        };
        Ok(match self.unfinished {
            UnfinishedFiles::Refused => Track::read(folder, name.clone(), engine)?,
            UnfinishedFiles::LeftOut => Track::read_finished(folder, name.clone(), engine)?,
        })
    }
}

fn empty(name: &TrackName, engine: Engine) -> Result<Track, FleetError> {
    let read: Result<Track, ReadError> = Track::from_files(name.clone(), engine, &[]);
    read.map_err(|error| FleetError::Registry(RegistryError::Schema(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_central_folder_that_is_named_must_be_there() {
        let read = |central: &str| {
            let folders = Folders {
                central: central.into(),
                ..Folders::default()
            };
            folders.read(&TrackName::Central, Engine::Sqlite)
        };
        assert!(read("").unwrap().migrations.is_empty());
        let error = read("no/such/folder").unwrap_err();
        assert_eq!(error.code().0, 1006);
    }
}
