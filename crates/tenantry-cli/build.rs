//! Makes lists of the files that the binary carries: the pages of `docs/errors` and the demo's migrations.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    pages(&manifest, &out)?;
    demo(&manifest.join("demo/migrations").canonicalize()?, &out)
}

/// Lists every migration of the demo with its path below `migrations/`.
fn demo(folder: &Path, out: &Path) -> io::Result<()> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next)?.flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path);
            }
        }
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(folder).map_err(io::Error::other)?;
        let (name, path) = (text(name), text(&file));
        writeln!(list, "    (\"{name}\", include_str!(\"{path}\")),").map_err(io::Error::other)?;
    }
    list.push(']');
    fs::write(out.join("demo.rs"), list)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap_or_default().escape_default().to_string()
}

fn pages(manifest: &Path, out: &Path) -> io::Result<()> {
    let folder = manifest.join("../../docs/errors");
    let folder = folder.canonicalize()?;
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut pages: Vec<_> = fs::read_dir(&folder)?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    pages.sort();
    let mut list = String::from("[\n");
    for page in &pages {
        let number = page
            .file_stem()
            .and_then(|stem| stem.to_str()?.strip_prefix("TN-")?.parse::<u16>().ok());
        if let Some(number) = number {
            let path = text(page);
            let written = writeln!(list, "    ({number}, include_str!(\"{path}\")),");
            written.map_err(io::Error::other)?;
        }
    }
    list.push(']');
    fs::write(out.join("pages.rs"), list)
}
