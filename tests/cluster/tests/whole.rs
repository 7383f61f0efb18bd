//! The faults do what they say, seen from real pods. Runs on the whole cluster that is up (`cargo xtask test --only whole`).

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use peerwright_cluster::{Agent, Cluster, Impairment, Result};

/// A fault would disturb the other tests.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// One web server on every node.
const SERVERS: &str = r#"
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: server}
spec:
  selector: {matchLabels: {app: server}}
  template:
    metadata: {labels: {app: server}}
    spec:
      terminationGracePeriodSeconds: 0
      tolerations: [{operator: Exists}]
      containers:
      - name: server
        image: docker.io/peerwright/busybox:dev
        imagePullPolicy: Never
        command: [/bin/busybox, httpd, -f, -p, "80", -h, /bin]
"#;

struct Servers {
    cluster: Cluster,
    namespace: String,
    _turn: MutexGuard<'static, ()>,
}

struct Server {
    node: String,
    pod: String,
    address: String,
}

impl Servers {
    /// `test` names the namespace, which goes with the test.
    fn start(test: &str) -> Self {
        let turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
        let cluster = Cluster::attach().unwrap();
        let namespace = format!("faults-{test}");
        cluster.kubectl(&["create", "namespace", &namespace]).unwrap();
        let servers = Self { cluster, namespace, _turn: turn };
        servers.cluster.kubectl_with_input(&["-n", &servers.namespace, "apply", "-f", "-"], SERVERS).unwrap();
        servers.kubectl(&["rollout", "status", "daemonset/server", "--timeout=60s"]).unwrap();
        servers
    }

    fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.cluster.kubectl(&[&["-n", &self.namespace], arguments].concat())
    }

    fn on(&self, node: &str) -> Server {
        let pods = self.cluster.kubectl_json(&["-n", &self.namespace, "get", "pods", "-l", "app=server"]).unwrap();
        let text =
            |pod: &serde_json::Value, path| pod.pointer(path).and_then(|value| value.as_str()).unwrap().to_owned();
        let pods = pods["items"].as_array().unwrap();
        let pod = pods.iter().find(|pod| text(pod, "/spec/nodeName") == node).unwrap();
        Server { node: node.to_owned(), pod: text(pod, "/metadata/name"), address: text(pod, "/status/podIP") }
    }

    fn reaches(&self, from: &Server, to: &Server) -> bool {
        self.fetch(from, to).is_ok()
    }

    fn fetch(&self, from: &Server, to: &Server) -> Result<String> {
        let url = format!("http://{}/busybox", to.address);
        self.cluster.run_on(&from.node, &["curl", "-sS", "--max-time", "2", "-o", "/dev/null", &url])
    }

    fn restarts(&self, server: &Server) -> u64 {
        let pod = self.cluster.kubectl_json(&["-n", &self.namespace, "get", "pod", &server.pod]).unwrap();
        pod.pointer("/status/containerStatuses/0/restartCount").and_then(serde_json::Value::as_u64).unwrap()
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        let deleted = self.cluster.kubectl(&["delete", "namespace", &self.namespace, "--wait=false"]);
        assert!(deleted.is_ok() || std::thread::panicking(), "{deleted:?}");
    }
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < until, "{what} did not happen within 60 s");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_cut_machine_is_alone_until_it_is_healed() {
    let servers = Servers::start("cut");
    let (one, two) = (servers.on("pwr-1"), servers.on("pwr-2"));
    assert!(servers.reaches(&one, &two));

    servers.cluster.cut("pwr-2").unwrap();
    let (out, inward, own) = (servers.reaches(&two, &one), servers.reaches(&one, &two), servers.reaches(&two, &two));
    servers.cluster.heal("pwr-2").unwrap();

    assert!(!out && !inward, "still reached across the cut");
    assert!(own, "a cut machine still reaches its own pods");
    eventually("healing", || servers.reaches(&one, &two) && servers.reaches(&two, &one));
}

#[test]
fn one_pair_and_one_direction_can_be_cut() {
    let servers = Servers::start("pair");
    let (one, two, three) = (servers.on("pwr-1"), servers.on("pwr-2"), servers.on("pwr-3"));

    servers.cluster.lose("pwr-1", "pwr-2", 100).unwrap();
    let (cut, other) = (servers.reaches(&one, &two), servers.reaches(&one, &three));
    servers.cluster.clear_losses();

    assert!(!cut, "still reached");
    assert!(other, "another pair was cut");
    eventually("the end of the loss", || servers.reaches(&one, &two));
}

