//! Faults: what tests do to a running cluster, and how it is undone.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::cgroups::{self, Process};
use crate::layout::{self, SWITCH};
use crate::network::on;
use crate::services::{self, Inside, Service};
use crate::{Cluster, ClusterError, Result, containerd, node, program, wide_area};

/// Name of the table that holds the rules of [`Cluster::lose`].
const LOSSES: &str = "peerwright";

/// A program that makes a machine a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Agent {
    /// kubelet.
    Kubelet,
    /// containerd; its pods run on without it.
    Containerd,
}

impl Agent {
    fn name(self) -> &'static str {
        match self {
            Self::Kubelet => node::KUBELET,
            Self::Containerd => containerd::NAME,
        }
    }
}

/// How bad a node's cable is, in each direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Impairment {
    /// Added one-way delay.
    pub delay: Duration,
    /// Uniform, plus or minus.
    pub jitter: Duration,
    /// Part of the packets that are lost, 0-100.
    pub loss_percent: u8,
    /// Rate limit; none if absent.
    pub megabits_per_second: Option<u32>,
}

impl Cluster {
    /// Pulls a machine's cable. It keeps its addresses, and its own pods still reach each other.
    ///
    /// # Errors
    /// There is no such node.
    pub fn cut(&self, node: &str) -> Result<()> {
        self.index(node)?;
        // The switch's end: taking the machine's own end down would drop its routes.
        on(SWITCH, &format!("link set {node} down"))
    }

    /// Plugs it in again.
    ///
    /// # Errors
    /// There is no such node.
    pub fn heal(&self, node: &str) -> Result<()> {
        self.index(node)?;
        on(SWITCH, &format!("link set {node} up"))
    }

    /// Stops every process of a machine, pods included, as if it were paused.
    ///
    /// # Errors
    /// There is no such node.
    pub fn freeze(&self, node: &str) -> Result<()> {
        self.index(node)?;
        self.cgroups().set_frozen(&self.cgroups().tree(node), true)
    }

    /// Lets them go on.
    ///
    /// # Errors
    /// There is no such node.
    pub fn thaw(&self, node: &str) -> Result<()> {
        self.index(node)?;
        self.cgroups().set_frozen(&self.cgroups().tree(node), false)
    }

    /// Stops every process of one pod.
    ///
    /// # Errors
    /// There is no such running pod.
    pub fn freeze_pod(&self, namespace: &str, pod: &str) -> Result<()> {
        self.cgroups().set_frozen(&self.running_pod(namespace, pod)?.cgroup, true)
    }

    /// Lets them go on.
    ///
    /// # Errors
    /// There is no such running pod.
    pub fn thaw_pod(&self, namespace: &str, pod: &str) -> Result<()> {
        self.cgroups().set_frozen(&self.running_pod(namespace, pod)?.cgroup, false)
    }

    /// Ends the processes of a pod's containers with SIGKILL, as a crash would; kubelet starts the containers again.
    ///
    /// # Errors
    /// There is no such running pod.
    pub fn kill_pod(&self, namespace: &str, pod: &str) -> Result<()> {
        for process in self.pod_processes(namespace, pod)? {
            cgroups::signal(process.0, Signal::SIGKILL);
        }
        Ok(())
    }

    /// Process ids and names of a pod's containers, without its sandbox.
    ///
    /// # Errors
    /// There is no such running pod.
    pub fn pod_processes(&self, namespace: &str, pod: &str) -> Result<Vec<(i32, String)>> {
        let running = self.running_pod(namespace, pod)?;
        let of_container = |id: &String| cgroups::processes(&running.cgroup.join(id));
        let found: Vec<Process> = running.containers.iter().flat_map(of_container).collect();
        if found.is_empty() {
            return Err(ClusterError::Unknown(format!("no process of pod {namespace}/{pod} is running")));
        }
        Ok(found.into_iter().map(|process| (process.pid, process.name)).collect())
    }

    /// Makes a node's cable slow and lossy.
    ///
    /// # Errors
    /// There is no such node.
    pub fn delay_and_loss(&self, node: &str, impairment: &Impairment) -> Result<()> {
        wide_area::impair(self.cgroups(), node, self.index(node)?, impairment, self.binaries())
    }

