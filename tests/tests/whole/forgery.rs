//! Certificates that differ from a member's own in one respect, made by the real openssl.

use std::{fs, path::Path, process::Command};

use peerwright_cluster::Cluster;
use peerwright_tests::OPERATOR_NAMESPACE;
use tempfile::TempDir;

use crate::{kubectl::kubectl, network::Network};

/// What `openssl ca` has to be told before it signs.
const CONFIGURATION: &str = "[ca]
default_ca = here
[here]
database = index
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
copy_extensions = copyall
unique_subject = no
[any]
commonName = optional
";

/// A folder with the certificate and key of a member in `member.pem`, the request for the same names and extensions in
/// `request.pem`, and the network's authority in `authority.crt` and `authority.key`.
pub(crate) struct Forgery {
    folder: TempDir,
}

impl Forgery {
    /// From the first second of 2020, for a day.
    pub(crate) const LONG_AGO: [&str; 2] = ["20200101000000Z", "20200102000000Z"];
    /// From the first second of 2020, for longer than this code lives.
    pub(crate) const YEARS: [&str; 2] = ["20200101000000Z", "20491231235959Z"];

    /// Takes what `pod` and the operator keep.
    pub(crate) fn of(network: &Network, pod: &str) -> Self {
        let forgery = Self { folder: tempfile::tempdir().unwrap() };
        let (machine, volume) = network.volume(pod);
        let member = Cluster::attach().unwrap().run_on(&machine, &["cat", &format!("{volume}/tls.pem")]).unwrap();
        forgery.write("member.pem", &member);
        let again =
            ["x509", "-x509toreq", "-copy_extensions", "copyall", "-in", "member.pem", "-signkey", "member.pem"];
        forgery.openssl(&[&again[..], &["-out", "request.pem"]].concat());

        let secret = format!("ca-{}", network.field("pnet/net", "{.metadata.uid}").unwrap());
        for (entry, file, kind) in [("ca\\.crt", "authority.crt", "x509"), ("ca\\.key", "authority.key", "pkey")] {
            let path = format!("jsonpath={{.data.{entry}}}");
            let encoded = kubectl(&["-n", OPERATOR_NAMESPACE, "get", "secret", &secret, "-o", &path]);
            forgery.write("encoded", &encoded);
            forgery.openssl(&["base64", "-d", "-A", "-in", "encoded", "-out", "der"]);
            forgery.openssl(&[kind, "-inform", "DER", "-in", "der", "-out", file]);
        }
        forgery.write("ca.conf", CONFIGURATION);
        forgery.write("index", "");
        forgery.write("serial", "01");
        forgery
    }

    /// Makes another authority with the same name as the network's.
    pub(crate) fn make_authority(&self, name: &str) {
        let subject = self.openssl(&["x509", "-in", "authority.crt", "-noout", "-subject", "-nameopt", "compat"]);
        let subject = subject.trim().trim_start_matches("subject=").replace(", ", "/");
        let subject = format!("/{}", subject.trim().trim_start_matches('/').replace(" = ", "="));
        let (key, certificate) = (format!("{name}.key"), format!("{name}.crt"));
        let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
        self.openssl(&[&new[..], &["-subj", &subject, "-keyout", &key, "-out", &certificate]].concat());
    }

    /// Signs the member's request by an authority, valid between two moments.
    pub(crate) fn sign_again(&self, file: &str, authority: &str, [start, end]: [&str; 2]) {
        let (key, certificate) = (format!("{authority}.key"), format!("{authority}.crt"));
        let sign = ["ca", "-batch", "-notext", "-config", "ca.conf", "-keyfile", &key, "-cert", &certificate];
        let what = ["-in", "request.pem", "-out", file, "-startdate", start, "-enddate", end];
        self.openssl(&[&sign[..], &what[..]].concat());
    }

    /// Path of one of the files.
    pub(crate) fn path(&self, file: &str) -> String {
        self.folder.path().join(file).display().to_string()
    }

    fn write(&self, file: &str, content: &str) {
        fs::write(Path::new(&self.path(file)), content).unwrap();
    }

    fn openssl(&self, arguments: &[&str]) -> String {
        openssl(self.folder.path(), arguments)
    }
}

/// Runs openssl in a folder; gives what it printed.
pub(crate) fn openssl(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("openssl").args(arguments).current_dir(folder).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {complaint}");
    String::from_utf8(output.stdout).unwrap()
}
