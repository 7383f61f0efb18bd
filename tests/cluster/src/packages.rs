//! Programs of the distribution that the whole cluster runs, and the database of the store's tests: finds what is missing
//! and, as root on Debian or Ubuntu, installs it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::unistd::geteuid;

use crate::{ClusterError, Result, program, progress};

/// Program and the Debian package that has it.
const PROGRAMS: &[(&str, &str)] = &[
    ("buildah", "buildah"),
    ("conntrack", "conntrack"),
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("curl", "curl"),
    ("ethtool", "ethtool"),
    ("ip", "iproute2"),
    ("ipset", "ipset"),
    ("iptables", "iptables"),
    ("mount", "mount"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("openssl", "openssl"),
    ("runc", "runc"),
    ("socat", "socat"),
    ("tc", "iproute2"),
];

/// Where Debian keeps PostgreSQL servers, by version.
const SERVER_FOLDER: &str = "/usr/lib/postgresql";

/// Where distributions keep the CNI plugins.
const CNI_FOLDERS: &[&str] = &["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];

/// Makes sure that the packages are there.
///
/// # Errors
/// One line that names what is missing, where it cannot be installed.
pub fn ensure() -> Result<()> {
    let missing = missing();
    if missing.is_empty() { Ok(()) } else { install(&missing) }
}

/// Makes sure that a PostgreSQL server is there, for tests that start one of their own.
///
/// # Errors
/// One line that names what is missing, where it cannot be installed.
pub fn ensure_database() -> Result<()> {
    let is_there = has_program("initdb") && has_program("postgres");
    // Debian keeps the programs of a server in a folder of its version.
    let versions = || std::fs::read_dir(SERVER_FOLDER).into_iter().flatten().map_while(std::result::Result::ok);
    if is_there || versions().any(|version| version.path().join("bin/initdb").is_file()) {
        return Ok(());
    }
    install(&["postgresql"])
}

/// Whether a program is on the path, the system folders included.
#[must_use]
pub fn has_program(name: &str) -> bool {
    program::find(name).is_some()
}

/// Installs Debian packages.
///
/// # Errors
/// One line that names them, where they cannot be installed.
pub fn install(packages: &[&str]) -> Result<()> {
    let names = packages.join(" ");
    if program::find("apt-get").is_none() {
        return Err(ClusterError::Missing(format!(
            "missing programs: install what your distribution has for the Debian packages {names}"
        )));
    }
    if !geteuid().is_root() {
        return Err(ClusterError::Missing(format!("missing packages: `sudo apt-get install {names}`")));
    }
    progress::say(format!("installing packages with apt-get: {names}"));
    let mut install = vec!["install", "-y", "-qq", "--no-install-recommends"];
    install.extend(packages);
    apt(&["update", "-qq"]).and_then(|()| apt(&install)).map_err(|failure| unreachable(&names, failure))
}

/// One line, where what apt-get says comes to that.
fn unreachable(names: &str, failure: ClusterError) -> ClusterError {
    let signs = ["Could not resolve", "Could not connect", "Failed to fetch", "Temporary failure"];
    let is_sign = |line: &&str| signs.iter().any(|sign| line.contains(sign));
    match &failure {
        ClusterError::Program { output, .. } => match output.lines().find(is_sign) {
            Some(line) => {
                let why = line.trim_start_matches("E: ").trim_start_matches("W: ");
                ClusterError::Missing(format!("missing packages {names}, and apt-get cannot fetch them: {why}"))
            }
            None => failure,
        },
        _ => failure,
    }
}

/// Folder with the CNI plugins.
pub(crate) fn cni_folder() -> Option<PathBuf> {
    CNI_FOLDERS.iter().map(PathBuf::from).find(|folder| folder.join("bridge").is_file())
}

/// The static busybox that base images are made of.
pub(crate) fn static_busybox() -> Option<PathBuf> {
    program::find("busybox").filter(|file| is_static(file))
}

fn missing() -> Vec<&'static str> {
    let mut packages: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| program::find(program).is_none())
        .map(|(_, package)| *package)
        .chain(cni_folder().is_none().then_some("containernetworking-plugins"))
        .chain(static_busybox().is_none().then_some("busybox-static"))
        .chain(
            (!Path::new("/etc/ssl/certs/ca-certificates.crt").exists() && program::find("apt-get").is_some())
                .then_some("ca-certificates"),
        )
        .collect();
    packages.dedup();
    packages
}

fn apt(arguments: &[&str]) -> Result<()> {
    let mut command = program::command("apt-get", arguments);
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    program::finish(command, None).map(drop)
}

/// Whether a program asks for no loader: the path of one (`/lib64/ld-linux…`, `/lib/ld-musl…`) stands at the start of the
/// file if it does.
fn is_static(file: &Path) -> bool {
    let mut start = Vec::new();
    let read = std::fs::File::open(file).and_then(|file| file.take(4096).read_to_end(&mut start));
    read.is_ok() && !start.windows(4).any(|bytes| bytes == b"/ld-")
}
