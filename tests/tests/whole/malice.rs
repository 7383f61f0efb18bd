//! A member that does what no member should: nodes ban it by themselves, and enough of them make it the network's ban.

use crate::{
    client::Client,
    kubectl::{wait_for, wait_until},
    network::Network,
};
use peerwright_cluster::Cluster;
use std::{
    io::Write,
    process::Command,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tempfile::NamedTempFile;

const SESSION: [u8; 16] = [7; 16];
/// A gossip frame of this version that ends behind its kind.
const MALFORMED: [u8; 2] = [1, 7];

/// Somebody with the certificate and key of a member.
struct Impostor<'a> {
    network: &'a Network,
    trust: NamedTempFile,
    member: NamedTempFile,
}

impl<'a> Impostor<'a> {
    fn of(network: &'a Network, pod: &str) -> Self {
        let (machine, folder) = network.volume(pod);
        let keys = Cluster::attach().unwrap().run_on(&machine, &["cat", &format!("{folder}/tls.pem")]).unwrap();
        Self { network, trust: network.trust(), member: file(keys.as_bytes()) }
    }

    /// Opens a link session by the HTTPS carrier, as a later life of the member, and sends a frame that cannot be read.
    fn misbehave(&self, towards: &str) {
        let (hello, batch) = (file(&hello()), file(&batch()));
        let host = format!("{towards}.net-peers.{}.svc", self.network.namespace);
        let url = format!("https://{host}:5000/link");
        let path = |file: &NamedTempFile| file.path().display().to_string();
        let one = |body: &NamedTempFile| {
            [
                "--http1.1",
                "--silent",
                "--show-error",
                "--fail",
                "--max-time",
                "5",
                "--output",
                "/dev/null",
                "--cacert",
                &path(&self.trust),
                "--cert",
                &path(&self.member),
                "--key",
                &path(&self.member),
                "--resolve",
                &format!("{host}:5000:{}", self.network.address(towards)),
                "--header",
                "Content-Type: application/x-protobuf",
                "--data-binary",
                &format!("@{}", path(body)),
                &url,
            ]
            .map(str::to_owned)
        };
        // One connection: a session's carrier ends with it.
        let mut curl = Command::new("curl");
        curl.args(one(&hello)).arg("--next").args(one(&batch));
        let output = curl.output().expect("curl is on the PATH");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

fn file(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

/// A protobuf field of bytes, shorter than 128.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

/// A protobuf field of a number.
fn number(field: u8, mut value: u64) -> Vec<u8> {
    let mut encoded = vec![field << 3];
    while value > 0x7f {
        encoded.push(u8::try_from(value & 0x7f).unwrap() | 0x80);
        value >>= 7;
    }
    encoded.push(u8::try_from(value).unwrap());
    encoded
}

/// `LinkCall` with a `Hello`.
fn hello() -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let incarnation = number(5, u64::try_from(now).unwrap());
    let hello = [number(1, 1), number(2, 1), bytes(4, &SESSION), incarnation, number(6, 1)].concat();
    bytes(4, &bytes(1, &hello))
}

/// `LinkCall` with a `Batch` of one frame.
fn batch() -> Vec<u8> {
    let batch = [number(1, 1), bytes(3, &MALFORMED)].concat();
    [bytes(1, &SESSION), number(2, 1), bytes(4, &bytes(2, &batch))].concat()
}

#[test]
fn a_ban_that_most_nodes_have_made_by_themselves_becomes_the_networks_until_a_moderator_deletes_it() {
    let network = Network::ready("malice", 4);
    let client = Client::of(&network, "client");
    let strict = r#"{"spec": {"autoBans": {"promote": "Always", "invalidMessage": {"tolerated": 0}}}}"#;
    network.kubectl(&["patch", "pnet/net", "--type=merge", "-p", strict]);
    network.wait_policy_synced(Duration::from_secs(20));
    let peers = ["net-peer-0", "net-peer-1", "net-peer-2"];
    for pod in peers {
        client.wait_links(pod, 3, Duration::from_secs(20));
    }
    // Sealers are never banned by nodes: the fourth node is none.
    let banned = client.own_peer("net-peer-3").unwrap();
    let impostor = Impostor::of(&network, "net-peer-3");

    impostor.misbehave("net-peer-0");
    client.wait_auto_ban("net-peer-0", &banned, Duration::from_secs(5));
    assert_eq!(network.kubectl(&["get", "pban", "-o", "name"]), "", "one node's word bans nobody");

    impostor.misbehave("net-peer-1");
    let ban = wait_for("the bans of two of three become a PeerBan", Duration::from_secs(40), || {
        let bans = network.kubectl(&["get", "pban", "-o", "name"]);
        if bans.is_empty() { Err("none".to_owned()) } else { Ok(bans.trim().to_owned()) }
    });
    assert_eq!(network.field(&ban, "{.spec.peerId}").unwrap(), banned);
    network.wait_condition(&ban, "Enforced", "True", Duration::from_secs(5));
    client.wait_links("net-peer-2", 2, Duration::from_secs(5));

    network.kubectl(&["delete", &ban]);
    for pod in &peers[..2] {
        let (status, answer) = client.call(pod, "DELETE", &format!("/api/peers/{banned}/ban"), None).unwrap();
        assert_eq!(status, 200, "{answer}");
    }
    for pod in peers {
        client.wait_links(pod, 3, Duration::from_secs(90));
    }
    wait_until("the network is not banned again", Duration::from_secs(5), || {
        network.kubectl(&["get", "pban", "-o", "name"]).is_empty()
    });
    network.wait_ready(4);
}
