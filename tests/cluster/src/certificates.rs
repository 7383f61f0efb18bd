//! The cluster's certificate authority, the certificates of its components, and kubeconfigs that use them.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize, date_time_ymd,
};

use crate::{Result, files};

/// Who a certificate is for; Kubernetes reads user and groups from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    pub(crate) group: Option<&'a str>,
    /// DNS names and addresses that it serves.
    pub(crate) serves: Vec<String>,
}

/// A certificate authority that writes what it issues into one folder.
pub(crate) struct Authority {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new authority; `ca.crt` and `ca.key` in `folder`, and `sa.key` and `sa.pub` for service-account tokens.
    pub(crate) fn create(folder: PathBuf) -> Result<Self> {
        let mut parameters = parameters("kubernetes-ca", Vec::new())?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)?;
        files::write(&folder.join("ca.crt"), issuer.pem())?;
        files::write(&folder.join("ca.key"), issuer.key().serialize_pem())?;
        // RSA, as in nearly every cluster: what reads these tokens is tested with what it will meet.
        let tokens = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
        files::write(&folder.join("sa.key"), tokens.serialize_pem())?;
        files::write(&folder.join("sa.pub"), tokens.public_key_pem())?;
        Ok(Self { folder, issuer })
    }

    /// Issues `<file>.crt` and `<file>.key`.
    pub(crate) fn issue(&self, file: &str, subject: &Subject<'_>) -> Result<()> {
        let mut parameters = parameters(subject.name, subject.serves.clone())?;
        if let Some(group) = subject.group {
            parameters.distinguished_name.push(DnType::OrganizationName, group);
        }
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        files::write(&self.folder.join(format!("{file}.crt")), certificate.pem())?;
        files::write(&self.folder.join(format!("{file}.key")), key.serialize_pem())
    }

    /// Issues a client certificate and writes the kubeconfig that uses it against `server`.
    pub(crate) fn issue_with_kubeconfig(
        &self,
        file: &str,
        subject: &Subject<'_>,
        server: &str,
        folder: &Path,
    ) -> Result<()> {
        self.issue(file, subject)?;
        let certificates = self.folder.display();
        let text = format!(
            "apiVersion: v1
kind: Config
clusters:
- name: peerwright
  cluster: {{server: '{server}', certificate-authority: '{certificates}/ca.crt'}}
users:
- name: {file}
  user: {{client-certificate: '{certificates}/{file}.crt', client-key: '{certificates}/{file}.key'}}
contexts:
- name: peerwright
  context: {{cluster: peerwright, user: {file}}}
current-context: peerwright
"
        );
        files::write(&folder.join(format!("{file}.kubeconfig")), text)
    }
}

fn parameters(name: &str, serves: Vec<String>) -> Result<CertificateParams> {
    let mut parameters = CertificateParams::new(serves)?;
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.not_before = date_time_ymd(2020, 1, 1);
    parameters.not_after = date_time_ymd(2099, 1, 1);
    Ok(parameters)
}
