//! The project's own commands: `cargo xtask` prints them.

mod again;
mod ahead;
mod bench;
mod demo;
mod deny;
mod generate;
mod images;
mod install;
mod proof;
mod repository;
mod session;
mod simulate;
mod target;
mod up;

use std::io::Write as _;
use std::process::ExitCode;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "The project's own commands")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// A Kubernetes, if none is named, and in it the operator and a demo network; says what to try
    Up(Up),
    /// Print the path of the kubeconfig that `up` made
    Kubeconfig,
    /// Remove exactly what `up` made
    Down,
    /// Everything that proves the project, in order, with the time of each step
    Test {
        /// Run this step alone; may be repeated
        #[arg(long, value_name = "STEP")]
        only: Vec<proof::Step>,
    },
    /// A simulated network of real engines: one run, or `--seeds` of them; `--help` says what it takes
    #[command(disable_help_flag = true)]
    Sim {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
        options: Vec<String>,
    },
    /// Ours beside others of the kind; `cargo xtask bench gossip --help` says what a bench takes
    #[command(disable_help_flag = true)]
    Bench {
        bench: bench::Bench,
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "OPTION")]
        options: Vec<String>,
    },
    /// Build what the last steps of `test` need
    #[command(hide = true)]
    BuildAhead,
    /// Write the files that come from Rust types: custom resource definitions
    Generate {
        /// Change nothing; fail if a file is not current
        #[arg(long)]
        check: bool,
    },
}

#[derive(Args)]
struct Up {
    #[command(flatten)]
    target: Choice,
    /// Number of nodes of a native cluster
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    nodes: u8,
}

/// Where to run; without one, kind if Docker and kind are there, else native.
#[derive(Args)]
#[group(multiple = false)]
struct Choice {
    /// Use this context of your kubeconfig as it is; its nodes must be able to get the images
    #[arg(long, value_name = "NAME")]
    context: Option<String>,
    /// Make a kind cluster
    #[arg(long)]
    kind: bool,
    /// Make a cluster on this machine without Docker; needs root
    #[arg(long)]
    native: bool,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    match arguments.command {
        None => Ok(Arguments::command().print_help()?),
        Some(Command::Up(up)) => up::up(up.target.into(), up.nodes),
        Some(Command::Kubeconfig) => {
            writeln!(std::io::stdout(), "{}", session::Session::current()?.kubeconfig().display())?;
            Ok(())
        }
        Some(Command::Down) => up::down(),
        Some(Command::Test { only }) => proof::run(&only),
        Some(Command::Sim { options }) => simulate::run(&options),
        Some(Command::Bench { bench, options }) => bench::run(bench, &options),
        Some(Command::BuildAhead) => ahead::build(),
        Some(Command::Generate { check }) => generate::run(check),
    }
}

impl From<Choice> for Option<target::Target> {
    fn from(choice: Choice) -> Self {
        match choice {
            Choice { context: Some(name), .. } => Some(target::Target::Context(name)),
            Choice { kind: true, .. } => Some(target::Target::Kind),
            Choice { native: true, .. } => Some(target::Target::Native),
            _ => None,
        }
    }
}
