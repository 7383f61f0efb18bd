//! Writes what is generated from the Rust types into the folder given: `cargo xtask generate` calls this and compares.

use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or_else(|| ".".into()));
    write(&folder.join("crds/yaml"), peerwright_crds::manifests())?;
    write(&folder.join("charts/peerwright-crds/templates"), peerwright_crds::chart_templates())?;
    write(&folder.join("docs/reference"), peerwright_crds::pages())
}

fn write(folder: &Path, files: Vec<(&'static str, String)>) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    files.into_iter().try_for_each(|(name, content)| std::fs::write(folder.join(name), content))
}
