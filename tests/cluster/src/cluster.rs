//! The whole cluster: started once on a machine, found again by every later process, ended by [`Cluster::down`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use nix::unistd::geteuid;
use serde::{Deserialize, Serialize};

use crate::certificates::{Authority, Subject};
use crate::cgroups::Cgroups;
use crate::images::Archive;
use crate::kubectl::Kubectl;
use crate::layout::{self, CONTROL_PLANE, Machine};
use crate::services::{Inside, Service, words};
use crate::{
    Binaries, ClusterError, Result, addons, binaries, containerd, control_plane, files, images, kernel, network, node,
    packages, progress,
};

/// How a whole cluster is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Number of nodes, 1-200.
    pub nodes: u8,
    /// For how long a node may be silent before it is given up.
    pub node_monitor_grace: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { nodes: 3, node_monitor_grace: Duration::from_secs(12) }
    }
}

/// What later processes need to know, and what [`Cluster::down`] puts back.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    nodes: u8,
    /// Whether the start has come to its end.
    complete: bool,
    made_folders: Vec<PathBuf>,
    kernel_settings: BTreeMap<String, String>,
}

/// What is built before a start.
struct Parts {
    binaries: Binaries,
    images: Vec<Archive>,
}

impl Parts {
    fn ensure() -> Result<Self> {
        Cluster::require()?;
        let binaries = Binaries::ensure(&binaries::whole())?;
        let images = images::base(&binaries)?;
        Ok(Self { binaries, images })
    }
}

/// A running whole cluster.
#[derive(Debug)]
pub struct Cluster {
    nodes: u8,
    cgroups: Cgroups,
    binaries: Binaries,
    kubectl: Kubectl,
}

impl Cluster {
    /// What cannot be built here: root, packages, which are installed, and Go.
    ///
    /// # Errors
    /// One line that says what the machine lacks.
    pub fn require() -> Result<()> {
        if !geteuid().is_root() {
            return Err(ClusterError::Missing(
                "a cluster without Docker needs root (network namespaces, mounts, cgroups): run as root, or start Docker with kind"
                    .to_owned(),
            ));
        }
        packages::ensure()?;
        binaries::require_go()
    }

    /// Installs packages and builds programs and images that are missing, so that [`Cluster::whole`] takes seconds.
    ///
    /// # Errors
    /// One line that says what the machine lacks, or what failed.
    pub fn prepare() -> Result<()> {
        Parts::ensure().map(drop)
    }

    /// Starts a cluster, or finds the one that runs; prepares first.
    ///
    /// # Errors
    /// As [`Cluster::prepare`]; also that a cluster of another size runs, or what failed at the start.
    pub fn whole(options: Options) -> Result<Self> {
        let parts = Parts::ensure()?;
        match Self::attach() {
            Ok(running) if running.nodes == options.nodes => return Ok(running),
            Ok(running) => return Err(ClusterError::OtherSize { running: running.nodes, wanted: options.nodes }),
            Err(_) => {}
        }
        // What an interrupted start or a restart of the machine has left.
        Self::down()?;
        let cgroups = Cgroups::detect()?;
        let started = Self::start(options, cgroups, parts);
        if started.is_err() {
            progress::say(
                "the start failed; what there is of the cluster stays for a look, `cargo xtask down` removes it",
            );
        }
        started
    }

    /// The cluster that runs on this machine.
    ///
    /// # Errors
    /// None runs.
    pub fn attach() -> Result<Self> {
        let state = State::load().filter(|state| state.complete).ok_or(ClusterError::NotRunning)?;
        let binaries = Binaries::ensure(&binaries::whole())?;
        let cluster = Self::assemble(state.nodes, Cgroups::detect()?, binaries);
        if cluster.kubectl.is_ready() { Ok(cluster) } else { Err(ClusterError::NotRunning) }
    }

    /// Ends the cluster and removes everything that it made: processes in its own cgroups, namespaces, routes, files.
    /// Does nothing where there is none.
    ///
    /// # Errors
    /// A process does not end, or a folder cannot be removed.
    pub fn down() -> Result<()> {
        let cgroups = Cgroups::detect()?;
        let machines = cgroups.machines(layout::PREFIX);
        let state = State::load();
        if machines.is_empty() && network::namespaces().is_empty() && !layout::root().exists() {
            return Ok(());
        }
        for machine in &machines {
            cgroups.kill_all(machine)?;
        }
        for machine in &machines {
            cgroups.remove(machine)?;
        }
        network::remove();
        if layout::root().exists() {
            std::fs::remove_dir_all(layout::root()).map_err(ClusterError::file(layout::root()))?;
        }
        if let Some(state) = state {
            kernel::restore(&state.kernel_settings);
            kernel::remove_unused(&state.made_folders);
        }
        progress::say("the cluster is gone");
        Ok(())
    }

