//! `Certify` on the operator's real process: tokens by the real TokenRequest, judged by the real TokenReview, brought by the
//! real grpcurl. Nothing runs pods here, and none needs to run to have a token.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use peerwright_secure::{Enrollment, MemberCertificate, NodeBinding, NodeKey};
use peerwright_tests::{Answer, Light, Operator, Seen, eventually, manifests, repository};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _};
use serde_json::{Value, json};

use crate::operator::{SOON, create_network, get, wait_for};

const NAMESPACE: &str = "shop";
const TRUST_DOMAIN: &str = "demo.shop.peerwright.internal";
/// Of the tokens that the network's nodes show.
const AUDIENCE: &str = "demo.shop.peerwright.internal/certify";
/// What a node is told when nothing is wrong with it: it asks again.
const PASSING: [&str; 3] = ["not_leader", "ca_unavailable", "overloaded"];

/// An operator with the network `demo`, and a node that asks it for a certificate.
struct Scene {
    // Before what it runs on.
    operator: Operator,
    light: Light,
    network_uid: String,
    install_root: PathBuf,
    node: NodeKey,
}

impl Scene {
    fn start() -> Result<Self> {
        let light = Light::start()?;
        let operator = Operator::ready(&light, "operator-0")?;
        light.namespace(NAMESPACE)?;
        let network = create_network(&light, NAMESPACE, &manifests::network("demo"))?;
        let network_uid = network["metadata"]["uid"].as_str().context("a UID")?.to_owned();
        let trust = get(&light, NAMESPACE, "configmap/demo-trust")?.context("the trust bundle")?;
        let install_root = light.cluster.folder().join("install-root.pem");
        std::fs::write(&install_root, trust["data"]["install-root.pem"].as_str().context("the install root")?)?;
        Ok(Self { operator, light, network_uid, install_root, node: NodeKey::from_seed([7; 32]) })
    }

    /// A token of a ServiceAccount of the network's namespace.
    fn token(&self, account: &str, more: &[&str]) -> Result<String> {
        self.token_of(NAMESPACE, account, more)
    }

    fn token_of(&self, namespace: &str, account: &str, more: &[&str]) -> Result<String> {
        let create = ["create", "token", account, "-n", namespace];
        let token = self.light.kubectl.run(&[&create[..], more].concat())?.accepted()?;
        Ok(token.trim().to_owned())
    }

    /// A pod that no StatefulSet made.
    fn pod(&self, namespace: &str, name: &str, account: &str) -> Result<()> {
        let pod = json!({
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": { "name": name },
            "spec": { "serviceAccountName": account, "containers": [{ "name": "idle", "image": "none" }] }
        });
        self.light.kubectl.send(&["create", "-n", namespace, "-f", "-"], &pod)?.accepted().map(drop)
    }

    /// What a node sends with a token: all signatures are right.
    fn request(&self, token: &str) -> Result<Value> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let spki = key.subject_public_key_info();
        let csr = CertificateParams::default().serialize_request(&key)?;
        let proof = Enrollment { spki: &spki, token: token.as_bytes(), network_uid: &self.network_uid };
        Ok(json!({
            "token": token,
            "csr": STANDARD.encode(csr.der()),
            "nodePublicKey": STANDARD.encode(self.node.public().as_bytes()),
            "bindingSignature": STANDARD.encode(NodeBinding::new(&self.node, &spki).signature.as_bytes()),
            "proofSignature": STANDARD.encode(proof.sign(&self.node).as_bytes()),
        }))
    }

    /// The operator's answer to a node with this token.
    fn answer(&self, token: &str) -> Result<Answer> {
        let request = self.request(token)?;
        eventually(SOON, "an answer that does not pass by itself", || {
            let answer = self.operator.certify(&self.light, &self.install_root, &request)?;
            let passes = PASSING.iter().any(|refusal| answer.output.contains(&refusal_line(refusal)));
            let said = || format!("{}{}", answer.output, answer.complaint);
            Ok(if passes { Seen::NotYet(said()) } else { Seen::There(answer) })
        })
    }

    /// The operator refuses a node with this token: by code, by what it says and by status, and gives nothing.
    fn refuses(&self, token: &str, refusal: &str, status: &str, reason: &str) -> Result<()> {
        let answer = self.answer(token)?;
        let output = answer.output.clone();
        let complaint = answer.refused().with_context(|| format!("to be refused as {refusal}"))?;
        ensure!(output.contains(&refusal_line(refusal)), "not {refusal}: {output}{complaint}");
        ensure!(complaint.contains(&format!("Code: {status}")), "not {status}: {complaint}");
        ensure!(complaint.contains(reason), "it does not say {reason:?}: {complaint}");
        ensure!(!output.contains("\"chain\""), "a certificate came with the refusal: {output}");
        let documented = std::fs::read_to_string(repository("docs/operations.md"))?;
        ensure!(documented.contains(&format!("`{refusal}`")), "docs/operations.md does not know {refusal}");
        let counted = format!("node_refusals_total{{rpc=\"certify\",reason=\"{refusal}\"}}");
        let (_, metrics) = self.operator.get("/metrics")?;
        ensure!(metrics.contains(&counted), "{counted} is not among the metrics: {metrics}");
        Ok(())
    }
}