    /// Makes a node's cable good again.
    ///
    /// # Errors
    /// There is no such node.
    pub fn clear_delay_and_loss(&self, node: &str) -> Result<()> {
        wide_area::clear(self.cgroups(), node, self.index(node)?)
    }

    /// Loses this part of the packets (0-100) that one node sends to another; 100 cuts this one way.
    ///
    /// # Errors
    /// There are no such nodes.
    pub fn lose(&self, from: &str, to: &str, percent: u8) -> Result<()> {
        let (from_index, to_index) = (self.index(from)?, self.index(to)?);
        let chance = if percent >= 100 { String::new() } else { format!("numgen random mod 100 < {percent} ") };
        // A node with a slow cable has another port on the switch.
        let rules = format!(
            "add table bridge {LOSSES}
add chain bridge {LOSSES} pairs {{ type filter hook forward priority 0; }}
add rule bridge {LOSSES} pairs iifname {{ {from}, wa{from_index} }} oifname {{ {to}, wa{to_index} }} {chance}drop
"
        );
        let enter = format!("--net={}", layout::namespace(SWITCH));
        program::finish(program::command("nsenter", [enter.as_str(), "nft", "-f", "-"]), Some(&rules)).map(drop)
    }

    /// Cuts two nodes off from each other, both ways; others still reach both.
    ///
    /// # Errors
    /// There are no such nodes.
    pub fn part(&self, one: &str, other: &str) -> Result<()> {
        self.lose(one, other, 100)?;
        self.lose(other, one, 100)
    }

    /// Ends every loss between pairs of nodes.
    pub fn clear_losses(&self) {
        let enter = format!("--net={}", layout::namespace(SWITCH));
        program::succeeds("nsenter", [enter.as_str(), "nft", "delete", "table", "bridge", LOSSES]);
    }

    /// Kills a node's agent with SIGKILL.
    ///
    /// # Errors
    /// There is no such node, or the agent does not end.
    pub fn kill_agent(&self, node: &str, agent: Agent) -> Result<()> {
        self.index(node)?;
        Service { machine: node, name: agent.name() }.kill(self.cgroups(), agent.name())
    }

    /// Starts a node's agent again.
    ///
    /// # Errors
    /// There is no such node, or the agent does not start.
    pub fn start_agent(&self, node: &str, agent: Agent) -> Result<()> {
        let machine = layout::node(self.index(node)?);
        if (Service { machine: node, name: agent.name() }).process(self.cgroups(), agent.name()).is_some() {
            return Ok(());
        }
        match agent {
            Agent::Kubelet => node::start_kubelet(self.cgroups(), &machine, self.binaries()),
            Agent::Containerd => containerd::start(self.cgroups(), node, self.binaries().folder()),
        }
    }

    /// Runs a program on a machine, in its network and with its files; gives what it printed. Reaches the machine's pods
    /// also while it is cut off.
    ///
    /// # Errors
    /// There is no such node, or the program ends badly.
    pub fn run_on(&self, node: &str, words: &[&str]) -> Result<String> {
        self.index(node)?;
        let mut arguments = services::namespaces(self.cgroups(), node, Inside::Node)?;
        arguments.extend(words.iter().map(|word| (*word).to_owned()));
        program::run("nsenter", arguments)
    }

    fn running_pod(&self, namespace: &str, pod: &str) -> Result<RunningPod> {
        let object = self.kubectl_json(&["--namespace", namespace, "get", "pod", pod])?;
        let unknown = || ClusterError::Unknown(format!("pod {namespace}/{pod} is not running"));
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).ok_or_else(unknown);
        let (node, uid) = (text("/spec/nodeName")?, text("/metadata/uid")?);
        let cgroup = self.cgroups().pod(node, uid).ok_or_else(unknown)?;
        let statuses = object.pointer("/status/containerStatuses").and_then(Value::as_array).ok_or_else(unknown)?;
        let containers = statuses
            .iter()
            .filter_map(|status| status.get("containerID")?.as_str()?.split_once("://"))
            .map(|(_, id)| id.to_owned())
            .collect();
        Ok(RunningPod { cgroup, containers })
    }
}

struct RunningPod {
    cgroup: std::path::PathBuf,
    /// Container ids; each is a cgroup below the pod's.
    containers: Vec<String>,
}