    /// Whether there is anything of a cluster on this machine, running or not.
    #[must_use]
    pub fn exists() -> bool {
        layout::root().exists()
    }

    /// Names of the nodes.
    #[must_use]
    pub fn nodes(&self) -> Vec<String> {
        (1..=self.nodes).map(|index| layout::node(index).name).collect()
    }

    /// The administrator's kubeconfig.
    #[must_use]
    pub fn kubeconfig(&self) -> &Path {
        self.kubectl.kubeconfig()
    }

    /// The API server's audit log: one JSON document a line, of every write.
    #[must_use]
    pub fn audit_log(&self) -> PathBuf {
        layout::audit_log()
    }

    /// The folder with kubectl, helm and grpcurl.
    #[must_use]
    pub fn programs(&self) -> &Path {
        self.binaries.folder()
    }

    /// Runs kubectl; gives what it printed.
    ///
    /// # Errors
    /// What kubectl complained about.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.kubectl.run(arguments, None)
    }

    /// Runs kubectl with something to read.
    ///
    /// # Errors
    /// What kubectl complained about.
    pub fn kubectl_with_input(&self, arguments: &[&str], input: &str) -> Result<String> {
        self.kubectl.run(arguments, Some(input))
    }

    /// Runs kubectl with `-o json`.
    ///
    /// # Errors
    /// What kubectl complained about.
    pub fn kubectl_json(&self, arguments: &[&str]) -> Result<serde_json::Value> {
        self.kubectl.json(arguments)
    }

    /// Brings an image to every node that does not have just this one; whether any lacked it.
    ///
    /// # Errors
    /// What the import said.
    pub fn load_image(&self, archive: &Archive) -> Result<bool> {
        let loaded = on_each(&self.machines(), |machine| containerd::import(&machine.name, archive))?;
        Ok(loaded.contains(&true))
    }

    pub(crate) fn cgroups(&self) -> &Cgroups {
        &self.cgroups
    }

    pub(crate) fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// Number of a node by name.
    pub(crate) fn index(&self, node: &str) -> Result<u8> {
        (1..=self.nodes)
            .find(|index| layout::node(*index).name == node)
            .ok_or_else(|| ClusterError::Unknown(format!("no node `{node}`; there are {}", self.nodes().join(", "))))
    }

    fn assemble(nodes: u8, cgroups: Cgroups, binaries: Binaries) -> Self {
        let kubectl = Kubectl::new(binaries.path("kubectl"), layout::kubeconfig());
        Self { nodes, cgroups, binaries, kubectl }
    }

    fn machines(&self) -> Vec<Machine> {
        (1..=self.nodes).map(layout::node).collect()
    }

    fn start(options: Options, cgroups: Cgroups, parts: Parts) -> Result<Self> {
        progress::say(format!("starting Kubernetes with {} nodes", options.nodes));
        kernel::load_modules();
        let kernel_settings = kernel::settings();
        let made_folders = kernel::make_expected_folders()?;
        let mut state = State { nodes: options.nodes, complete: false, made_folders, kernel_settings };
        state.save()?;
        let cluster = Self::assemble(options.nodes, cgroups, parts.binaries);
        let mut machines = cluster.machines();
        machines.insert(0, layout::control_plane());
        for machine in &machines {
            cluster.cgroups.make(&machine.name)?;
        }
        network::create(&machines)?;
        cluster.start_control_plane_and_nodes(options, &parts.images)?;
        addons::wait(&cluster.kubectl)?;
        progress::say("DNS and volumes ready");
        state.complete = true;
        state.save()?;
        Ok(cluster)
    }

    fn start_control_plane_and_nodes(&self, options: Options, images: &[Archive]) -> Result<()> {
        let plan = control_plane::whole(options.node_monitor_grace);
        let authority = plan.prepare()?;
        self.start_control(control_plane::ETCD, plan.etcd())?;
        self.start_control(control_plane::API_SERVER, plan.api_server("0.0.0.0"))?;
        let machines = self.machines();
        for machine in &machines {
            issue_for_node(&authority, machine, &plan.server())?;
        }
        issue_for_proxy(&authority, &layout::control_plane(), &plan.server())?;
        let (first, later) = images.split_at_checked(2).unwrap_or((images, &[]));
        on_each(&machines, |machine| {
            node::configure_kubelet(machine)?;
            node::start_runtime(&self.cgroups, machine, &self.binaries)?;
            // Sandbox and volume helper; the rest is imported while kubelet starts.
            first.iter().try_for_each(|image| containerd::import(&machine.name, image).map(drop))
        })?;
        progress::say("containerd runs on every node");
        let limit = Duration::from_secs(60);
        if !self.kubectl.wait_until_ready(limit) {
            let service = Service { machine: CONTROL_PLANE, name: control_plane::API_SERVER };
            return Err(ClusterError::Late {
                what: "the start of the API server".to_owned(),
                seconds: limit.as_secs(),
                hint: format!("its log ends: {}", service.log_end()),
            });
        }
        progress::say("the API server is ready");
        self.start_control(control_plane::CONTROLLER_MANAGER, plan.controller_manager(10257))?;
        self.start_control(control_plane::SCHEDULER, plan.scheduler())?;
        node::start_proxy(&self.cgroups, &layout::control_plane(), Inside::Network, &self.binaries)?;
        on_each(&machines, |machine| {
            node::start_kubelet(&self.cgroups, machine, &self.binaries)?;
            node::start_proxy(&self.cgroups, machine, Inside::Node, &self.binaries)?;
            later.iter().try_for_each(|image| containerd::import(&machine.name, image).map(drop))
        })?;
        addons::apply(&self.kubectl)?;
        self.wait_for_nodes()
    }

    fn start_control(&self, program: &str, arguments: Vec<String>) -> Result<()> {
        let service = Service { machine: CONTROL_PLANE, name: program };
        service.start(
            &self.cgroups,
            Inside::Network,
            self.binaries.folder(),
            &words(self.binaries.text(program), arguments),
        )
    }

    fn wait_for_nodes(&self) -> Result<()> {
        let names: Vec<String> = self.nodes().iter().map(|name| format!("node/{name}")).collect();
        for name in &names {
            let limit = Duration::from_secs(60);
            if !progress::wait_until(limit, || self.kubectl(&["get", name]).is_ok()) {
                return Err(ClusterError::Late {
                    what: format!("the registration of {name}"),
                    seconds: limit.as_secs(),
                    hint: format!("see the logs in {}/log", layout::ROOT),
                });
            }
        }
        let mut wait = vec!["wait", "--for=condition=Ready", "--timeout=90s"];
        wait.extend(names.iter().map(String::as_str));
        self.kubectl(&wait)?;
        progress::say(format!("{} nodes Ready", names.len()));
        Ok(())
    }
}

