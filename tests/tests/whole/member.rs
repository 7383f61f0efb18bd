//! Who has a member's certificate, and what it can do with it at a node's port 5000: by the real openssl and grpcurl.

use std::{
    io::Write,
    process::{Command, Stdio},
    time::Duration,
};

use peerwright_cluster::Cluster;
use serde_json::{Deserializer, Value, json};
use tempfile::NamedTempFile;

use crate::{kubectl::wait_for, network::Network};

/// What `openssl s_client` says of a handshake with a node's peer port.
pub(crate) fn handshake(address: &str, arguments: &[&str]) -> String {
    let output = Command::new("timeout")
        .args(["5", "openssl", "s_client", "-connect", &format!("{address}:5000"), "-alpn", "h2", "-ign_eof"])
        .args(arguments)
        .output()
        .unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The certificate and key of a node, taken from its volume.
pub(crate) struct Member<'a> {
    network: &'a Network,
    file: NamedTempFile,
    trust: NamedTempFile,
}

impl<'a> Member<'a> {
    pub(crate) fn of(network: &'a Network, pod: &str) -> Self {
        let (machine, folder) = network.volume(pod);
        let pem = Cluster::attach().unwrap().run_on(&machine, &["cat", &format!("{folder}/tls.pem")]).unwrap();
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(pem.as_bytes()).unwrap();
        Self { network, file, trust: network.trust() }
    }

    /// What openssl says of a handshake with a node.
    pub(crate) fn handshake(&self, pod: &str) -> String {
        let file = self.file.path().to_str().unwrap();
        handshake(&self.network.address(pod), &["-tls1_3", "-cert", file, "-key", file])
    }

    /// The services of a node, or why they are not told.
    pub(crate) fn services(&self, pod: &str) -> Result<String, String> {
        let output = self.grpcurl(pod, &[], &["list"]).output().expect("grpcurl is on the PATH");
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Asks a node for a link, as a node does, and gives the reason with which it is ended.
    pub(crate) fn goodbye(&self, pod: &str) -> String {
        let hello = json!({ "hello": {
            "versionMin": 1, "versionMax": 1, "session": "AAAAAAAAAAAAAAAAAAAAAA==", "incarnation": 1, "carrier": 1
        } });
        let printed = NamedTempFile::new().unwrap();
        let output = printed.reopen().unwrap();
        let mut child = self
            .grpcurl(pod, &["-d", "@"], &["peerwright.v1.Link/Open"])
            .stdin(Stdio::piped())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .expect("grpcurl is on the PATH");
        // It stays open: the end of the input would be the end of the link.
        let mut input = child.stdin.take().unwrap();
        input.write_all(hello.to_string().as_bytes()).unwrap();
        let reason = wait_for(&format!("{pod} ends the link"), Duration::from_secs(20), || {
            let text = std::fs::read_to_string(printed.path()).unwrap();
            let messages = Deserializer::from_str(&text).into_iter::<Value>().map_while(Result::ok);
            let mut reasons = messages.filter_map(|message| message["goodbye"]["reason"].as_str().map(str::to_owned));
            reasons.next().ok_or(text.clone())
        });
        drop(input);
        child.wait().unwrap();
        reason
    }

    /// A call of grpcurl at a node: `flags` go before its address, `words` behind.
    fn grpcurl(&self, pod: &str, flags: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new("grpcurl");
        command.arg("-cacert").arg(self.trust.path());
        command.arg("-cert").arg(self.file.path()).arg("-key").arg(self.file.path());
        command.args(["-authority", &format!("{pod}.net-peers.{}.svc", self.network.namespace)]);
        command.args(flags).arg(format!("{}:5000", self.network.address(pod))).args(words);
        command
    }
}
