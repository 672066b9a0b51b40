//! A folder with any bytes in its files through the loader.
#![no_main]

#[path = "../checks.rs"]
#[expect(dead_code, reason = "the other target's")]
mod checks;

use std::cell::OnceCell;

use libfuzzer_sys::fuzz_target;

thread_local! {
    static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
}

fuzz_target!(|bytes: &[u8]| {
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| tempfile::tempdir_in("/dev/shm").expect("a folder"));
        checks::is_read_or_refused(folder.path(), bytes);
    });
});
