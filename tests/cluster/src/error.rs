//! What can go wrong, each with a message that says what to do.

use std::path::{Path, PathBuf};

/// Result of everything here.
pub type Result<T> = std::result::Result<T, ClusterError>;

/// Why a cluster could not be started, changed or ended.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The machine lacks something; the text is one line that says what and where to get it.
    #[error("{0}")]
    Missing(String),
    /// A program ended badly.
    #[error("`{line}` failed ({status}): {output}")]
    Program {
        /// The command as one would type it.
        line: String,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The end of what it printed.
        output: String,
    },
    /// A program could not be started.
    #[error("`{line}` cannot be started: {source}")]
    Start {
        /// The command as one would type it.
        line: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {seconds} s; {hint}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
        /// Where to look.
        hint: String,
    },
    /// A certificate could not be made.
    #[error("a certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A document from the API server or from disk is not what it should be.
    #[error("{what} cannot be read: {source}")]
    Document {
        /// Which document.
        what: String,
        /// Why.
        source: serde_json::Error,
    },
    /// No cluster runs.
    #[error("no cluster is running here; `cargo xtask up` starts one")]
    NotRunning,
    /// A cluster with other settings runs.
    #[error("a cluster with {running} nodes is running and {wanted} were asked for; `cargo xtask down` ends it")]
    OtherSize {
        /// How many nodes it has.
        running: u8,
        /// How many were asked for.
        wanted: u8,
    },
    /// There is no such node or pod.
    #[error("{0}")]
    Unknown(String),
}

impl ClusterError {
    /// For `map_err`: an error about `path`.
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}
