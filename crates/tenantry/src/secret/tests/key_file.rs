//! Tests of key files on a real file system.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, mode: u32, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path("key");
        fs::write(&path, content).unwrap();
        set_mode(&path, mode);
        path
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_written_key_is_read_back_and_is_ours_alone() {
    let folder = Folder::new();
    let path = folder.path("key");
    let key = Key::generate().unwrap();
    write_key_file(&path, &key).unwrap();
    assert_eq!(read_key_file(&path).unwrap().active().id(), key.id());
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    let content = fs::read_to_string(&path).unwrap();
    assert_eq!((content.len(), content.ends_with('\n')), (65, true));
}

#[test]
fn a_key_file_is_never_overwritten() {
    let folder = Folder::new();
    let path = folder.file(0o600, "something else");
    let error = write_key_file(&path, &fixed_key()).unwrap_err();
    assert!(matches!(error, KeyFileError::Exists { .. }));
    assert_eq!(error.code(), Code(1005));
    assert_eq!(fs::read_to_string(&path).unwrap(), "something else");

    symlink(folder.path("nowhere"), folder.path("link")).unwrap();
    let error = write_key_file(&folder.path("link"), &fixed_key()).unwrap_err();
    assert!(matches!(error, KeyFileError::Exists { .. }));
    assert!(!folder.path("nowhere").exists());
}

#[test]
fn a_raw_key_of_mode_0400_is_read() {
    let folder = Folder::new();
    let path = folder.file(0o400, counting::<32>(1));
    assert_eq!(read_key_file(&path).unwrap().active().id(), fixed_key().id());
}

#[test]
fn a_key_that_others_have_rights_on_is_refused() {
    let folder = Folder::new();
    for mode in [0o640, 0o604, 0o660, 0o644, 0o610, 0o602, 0o777] {
        let path = folder.file(mode, counting::<32>(1));
        let error = read_key_file(&path).unwrap_err();
        assert!(error.to_string().contains(&format!("mode {mode:04o}")), "{error}");
    }
}

#[test]
fn a_link_a_folder_and_a_missing_file_are_refused() {
    let folder = Folder::new();
    let path = folder.file(0o600, counting::<32>(1));
    symlink(&path, folder.path("link")).unwrap();
    fs::create_dir(folder.path("folder")).unwrap();
    for name in ["link", "folder"] {
        let error = read_key_file(&folder.path(name)).unwrap_err();
        assert!(matches!(error, KeyFileError::NotRegular { .. }), "{error:?}");
    }
    let error = read_key_file(&folder.path("none")).unwrap_err();
    assert!(matches!(error, KeyFileError::Read { .. }), "{error:?}");
}

#[test]
fn a_folder_that_everybody_can_write_to_is_refused_unless_it_is_sticky() {
    let folder = Folder::new();
    let path = folder.file(0o600, counting::<32>(1));
    set_mode(folder.0.path(), 0o777);
    assert!(matches!(read_key_file(&path), Err(KeyFileError::Folder { .. })));
    let written = write_key_file(&folder.path("new"), &fixed_key());
    assert!(matches!(written, Err(KeyFileError::Folder { .. })));
    assert!(!folder.path("new").exists());
    set_mode(folder.0.path(), 0o1777);
    assert!(read_key_file(&path).is_ok());
}

#[test]
fn a_file_of_another_user_is_refused() {
    let folder = Folder::new();
    let path = folder.file(0o600, counting::<32>(1));
    // Only root can give a file away; for anybody else the rule is tested without a file.
    if chown(&path, Some(12345), None).is_ok() {
        let error = read_key_file(&path).unwrap_err();
        assert!(
            matches!(error, KeyFileError::Owner { owner: 12345, .. }),
            "{error:?}"
        );
    }
}

#[test]
fn a_file_without_a_key_is_refused_by_its_length() {
    let folder = Folder::new();
    for len in [0, 31, 33, 4096, 4097, 100_000] {
        let path = folder.file(0o600, vec![b'Q'; len]);
        let error = read_key_file(&path).unwrap_err();
        let KeyFileError::Key { source, .. } = &error else {
            panic!("{error:?}");
        };
        assert!(
            source.to_string().contains(&format!("has {len} bytes")),
            "{source}"
        );
        assert!(!format!("{error:?}").contains("QQ"));
    }
}

#[test]
fn a_new_key_comes_before_the_others_and_nothing_is_left_beside_the_file() {
    let folder = Folder::new();
    let path = folder.file(0o400, counting::<32>(1));
    // A crash left it there once.
    fs::write(folder.path("key.new"), "half").unwrap();
    let old = fixed_key().id();
    let new = add_key_to_file(&path, old).unwrap();
    let ids = || read_key_file(&path).unwrap().ids().collect::<Vec<_>>();
    assert_eq!(ids(), [new, old]);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o600);
    assert_eq!(fs::read_dir(folder.0.path()).unwrap().count(), 1);

    let late = add_key_to_file(&path, old).unwrap_err();
    assert!(matches!(late, KeyFileError::Changed { .. }), "{late:?}");
    assert_eq!(ids(), [new, old]);

    remove_key_from_file(&path, old).unwrap();
    remove_key_from_file(&path, old).unwrap();
    assert_eq!(ids(), [new]);
    let last = remove_key_from_file(&path, new).unwrap_err();
    assert!(matches!(last, KeyFileError::OnlyKey { .. }), "{last:?}");
    assert_eq!(ids(), [new]);
}

#[test]
fn two_that_add_a_key_at_once_lose_none() {
    let folder = Folder::new();
    let path = folder.file(0o600, counting::<32>(1));
    let first = fixed_key().id();
    let adders: Vec<_> = (0..8)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || add_key_to_file(&path, first))
        })
        .collect();
    let added: Vec<KeyId> = adders
        .into_iter()
        .filter_map(|t| t.join().unwrap().ok())
        .collect();
    assert_eq!(added.len(), 1);
    let keys = read_key_file(&path).unwrap();
    assert_eq!(keys.ids().collect::<Vec<_>>(), [added[0], first]);
}

#[test]
fn a_file_that_must_not_be_trusted_is_not_changed() {
    let folder = Folder::new();
    let path = folder.file(0o644, counting::<32>(1));
    let refused = add_key_to_file(&path, fixed_key().id()).unwrap_err();
    assert!(matches!(refused, KeyFileError::Mode { .. }), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), counting::<32>(1));
}
