//! The command line: `run`, `dev`, `--version`.

use super::{
    ConfigError,
    settings::{DEV, RUN, Setting},
};
use clap::{Arg, ArgAction, ArgMatches, Command, error::ErrorKind};
use std::ffi::OsString;

/// What the command line asks for, not yet read.
pub(super) enum Request {
    Run(ArgMatches),
    Dev(ArgMatches),
    /// Help or version, ready to be printed.
    Print(String),
}

const PRECEDENCE: &str = "A flag wins over its environment variable, that over the file, that over the default.";

/// Reads the command line. Without a subcommand the node runs: in an image everything comes from the environment.
pub(super) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Request, ConfigError> {
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    let first = arguments.get(1).and_then(|argument| argument.to_str());
    let asks_for_run = match first {
        None => arguments.len() <= 1,
        Some("-h" | "--help" | "-V" | "--version") => false,
        Some(first) => first.starts_with('-'),
    };
    if asks_for_run {
        arguments.insert(1.min(arguments.len()), "run".into());
    }
    match command().try_get_matches_from(arguments) {
        Ok(mut matches) => match matches.remove_subcommand() {
            Some((name, matches)) if name == "dev" => Ok(Request::Dev(matches)),
            Some((_, matches)) => Ok(Request::Run(matches)),
            None => Ok(Request::Run(matches)),
        },
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            Ok(Request::Print(error.to_string()))
        }
        Err(error) => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            Err(ConfigError::CommandLine(first.strip_prefix("error: ").unwrap_or(first).to_owned()))
        }
    }
}

fn command() -> Command {
    let config = Arg::new("config")
        .long("config")
        .env("PEERWRIGHT_CONFIG")
        .hide_env(true)
        .value_name("FILE")
        .help("YAML file with options [env: PEERWRIGHT_CONFIG]");
    let run = Command::new("run")
        .about("Runs one node of a network on Kubernetes; what happens when no command is given")
        .after_help(PRECEDENCE)
        .arg(config)
        .args(RUN.iter().map(|setting| argument(setting, true)));
    let dev = Command::new("dev")
        .about("Runs a small network in this process, without Kubernetes, on loopback only")
        .args(DEV.iter().map(|setting| argument(setting, false)));
    Command::new("peerwright-node")
        .about("A node of a peer-to-peer register network")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .subcommand(run)
        .subcommand(dev)
}

/// Everything is read as text and checked by us: one way of saying what is wrong, for all three sources.
fn argument(setting: &Setting, in_file: bool) -> Arg {
    let mut places = format!("env: {}", setting.environment);
    if in_file {
        places.push_str(&format!(", key: {}", setting.key));
    }
    match setting.default {
        Some("") | None => {}
        Some(default) => places.push_str(&format!(", default: {default}")),
    }
    if setting.default.is_none() {
        places.push_str(", required");
    }
    Arg::new(setting.name)
        .long(setting.name)
        .env(setting.environment)
        .hide_env(true)
        .value_name(setting.value)
        .allow_hyphen_values(true)
        .action(if setting.list { ArgAction::Append } else { ArgAction::Set })
        .help(format!("{} [{places}]", setting.help))
}