/// What grpcurl prints of the metadata that carries a refusal's code.
fn refusal_line(refusal: &str) -> String {
    format!("peerwright-refusal: {refusal}\n")
}

/// `token` as it would be if it had been made for `audience`: nobody has signed that.
fn altered(token: &str, audience: &str) -> Result<String> {
    let mut parts: Vec<&str> = token.split('.').collect();
    ensure!(parts.len() == 3, "a token has three parts");
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(parts[1])?)?;
    claims["aud"] = json!([audience]);
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    parts[1] = &claims;
    Ok(parts.join("."))
}

/// The leaf in what grpcurl prints of an answer.
fn leaf(output: &str) -> Result<MemberCertificate> {
    let (_, response) = output.split_once("Response contents:").context("a response")?;
    let mut documents = serde_json::Deserializer::from_str(response).into_iter::<Value>();
    let response = documents.next().context("a response")??;
    let leaf = STANDARD.decode(response["chain"][0].as_str().context("a chain")?)?;
    Ok(MemberCertificate::from_der(&leaf)?)
}

#[test]
fn a_certificate_is_given_for_the_token_of_a_member_and_for_no_other() -> Result<()> {
    let scene = Scene::start()?;
    let member = ["--bound-object-kind", "Pod", "--bound-object-name", "demo-peer-0"];
    let for_nodes = ["--audience", AUDIENCE];
    wait_for(&scene.light, NAMESPACE, "pod/demo-peer-0", SOON, |_| true)?;

    let granted = scene.answer(&scene.token("demo", &[&member[..], &for_nodes].concat())?)?.accepted()?;
    let leaf = leaf(&granted)?;
    assert_eq!(leaf.spiffe.to_string(), format!("spiffe://{TRUST_DOMAIN}/node/{NAMESPACE}/demo-peer-0"));
    assert_eq!(leaf.peer_id, scene.node.peer_id());

    // The same pod, with tokens for something else.
    let says = "the token's audience must be `<trust domain>/certify` of the pod's network";
    let for_api_server = scene.token("demo", &member)?;
    scene.refuses(&for_api_server, "audience_mismatch", "PermissionDenied", says)?;
    let for_clients = scene.token("demo", &[&member[..], &["--audience", TRUST_DOMAIN]].concat())?;
    scene.refuses(&for_clients, "audience_mismatch", "PermissionDenied", says)?;

    let says = "the API server does not vouch for this token as one that is bound to a pod";
    scene.refuses(&altered(&for_clients, AUDIENCE)?, "token_invalid", "Unauthenticated", says)?;
    let of_no_pod = scene.token("demo", &for_nodes)?;
    scene.refuses(&of_no_pod, "token_invalid", "Unauthenticated", says)?;

    for (namespace, pod, account, refusal, says) in [
        (NAMESPACE, "stray", "demo", "not_a_member", "the pod is not controlled by a StatefulSet of this network"),
        (NAMESPACE, "guest", "guest", "service_account_mismatch", "must use the network's ServiceAccount"),
        ("mart", "guest", "guest", "not_a_member", "the pod is not controlled by a StatefulSet of this network"),
    ] {
        if namespace != NAMESPACE {
            scene.light.namespace(namespace)?;
        }
        if account != "demo" {
            scene.light.kubectl.run(&["create", "serviceaccount", account, "-n", namespace])?.accepted()?;
        }
        scene.pod(namespace, pod, account)?;
        let bound = ["--bound-object-kind", "Pod", "--bound-object-name", pod];
        let token = scene.token_of(namespace, account, &[&bound[..], &for_nodes].concat())?;
        scene.refuses(&token, refusal, "PermissionDenied", says)?;
    }
    assert_eq!(scene.operator.forbidden()?, Vec::<String>::new());
    Ok(())
}
