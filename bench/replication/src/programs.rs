//! Where the rivals' programs are.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

/// Where Debian keeps the programs of each version of PostgreSQL.
const POSTGRES_FOLDER: &str = "/usr/lib/postgresql";

/// The NATS server; `None` when it is not installed.
pub(crate) fn nats_server() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder: PathBuf| folder.join("nats-server")).find(|file| file.is_file())
}

/// The folder of PostgreSQL's programs, the newest version; `None` when there is none with a server.
pub(crate) fn postgres() -> Option<PathBuf> {
    let folders = fs::read_dir(POSTGRES_FOLDER).ok()?.flatten().map(|entry| entry.path());
    let version = |folder: &Path| folder.file_name().and_then(OsStr::to_str).and_then(|name| name.parse::<u32>().ok());
    let newest = folders.filter(|folder| folder.join("bin/initdb").is_file()).max_by_key(|folder| version(folder));
    newest.map(|folder| folder.join("bin"))
}
