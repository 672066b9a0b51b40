//! A folder with any bytes in its files: it is read or refused, and whatever is told of it can be shown.
#![no_main]

use std::cell::OnceCell;

use libfuzzer_sys::fuzz_target;
use tenantry::TrackName;
use tenantry::engine::Engine;
use tenantry::migration::{Track, destroys_data};
use tenantry::run::Snippet;

thread_local! {
    static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

fuzz_target!(|bytes: &[u8]| {
    // What stands behind the first zero byte is the way back.
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let (up, down) = (parts.next().unwrap_or_default(), parts.next());
    FOLDER.with(|folder| {
        let folder = folder
            .get_or_init(|| tempfile::tempdir_in("/dev/shm").expect("a folder"))
            .path();
        std::fs::write(folder.join("1_a.sql"), up).expect("a file");
        let back = folder.join("1_a.down.sql");
        match down {
            Some(down) => std::fs::write(back, down).expect("a file"),
            None => drop(std::fs::remove_file(back)),
        }
        for engine in Engine::ALL {
            match Track::read(folder, TrackName::Tenant, engine) {
                Ok(track) => look_at(&track, engine),
                Err(error) => drop(error.to_string()),
            }
        }
    });
});

fn look_at(track: &Track, engine: Engine) {
    for migration in &track.migrations {
        for script in std::iter::once(&migration.up).chain(&migration.down) {
            let lost = destroys_data(script, engine);
            assert!(lost.len() <= script.text.len() + 1);
            for index in 0..script.statements.len() {
                assert!(!script.statement(index).is_empty());
                let place = script.place(script.statements[index].range().start);
                assert!(place.line >= 1 && place.column >= 1);
            }
            let _ = Snippet::around(&script.text, script.text.len() / 2);
        }
    }
}
