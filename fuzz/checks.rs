//! What holds for any input, however hostile: asked by the fuzz targets, and by the tests of what they found.

use std::path::Path;

use secrecy::ExposeSecret as _;
use tenantry::TrackName;
use tenantry::engine::Engine;
use tenantry::import::{PasswordsFile, Rules, Source, read};
use tenantry::migration::{Track, destroys_data, split};
use tenantry::run::Snippet;
use tenantry::secret::{KeyForm, Legacy, Profile};

/// Any text, cut by each engine's rules: statements lie in the text, in order, and none of them is empty.
pub(crate) fn is_cut(text: &str) {
    for engine in Engine::ALL {
        let statements = match split(text, engine) {
            Ok(statements) => statements,
            Err(error) => {
                assert!(error.offset <= text.len(), "{engine}: {error}");
                continue;
            }
        };
        let mut end = 0;
        for statement in &statements {
            let range = statement.range();
            assert!(
                range.start >= end && range.end > range.start,
                "{engine}: {range:?} after {end}"
            );
            let own = text.get(range.clone());
            let is_blank =
                own.is_none_or(|own| own.trim_matches(|c: char| c.is_ascii_whitespace()).is_empty());
            assert!(!is_blank, "{engine}: no statement at {range:?}");
            end = range.end;
        }
    }
}

/// A file with any bytes, and behind the first zero byte its way back: it is read or refused, and whatever is told of
/// it can be shown. Both are written into the folder.
pub(crate) fn is_read_or_refused(folder: &Path, bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (up, down) = (parts.next().unwrap_or_default(), parts.next());
    assert!(std::fs::write(folder.join("1_a.sql"), up).is_ok());
    let back = folder.join("1_a.down.sql");
    match down {
        Some(down) => assert!(std::fs::write(back, down).is_ok()),
        None => drop(std::fs::remove_file(back)),
    }
    for engine in Engine::ALL {
        match Track::read(folder, TrackName::Tenant, engine) {
            Ok(track) => can_be_shown(&track, engine),
            Err(error) => drop(error.to_string()),
        }
    }
}

fn can_be_shown(track: &Track, engine: Engine) {
    for migration in &track.migrations {
        for script in std::iter::once(&migration.up).chain(&migration.down) {
            let lost = destroys_data(script, engine);
            assert!(lost.len() <= script.text.len() + 1);
            for (index, statement) in script.statements.iter().enumerate() {
                assert!(!script.statement(index).is_empty());
                let place = script.place(statement.range().start);
                assert!(place.line >= 1 && place.column >= 1);
            }
            drop(Snippet::around(&script.text, script.text.len() / 2));
        }
    }
}

/// Any bytes as a fleet's list, in each form: they are read or refused, and what is told can be shown.
pub(crate) fn is_a_list_or_refused(bytes: &[u8]) {
    for source in [Source::Csv(bytes), Source::Json(bytes)] {
        match read(&source, &Rules::default(), &[]) {
            Ok(listed) => assert!(
                listed.entries.is_empty(),
                "there is no server that a tenant could stand on"
            ),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
    if let Err(error) = PasswordsFile::parse(bytes) {
        assert!(!error.to_string().is_empty());
    }
}

/// Any text as an encrypted password, in each profile: what opens can be a password, and nothing else comes out.
pub(crate) fn is_opened_or_refused(record: &str) {
    for profile in Profile::ALL {
        let form = if profile == Profile::Salted {
            KeyForm::EvpSha256
        } else {
            KeyForm::ZeroPadded
        };
        let Ok(legacy) = Legacy::new(profile, form, b"a key", None) else {
            unreachable!("a passphrase is a key of these forms");
        };
        if let Ok(opened) = legacy.open(record) {
            let opened = opened.expose_secret();
            assert!(!opened.is_empty() && !opened.chars().any(char::is_control));
        }
    }
}
