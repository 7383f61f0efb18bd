//! The operator's process.

use std::{io::IsTerminal, process::ExitCode};

use clap::Parser;
use peerwright_operator::{
    settings::{LogFormat, Settings},
    startup,
};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let settings = Settings::parse();
    if let Err(error) = begin_logging(&settings) {
        return refuse(&error);
    }
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        return refuse("another TLS provider is installed already");
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return refuse(&format!("no runtime: {error}")),
    };
    match runtime.block_on(startup::run(settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the operator ends");
            ExitCode::FAILURE
        }
    }
}

fn begin_logging(settings: &Settings) -> Result<(), String> {
    let filter = EnvFilter::try_new(&settings.log).map_err(|error| {
        format!("--log {}: {error}; write a level, or target=level, separated by commas", settings.log)
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    match settings.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
    Ok(())
}

/// Nothing is logged yet: one line to whoever started the process.
#[expect(clippy::print_stderr, reason = "logging is not there yet")]
fn refuse(why: &str) -> ExitCode {
    eprintln!("peerwright-operator: {why}");
    ExitCode::FAILURE
}