impl State {
    fn load() -> Option<Self> {
        serde_json::from_str(&files::read_if_present(&layout::state())?).ok()
    }

    fn save(&self) -> Result<()> {
        let what = "the cluster's state".to_owned();
        let text = serde_json::to_string_pretty(self).map_err(|source| ClusterError::Document { what, source })?;
        files::write(&layout::state(), text)
    }
}

fn issue_for_node(authority: &Authority, machine: &Machine, server: &str) -> Result<()> {
    let name = format!("system:node:{}", machine.name);
    let serves = vec![machine.name.clone(), machine.address.clone()];
    let subject = Subject { name: &name, group: Some("system:nodes"), serves };
    authority.issue_with_kubeconfig(
        &format!("kubelet-{}", machine.name),
        &subject,
        server,
        &layout::configuration(),
    )?;
    issue_for_proxy(authority, machine, server)
}

fn issue_for_proxy(authority: &Authority, machine: &Machine, server: &str) -> Result<()> {
    let subject = Subject { name: "system:kube-proxy", ..Subject::default() };
    authority.issue_with_kubeconfig(&format!("proxy-{}", machine.name), &subject, server, &layout::configuration())
}

/// Does the same on every machine at once.
fn on_each<T: Send>(machines: &[Machine], work: impl Fn(&Machine) -> Result<T> + Sync) -> Result<Vec<T>> {
    let work = &work;
    thread::scope(|scope| {
        let running: Vec<_> = machines.iter().map(|machine| scope.spawn(move || work(machine))).collect();
        running
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
