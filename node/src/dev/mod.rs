//! `peerwright-node dev`: a small network in this process, without Kubernetes, for a first look.
//!
//! Loopback only, REST without tokens, one register subscribed. Everything between the nodes is real: sockets, mutual
//! TLS, gossip, stores.

mod authority;
mod network;

pub use authority::{Authority, AuthorityError, now_range};
pub use network::{BeginError, DevNetwork};

use peerwright_ledger::RegisterId;

/// What a person can try, line by line.
#[must_use]
pub fn describe(network: &DevNetwork, register: RegisterId) -> String {
    let mut text = String::new();
    for node in network.nodes() {
        let name = &node.handle().identity.node;
        let (peer, api, probe) = (node.peer_address(), node.api_address(), node.probe_address());
        text.push_str(&format!("{name}   peers {peer}   REST https://{api}   probes http://{probe}\n"));
    }
    let (Some(first), Some(last)) = (network.nodes().first(), network.nodes().last()) else { return text };
    let (first_api, last_api, probe) = (first.api_address(), last.api_address(), first.probe_address());
    let transactions = format!("api/registers/{register}/transactions");
    text.push_str(&format!(
        "\nTry, in another terminal (-k: the certificates are this process' own):\n\
         \n  hand in a transaction at the first node, and wait until most sealers have signed a docket with it\n\
         \x20   curl -k 'https://{first_api}/{transactions}?ack=committed' -H 'Content-Type: application/json' \
         -d '{{\"payloads\":[{{\"text\":\"hello\"}}]}}'\n\
         \n  read it back at the last\n\
         \x20   curl -k https://{last_api}/{transactions}\n\
         \n  see the register, and its dockets\n\
         \x20   curl -k https://{last_api}/api/registers/{register}\n\
         \x20   curl -k https://{last_api}/api/registers/{register}/dockets\n\
         \n  see who is connected, and what is counted\n\
         \x20   curl -k https://{first_api}/api/peers/connected\n\
         \x20   curl http://{probe}/metrics\n\
         \nCtrl-C ends the network.\n"
    ));
    text
}
