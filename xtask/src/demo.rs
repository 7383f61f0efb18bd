//! The demo network, and what to try with it.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use peerwright_cluster::progress;

use crate::install::NAMESPACE;
use crate::repository;
use crate::session::{Made, Session};
use crate::target::Target;

/// How often, a second apart, pods are looked for that a controller is about to make.
const ATTEMPTS: usize = 5;

/// Makes the demo network unless it is there, and waits until it is Ready; if it is there and the nodes' image is another
/// one now, its pods start again.
pub(crate) fn start(session: &mut Session, image_changed: bool) -> Result<()> {
    if session.kubectl(&["--namespace=default", "get", "peernetwork/demo"]).is_err() {
        session.note(Made::Demo)?;
        session.kubectl(&["apply", "-f", "examples/network.yaml"])?;
    } else if image_changed {
        restart_pods(session)?;
    }
    let wait = ["--namespace=default", "wait", "--for=condition=Ready", "peernetwork/demo", "--timeout=180s"];
    if let Err(error) = session.kubectl(&wait) {
        explain(session);
        return Err(error).context("the demo network did not become Ready");
    }
    progress::say("the demo network is Ready");
    Ok(())
}

/// Nothing else restarts them: the image's name is the same.
fn restart_pods(session: &Session) -> Result<()> {
    progress::say("the nodes' image changed: the demo network's pods restart");
    let demo = ["--namespace=default", "--selector=peerwright.dev/network=demo"];
    session.kubectl(&[&["delete", "pods", "--timeout=120s"][..], &demo].concat())?;
    let wait = [&["wait", "pods", "--for=condition=Ready", "--timeout=120s"][..], &demo].concat();
    // Until the first pod is made again there is nothing to wait for, and kubectl takes that for a failure.
    for _ in 0..ATTEMPTS {
        if session.kubectl(&wait).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    session.kubectl(&wait).map(drop)
}

/// Removes what [`start`] made.
pub(crate) fn remove(session: &Session) -> Result<()> {
    if session.made.contains(&Made::Demo) {
        session.kubectl(&["delete", "-f", "examples/network.yaml", "--ignore-not-found", "--timeout=120s"])?;
    }
    Ok(())
}

/// Shows why it is not Ready.
fn explain(session: &Session) {
    let questions: [&[&str]; 4] = [
        &["get", "pods", "--all-namespaces", "-o", "wide"],
        &["--namespace=default", "get", "peernetwork/demo", "-o", "yaml"],
        &["--namespace", NAMESPACE, "logs", "deployment/peerwright-operator", "--tail=20"],
        &["--namespace=default", "logs", "demo-peer-0", "--tail=20"],
    ];
    for question in questions {
        let answer = session.kubectl(question).unwrap_or_else(|error| format!("{error:#}"));
        let _ = writeln!(std::io::stderr(), "--- kubectl {}\n{answer}", question.join(" "));
    }
}

/// Prints what to try, line by line as one would type it.
pub(crate) fn print_what_to_try(session: &Session) -> Result<()> {
    let register = register()?;
    let path = format!("/api/registers/{register}/transactions");
    let data = r#"{"payloads":[{"text":"hello","contentType":"text/plain"}]}"#;
    let programs =
        session.programs()?.map(|folder| format!("export PATH={}:$PATH\n", folder.display())).unwrap_or_default();
    let (forward, address) = match session.target {
        Target::Native => (String::new(), "$(kubectl get service demo-api -o jsonpath='{.spec.clusterIP}')"),
        Target::Context(_) | Target::Kind => ("kubectl port-forward service/demo-api 8443 &\n".to_owned(), "127.0.0.1"),
    };
    let text = format!(
        r#"
Try:

{programs}export KUBECONFIG={kubeconfig}
kubectl get pnet
kubectl apply -f examples/subscription.yaml
TOKEN=$(kubectl create token demo-client --audience demo.default.peerwright.internal)
kubectl get configmap demo-trust -o jsonpath='{{.data.ca\.pem}}' > demo-ca.pem
{forward}curl --cacert demo-ca.pem --resolve demo-api.default.svc:8443:{address} -H "Authorization: Bearer $TOKEN" -d '{data}' https://demo-api.default.svc:8443{path}
curl --cacert demo-ca.pem --resolve demo-api.default.svc:8443:{address} -H "Authorization: Bearer $TOKEN" https://demo-api.default.svc:8443{path}
REGISTER=$(curl --cacert demo-ca.pem --resolve demo-api.default.svc:8443:{address} -H "Authorization: Bearer $TOKEN" -d '{{"name":"ledger"}}' https://demo-api.default.svc:8443/api/registers | grep -oE '[0-9a-f]{{32}}')
sed "s/name: orders/name: ledger/; s/{register}/$REGISTER/" examples/subscription.yaml | kubectl apply -f -
curl --cacert demo-ca.pem --resolve demo-api.default.svc:8443:{address} -H "Authorization: Bearer $TOKEN" -d '{data}' "https://demo-api.default.svc:8443/api/registers/$REGISTER/transactions?ack=committed"
curl --cacert demo-ca.pem --resolve demo-api.default.svc:8443:{address} -H "Authorization: Bearer $TOKEN" https://demo-api.default.svc:8443/api/registers/$REGISTER
BAN=$(kubectl create -f examples/ban.yaml -o name)
kubectl get pban
kubectl delete $BAN
kubectl delete pnet demo
cargo xtask down
"#,
        kubeconfig = session.kubeconfig().display(),
    );
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Register of `examples/subscription.yaml`.
fn register() -> Result<String> {
    let file = repository::path("examples/subscription.yaml");
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("registerId:"));
    Ok(line.context("examples/subscription.yaml names no registerId")?.trim().to_owned())
}
