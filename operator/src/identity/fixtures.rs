//! What several tests of identity, policy and nodes need: a network, a node with its keys, its request.

use std::time::SystemTime;

use peerwright_crds::{NodeGroup, PeerNetwork, PeerNetworkSpec};
use peerwright_secure::{Enrollment, NodeBinding, NodeKey};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData, SubjectPublicKeyInfo};
use rustls_pki_types::CertificateDer;

use super::{Authority, NetworkFacts};

/// The network `name` in `default`, with one group `peer` of `replicas` nodes; its UID is `<name>-uid`.
pub(crate) fn network(name: &str, replicas: i32) -> PeerNetwork {
    let groups = vec![NodeGroup { name: "peer".into(), replicas, ..NodeGroup::default() }];
    let mut network = PeerNetwork::new(name, PeerNetworkSpec { node_groups: groups, ..PeerNetworkSpec::default() });
    network.metadata.namespace = Some("default".into());
    network.metadata.uid = Some(format!("{name}-uid"));
    network
}

/// A node's two keys.
pub(crate) struct Keys {
    pub(crate) node: NodeKey,
    pub(crate) tls: KeyPair,
}

/// What a node sends to be certified.
pub(crate) struct Signed {
    pub(crate) csr: Vec<u8>,
    pub(crate) public_key: Vec<u8>,
    pub(crate) binding: Vec<u8>,
    pub(crate) proof: Vec<u8>,
}

impl Keys {
    pub(crate) fn of(seed: u8) -> Self {
        let tls = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        Self { node: NodeKey::from_seed([seed; 32]), tls }
    }

    pub(crate) fn binding(&self) -> NodeBinding {
        NodeBinding::new(&self.node, &self.tls.subject_public_key_info())
    }

    /// The request of a node that asks for somebody else's names.
    pub(crate) fn request(&self, token: &str, network_uid: &str) -> Signed {
        let params = CertificateParams::new(vec!["demo-api.default.svc".to_owned()]).expect("names");
        let csr = params.serialize_request(&self.tls).expect("a request").der().to_vec();
        let spki = self.tls.subject_public_key_info();
        let enrollment = Enrollment { spki: &spki, token: token.as_bytes(), network_uid };
        Signed {
            csr,
            public_key: self.node.public().as_bytes().to_vec(),
            binding: self.binding().signature.as_bytes().to_vec(),
            proof: enrollment.sign(&self.node).as_bytes().to_vec(),
        }
    }

    /// A leaf of `authority` for `pod`, made at `now`.
    pub(crate) fn leaf(
        &self,
        authority: &Authority,
        network: &PeerNetwork,
        pod: &str,
        now: SystemTime,
    ) -> CertificateDer<'static> {
        let public_key = SubjectPublicKeyInfo::from_der(&self.tls.subject_public_key_info()).expect("a key");
        let facts = facts(network);
        authority.issue_leaf(&facts, pod, &public_key, &self.binding(), now).expect("a leaf").certificate
    }
}

/// What identity knows of a network of these tests.
pub(crate) fn facts(network: &PeerNetwork) -> NetworkFacts {
    NetworkFacts::new(network, "cluster.local")
}
