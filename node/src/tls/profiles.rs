//! The TLS configurations of a node.

use super::{Anchors, Bans, Leaf, provider, verifier::MemberVerifier};
use rustls::{
    ClientConfig, Error, RootCertStore, ServerConfig, client::Resumption, server::NoServerSessionStorage,
    version::TLS13,
};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;

/// One configuration for each place where the node listens or dials, all presenting the same leaf.
pub struct Profiles {
    /// Members dial this node: their certificate is required.
    pub members_inbound: Arc<ServerConfig>,
    /// This node dials members.
    pub members_outbound: Arc<ClientConfig>,
    /// Applications dial this node: no certificate is asked.
    pub applications: Arc<ServerConfig>,
}

impl Profiles {
    /// Configurations over live anchors, bans and leaf.
    pub fn new(trust_domain: String, anchors: Arc<Anchors>, bans: Arc<Bans>, leaf: Arc<Leaf>) -> Result<Self, Error> {
        let verifier = Arc::new(MemberVerifier::new(trust_domain, anchors, bans));
        let server = || ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&TLS13]);
        let members = server()?.with_client_cert_verifier(verifier.clone()).with_cert_resolver(leaf.clone());
        let applications = server()?.with_no_client_auth().with_cert_resolver(leaf.clone());
        let outbound = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(leaf);
        Ok(Self {
            members_inbound: Arc::new(serving(members)),
            members_outbound: Arc::new(dialling(outbound)),
            applications: Arc::new(serving(applications)),
        })
    }
}

/// Dials the operator, whose certificate chains to the install root. With a leaf the node shows who it is; without, it
/// asks for one.
pub(crate) fn operator_profile(install_root: &[u8], leaf: Option<Arc<Leaf>>) -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(install_root))?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])?
        .with_root_certificates(roots);
    Ok(Arc::new(dialling(match leaf {
        Some(leaf) => builder.with_client_cert_resolver(leaf),
        None => builder.with_no_client_auth(),
    })))
}

fn serving(mut config: ServerConfig) -> ServerConfig {
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config
}

fn dialling(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"h2".to_vec()];
    config.resumption = Resumption::disabled();
    config
}