#[test]
fn a_slow_cable_delays_and_is_made_good_again() {
    let servers = Servers::start("slow");
    let (one, two) = (servers.on("pwr-1"), servers.on("pwr-2"));
    let connect_time = |from: &Server, to: &Server| {
        let url = format!("http://{}/busybox", to.address);
        let words = ["curl", "-sS", "--max-time", "5", "-o", "/dev/null", "-w", "%{time_connect}", &url];
        servers.cluster.run_on(&from.node, &words).unwrap().parse::<f64>().unwrap()
    };
    connect_time(&one, &two);

    let slow = Impairment { delay: Duration::from_millis(40), ..Impairment::default() };
    servers.cluster.delay_and_loss("pwr-2", &slow).unwrap();
    let slowed = connect_time(&one, &two);
    servers.cluster.clear_delay_and_loss("pwr-2").unwrap();
    let cleared = connect_time(&one, &two);

    assert!((0.08..0.2).contains(&slowed), "connect took {slowed} s over a round trip of 80 ms");
    assert!(cleared < 0.04, "connect took {cleared} s over a good cable");
}

#[test]
fn a_frozen_pod_says_nothing_and_goes_on_where_it_was() {
    let servers = Servers::start("frozen-pod");
    let (one, two) = (servers.on("pwr-1"), servers.on("pwr-2"));
    let before = servers.restarts(&two);

    servers.cluster.freeze_pod(&servers.namespace, &two.pod).unwrap();
    let frozen = servers.reaches(&one, &two);
    servers.cluster.thaw_pod(&servers.namespace, &two.pod).unwrap();

    assert!(!frozen, "a frozen pod answered");
    assert!(servers.reaches(&one, &two));
    assert_eq!(servers.restarts(&two), before);
}

#[test]
fn a_frozen_machine_is_given_up_and_comes_back() {
    let servers = Servers::start("frozen-machine");
    let ready = |wanted: &str| {
        let path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
        servers.cluster.kubectl(&["get", "node", "pwr-3", "-o", path]).unwrap() == wanted
    };

    servers.cluster.freeze("pwr-3").unwrap();
    let began = Instant::now();
    let given_up = loop {
        if ready("Unknown") || began.elapsed() > Duration::from_secs(60) {
            break began.elapsed();
        }
        std::thread::sleep(Duration::from_millis(200));
    };
    servers.cluster.thaw("pwr-3").unwrap();

    assert!(given_up < Duration::from_secs(40), "given up after {given_up:?}");
    eventually("the machine's return", || ready("True"));
}

#[test]
fn a_killed_process_is_started_again_in_the_same_pod() {
    let servers = Servers::start("killed");
    let one = servers.on("pwr-1");
    let before = servers.restarts(&one);
    let (first, name) = servers.cluster.pod_processes(&servers.namespace, &one.pod).unwrap().remove(0);
    assert_eq!(name, "busybox");

    servers.cluster.kill_pod(&servers.namespace, &one.pod).unwrap();

    eventually("the restart", || servers.restarts(&one) == before + 1);
    eventually("another process", || {
        servers
            .cluster
            .pod_processes(&servers.namespace, &one.pod)
            .is_ok_and(|found| found.iter().all(|(pid, _)| *pid != first))
    });
}

#[test]
fn pods_outlive_their_agents() {
    let servers = Servers::start("agents");
    let (one, two) = (servers.on("pwr-1"), servers.on("pwr-2"));
    let before = servers.restarts(&two);

    servers.cluster.kill_agent("pwr-2", Agent::Kubelet).unwrap();
    servers.cluster.kill_agent("pwr-2", Agent::Containerd).unwrap();
    let alone = servers.reaches(&one, &two);
    servers.cluster.start_agent("pwr-2", Agent::Containerd).unwrap();
    servers.cluster.start_agent("pwr-2", Agent::Kubelet).unwrap();

    assert!(alone, "the pod ended with its agents");
    eventually("kubelet's return", || servers.kubectl(&["exec", &two.pod, "--", "/bin/busybox", "true"]).is_ok());
    assert_eq!(servers.restarts(&two), before);
}

#[test]
fn an_unknown_node_is_refused_with_the_names_that_there_are() {
    let servers = Servers::start("unknown");
    let refusal = servers.cluster.cut("pwr-9").unwrap_err().to_string();
    assert_eq!(refusal, "no node `pwr-9`; there are pwr-1, pwr-2, pwr-3");
}

#[test]
fn all_that_a_running_cluster_is_made_of_is_found() {
    Cluster::attach().unwrap();
    let found = Cluster::remains().unwrap();
    for part in [
        "cgroup pwr-1",
        "mount /run/netns/pwr-cp",
        "network namespace pwr-br",
        "link pwr-host",
        "route unreachable 10.98.0.0/16",
        "folder /var/lib/peerwright",
    ] {
        assert!(found.iter().any(|one| one.starts_with(part)), "{part} is not in {found:?}");
    }
    for program in ["etcd", "containerd", "kubelet"] {
        let is_it = |one: &String| one.starts_with("process ") && one.ends_with(&format!(" {program}"));
        assert!(found.iter().any(is_it), "no process {program} in {found:?}");
    }
}
