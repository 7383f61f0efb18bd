//! The demo network, and what to try with it.

use std::io::Write as _;
use std::process::Command;
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

/// What ends what was tried.
const ENDING: &str = "kubectl delete pnet demo\ncargo xtask down\n";

/// Prints what to try, line by line as one would type it.
pub(crate) fn print_what_to_try(session: &Session) -> Result<()> {
    let forwarded = if session.target == Target::Native { "" } else { "kill %1 %2 %3\n" };
    let text = format!("\nTry:\n\n{}{forwarded}{ENDING}", what_to_try(session)?);
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

/// Does what is printed, but for its end.
pub(crate) fn try_it(session: &Session) -> Result<()> {
    let mut command = Command::new("sh");
    command.args(["-e", "-c", &what_to_try(session)?]).current_dir(repository::path("."));
    repository::show(command).context("what `up` prints to try does not work")
}

fn what_to_try(session: &Session) -> Result<String> {
    let register = register()?;
    let programs =
        session.programs()?.map(|folder| format!("export PATH={}:$PATH\n", folder.display())).unwrap_or_default();
    let Reached { forward, of_network, of_node } = reached(&session.target);
    let data = r#"{"payloads":[{"text":"hello","contentType":"text/plain"}]}"#;
    let curl = r#"curl --silent --show-error --fail-with-body --retry 9 --retry-delay 1 --retry-all-errors --cacert /tmp/demo-ca.pem -H "Authorization: Bearer $TOKEN""#;
    Ok(format!(
        r#"{programs}export KUBECONFIG={kubeconfig}
kubectl get pnet
kubectl apply -f examples/subscription.yaml
kubectl wait --for=condition=Synced rsub/orders --timeout=60s
TOKEN=$(kubectl create token demo-client --audience demo.default.peerwright.internal)
kubectl get configmap demo-trust -o jsonpath='{{.data.ca\.pem}}' > /tmp/demo-ca.pem
{forward}ID=$({curl} {of_network}/api/registers/{register}/transactions -d '{data}' | grep -oE '[0-9a-f]{{64}}' | head -1)
for n in 1 2; do {curl} {of_node}/api/registers/{register}/transactions/$ID; echo; done
REGISTER=$({curl} {of_network}/api/registers -d '{{"name":"ledger"}}' | grep -oE '[0-9a-f]{{32}}')
sed "s/name: orders/name: ledger/; s/{register}/$REGISTER/" examples/subscription.yaml | kubectl apply -f -
kubectl wait --for=condition=Synced rsub/ledger --timeout=60s
{curl} {of_network}/api/registers/$REGISTER/transactions\?ack=committed -d '{data}'; echo
{curl} {of_network}/api/registers/$REGISTER; echo
BAN=$(kubectl create -f examples/ban.yaml -o name)
kubectl wait --for=condition=Enforced $BAN --timeout=60s
kubectl get pban
kubectl delete $BAN
"#,
        kubeconfig = session.kubeconfig().display(),
    ))
}

/// What a further `up` leaves as it is: pods that run without a restart, and specs that nobody has written anew.
pub(crate) fn what_stays(session: &Session) -> Result<String> {
    let pods = r#"jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} {.status.containerStatuses[*].restartCount}{"\n"}{end}"#;
    let specs = r#"jsonpath={range .items[*]}{.kind} {.metadata.uid} {.metadata.generation}{"\n"}{end}"#;
    let mut text = String::new();
    for namespace in ["default", NAMESPACE] {
        let of = format!("--namespace={namespace}");
        text += &session.kubectl(&["get", "pods", &of, "-o", pods])?;
        text += &session.kubectl(&["get", "deployments,statefulsets,peernetworks", &of, "-o", specs])?;
    }
    Ok(text)
}

/// How the nodes are reached, as curl takes it.
struct Reached {
    /// What has to run meanwhile.
    forward: &'static str,
    /// Any of them.
    of_network: &'static str,
    /// The one with the number `$n`.
    of_node: &'static str,
}

fn reached(target: &Target) -> Reached {
    match target {
        Target::Native => Reached {
            forward: "",
            of_network: "--resolve demo-api.default.svc:8443:$(kubectl get service demo-api -o jsonpath='{.spec.clusterIP}') \
                         https://demo-api.default.svc:8443",
            of_node: "--resolve demo-peer-$n.demo-peers.default.svc:8443:$(kubectl get pod demo-peer-$n -o jsonpath='{.status.podIP}') \
                      https://demo-peer-$n.demo-peers.default.svc:8443",
        },
        Target::Context(_) | Target::Kind => Reached {
            forward: "kubectl port-forward service/demo-api 8440:8443 &\n\
                      for n in 1 2; do kubectl port-forward pod/demo-peer-$n 844$n:8443 & done\n",
            of_network: "--resolve demo-api.default.svc:8440:127.0.0.1 https://demo-api.default.svc:8440",
            of_node: "--resolve demo-peer-$n.demo-peers.default.svc:844$n:127.0.0.1 \
                      https://demo-peer-$n.demo-peers.default.svc:844$n",
        },
    }
}

/// Register of `examples/subscription.yaml`.
fn register() -> Result<String> {
    let file = repository::path("examples/subscription.yaml");
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("registerId:"));
    Ok(line.context("examples/subscription.yaml names no registerId")?.trim().to_owned())
}
