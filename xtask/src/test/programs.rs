//! Finds the programs of the database servers, and of the pooler, on this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// Where PostgreSQL's server programs are.
#[derive(Debug, Clone)]
pub(crate) struct PostgresPrograms {
    /// The folder that has both `initdb` and `postgres`.
    pub(crate) bin: PathBuf,
}

/// Where MariaDB's server programs are.
#[derive(Debug, Clone)]
pub(crate) struct MariaDbPrograms {
    /// The server.
    pub(crate) server: PathBuf,
    /// The program that makes a data folder.
    pub(crate) install: PathBuf,
}

/// Returns PostgreSQL's programs: those on the PATH, else the newest of the packaged ones; `None` if
/// there are none.
pub(crate) fn postgres() -> Option<PostgresPrograms> {
    let on_path = find("postgres")
        .and_then(|program| program.canonicalize().ok())
        .and_then(|program| program.parent().map(Path::to_path_buf));
    let mut folders: Vec<PathBuf> = on_path.into_iter().collect();
    folders.extend(packaged_postgres(Path::new("/usr/lib/postgresql")));
    let bin = folders
        .into_iter()
        .find(|bin| is_file(&bin.join("postgres")) && is_file(&bin.join("initdb")))?;
    Some(PostgresPrograms { bin })
}

/// Returns MariaDB's programs; `None` if one of them is not there.
pub(crate) fn mariadb() -> Option<MariaDbPrograms> {
    Some(MariaDbPrograms {
        server: find("mariadbd")?,
        install: find("mariadb-install-db")?,
    })
}

/// Returns PgBouncer; `None` if it is not there.
pub(crate) fn pgbouncer() -> Option<PathBuf> {
    find("pgbouncer")
}

/// Returns a program of the PATH or of the folders for administrators; `None` if there is none.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|candidate| is_file(candidate))
}

/// Returns the `bin` folders under `<packages>/<version>/`, newest version first.
fn packaged_postgres(packages: &Path) -> Vec<PathBuf> {
    let mut versions: Vec<u32> = fs::read_dir(packages)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    versions
        .into_iter()
        .map(|version| packages.join(version.to_string()).join("bin"))
        .collect()
}

fn is_file(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

#[cfg(test)]
mod tests {
    use super::packaged_postgres;
    use std::fs;

    #[test]
    fn the_newest_packaged_version_comes_first_by_number() {
        let packages = tempfile::tempdir().unwrap();
        for version in ["9", "15", "17", "common"] {
            fs::create_dir(packages.path().join(version)).unwrap();
        }
        let found = packaged_postgres(packages.path());
        let expected: Vec<_> = ["17", "15", "9"]
            .map(|v| packages.path().join(v).join("bin"))
            .into();
        assert_eq!(found, expected);
    }
}
