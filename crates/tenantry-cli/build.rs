//! Makes the list of the pages of `docs/errors`, so that `tenantry explain` has them in the binary.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let manifest = env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default();
    let folder = Path::new(&manifest).join("../../docs/errors");
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
            let path = page.to_str().unwrap_or_default().escape_default().to_string();
            let written = writeln!(list, "    ({number}, include_str!(\"{path}\")),");
            written.map_err(io::Error::other)?;
        }
    }
    list.push(']');
    let out = env::var_os("OUT_DIR").unwrap_or_default();
    fs::write(Path::new(&out).join("pages.rs"), list)
}
