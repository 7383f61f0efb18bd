//! The program as people and the kubelet start and end it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and a JSON value answers null for what it lacks"
)]

use peerwright_secure::sha256;
use serde_json::Value;
use std::{
    fs,
    io::{BufRead, BufReader, Read},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

/// From the start of the process until all of its ports serve; the goal of a release build is a tenth of it (docs/figures.md).
const LISTENS_WITHIN: Duration = Duration::from_secs(1);
/// The fastest of so many starts is held to that: a busy machine only adds.
const STARTS: usize = 5;

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_peerwright-node"));
    command.args(arguments).env_clear();
    command
}

fn ended(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    program(arguments).envs(environment.iter().copied()).output().unwrap()
}

fn line_of(output: &Output) -> String {
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(text.lines().count(), 1, "more than one line: {text}");
    text.trim().to_owned()
}

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// A child that dies with the test.
struct Running(Child);

impl Running {
    fn start(arguments: &[&str]) -> (Self, String) {
        let mut child = program(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        while !told.contains("Ctrl-C") {
            let read = lines.read_line(&mut told).unwrap();
            assert!(read > 0, "it ended: {told}");
        }
        (Self(child), told)
    }

    fn wait(&mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let status = loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut log = String::new();
        self.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        (status.code(), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already unless the test failed.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_broken_configuration_ends_with_one_line_and_code_2() {
    for (arguments, environment, says) in [
        (vec![], vec![], "error: network is missing: give flag --network, environment variable PEERWRIGHT_NETWORK"),
        (
            vec!["run"],
            vec![("PEERWRIGHT_NETWORK", "Not A Label")],
            "(environment variable PEERWRIGHT_NETWORK): accepted is",
        ),
        (vec!["--config", "/nowhere.yaml"], vec![], "error: configuration file /nowhere.yaml: "),
        (vec!["run", "--no-such-option"], vec![], "'--no-such-option'"),
        (vec!["dev", "--nodes", "0"], vec![], "accepted is a number from 1 to 16"),
    ] {
        let output = ended(&arguments, &environment);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let line = line_of(&output);
        assert!(line.starts_with("error: ") && line.contains(says), "{line}");
    }
}

#[test]
fn help_and_version_go_to_standard_output() {
    let version = ended(&["--version"], &[]);
    assert!(version.status.success());
    assert_eq!(
        String::from_utf8(version.stdout).unwrap().trim(),
        concat!("peerwright-node ", env!("CARGO_PKG_VERSION"))
    );
    let help = ended(&["--help"], &[]);
    assert!(help.status.success() && String::from_utf8(help.stdout).unwrap().contains("dev"));
}

#[test]
fn a_first_look_needs_no_kubernetes_and_ends_in_order_on_sigterm() {
    let (mut dev, told) = Running::start(&["dev", "--nodes", "2"]);
    assert!(told.contains("dev-peer-1") && told.contains("curl -k https://127.0.0.1:"), "{told}");
    signal(&dev.0, "TERM");
    let (code, log) = dev.wait();
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("draining") && log.contains("ended"), "{log}");
}

/// Flags of a node with its volume in `folder`, on whichever ports are free, whose operator is away.
fn node_in(folder: &Path) -> Vec<String> {
    let root = rcgen::generate_simple_self_signed(["install-root".to_owned()]).unwrap().cert.pem();
    let file = folder.join("install-root.pem");
    fs::write(&file, &root).unwrap();
    let mut flags: Vec<String> = ["run", "--network=demo", "--namespace=default", "--network-uid=demo-uid"]
        .into_iter()
        .chain(["--node-name=demo-peer-0", "--trust-domain=demo.default.peerwright.internal", "--operator=localhost:1"])
        .chain(["--listen-peer=127.0.0.1:0", "--listen-api=127.0.0.1:0", "--listen-probe=127.0.0.1:0"])
        .chain(["--log-format=json"])
        .map(str::to_owned)
        .collect();
    flags.push(format!("--install-root={}", file.display()));
    flags.push(format!("--install-root-sha256={}", hex::encode(sha256(root.as_bytes()))));
    flags.push(format!("--data-dir={}", folder.join("data").display()));
    flags
}

/// Starts a node, waits until it says that it listens and each of its ports is connected to, and kills it.
fn time_to_listening(flags: &[String]) -> Duration {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let began = Instant::now();
    let mut child = program(&flags).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let _node = Running(child);
    let mut told = Vec::new();
    let listening = loop {
        let line = log.next().unwrap_or_else(|| panic!("it ended: {told:?}"));
        match serde_json::from_str::<Value>(&line) {
            Ok(event) if event["message"] == "listening" => break event,
            _ => told.push(line),
        }
    };
    for port in ["peer", "api", "probe"] {
        TcpStream::connect(listening[port].as_str().unwrap()).unwrap();
    }
    began.elapsed()
}

#[test]
fn a_node_listens_a_moment_after_its_start_on_an_empty_volume_and_after_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let flags = node_in(folder.path());
    let times: Vec<Duration> = (0..STARTS).map(|_| time_to_listening(&flags)).collect();
    println!("start of the process to all ports listening, the first on an empty volume: {times:?}");
    let fastest = times.iter().min().unwrap();
    assert!(*fastest < LISTENS_WITHIN, "{times:?}");
}
