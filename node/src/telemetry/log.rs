//! The log: on standard error, filtered, as text or one JSON object a line.

use crate::config::{LogFormat, Logging};
use std::io::{self, IsTerminal};
use thiserror::Error;
use tracing_subscriber::{EnvFilter, filter::ParseError, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Target of the consensus library's own words.
const CONSENSUS: &str = "openraft";

/// Why the log could not be started.
#[derive(Debug, Error)]
pub enum LogError {
    /// The filter means nothing.
    #[error("the log filter cannot be read: {0}")]
    Filter(#[from] ParseError),
    /// The process has a log already.
    #[error("the log was started before")]
    Started,
}

/// Starts the log of the process, once.
pub fn start_log(logging: &Logging) -> Result<(), LogError> {
    // The consensus library complains of every peer that is away, several times a second; what matters of it the
    // sealing group says itself. A filter that names it is left as it is.
    let filter = match logging.filter.contains(CONSENSUS) {
        true => logging.filter.clone(),
        false => format!("{CONSENSUS}=off,{}", logging.filter),
    };
    let registry = tracing_subscriber::registry().with(EnvFilter::try_new(filter)?);
    let started = match logging.format {
        LogFormat::Text => {
            // Colours are for people at a terminal, not for files and collectors.
            let colours = io::stderr().is_terminal();
            registry.with(fmt::layer().with_ansi(colours).with_writer(io::stderr)).try_init()
        }
        LogFormat::Json => registry.with(fmt::layer().json().flatten_event(true).with_writer(io::stderr)).try_init(),
    };
    started.map_err(|_| LogError::Started)
}
