//! The program as people and the kubelet start and end it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

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
