//! The program: reads its configuration, runs one node or a small network of them, ends in order.

use anyhow::Context;
use peerwright_node::{
    RunningNode,
    config::{self, Configuration, DevConfiguration, Invocation, Logging},
    dev::{self, DevNetwork},
    run::{Sockets, StartOptions},
    telemetry, tls,
};
use std::{
    io::{self, Write},
    process::ExitCode,
    time::{Duration, Instant},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What a node needs while it idles; replication and verification have threads of their own.
const WORKERS: usize = 2;

/// Signals this close are one wish: a terminal and a supervisor may each pass on the same.
const ONE_WISH: Duration = Duration::from_millis(250);

/// The configuration is wrong: starting again does not help.
const MISCONFIGURED: u8 = 2;

fn main() -> ExitCode {
    let ended = match config::load(std::env::args_os()) {
        Ok(Invocation::Print(text)) => print(&text),
        Ok(Invocation::Run(configuration, logging)) => with_runtime(&logging, run(*configuration)),
        Ok(Invocation::Dev(configuration, logging)) => with_runtime(&logging, run_dev(configuration)),
        Err(error) => {
            complain(&error.to_string());
            return ExitCode::from(MISCONFIGURED);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn with_runtime(logging: &Logging, running: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    telemetry::start_log(logging)?;
    tls::install_provider();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_all().build();
    let runtime = runtime.context("the runtime does not start")?;
    let ended = runtime.block_on(running);
    // What still runs has been given its time, or was told to end at once.
    runtime.shutdown_background();
    ended
}

async fn run(configuration: Configuration) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let sockets = Sockets::bind(&configuration).await?;
    let mut node = RunningNode::start(&configuration, &StartOptions::production(), sockets).await?;
    tokio::select! {
        biased;
        () = signals.next() => {}
        ended = node.failed() => return Err(ended.into()),
    }
    drain_or_leave(node.drain(configuration.drain), &mut signals).await
}

async fn run_dev(configuration: DevConfiguration) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let mut network = DevNetwork::start(&configuration).await?;
    let register = network.begin_register().await?;
    print(&dev::describe(&network, register))?;
    tokio::select! {
        biased;
        () = signals.next() => {}
        ended = network.failed() => return Err(ended.into()),
    }
    drain_or_leave(network.drain(), &mut signals).await
}

/// A second signal ends the program at once; nothing acknowledged is lost by that.
async fn drain_or_leave(draining: impl Future<Output = ()>, signals: &mut Signals) -> anyhow::Result<()> {
    let first = Instant::now();
    let second = async {
        while first.elapsed() < ONE_WISH {
            signals.next().await;
        }
    };
    tokio::select! {
        biased;
        () = second => anyhow::bail!("ended by a second signal"),
        () = draining => Ok(()),
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            biased;
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout().write_all(text.as_bytes()).context("standard output cannot be written")
}

/// One line on standard error.
fn complain(text: &str) {
    // Without standard error there is nobody to tell.
    drop(writeln!(io::stderr(), "error: {text}"));
}
