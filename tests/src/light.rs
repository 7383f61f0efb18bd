//! A light cluster with both charts installed, shared by the tests of one process that run at the same time.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use anyhow::{Context as _, Result};
use peerwright_cluster::{Binaries, LightCluster, binaries};
use serde_json::json;

use crate::{Helm, Kubectl};

/// Namespace of the operator; pods in it are held to the restricted security standard.
pub const OPERATOR_NAMESPACE: &str = "peerwright-system";

static RUNNING: Mutex<Weak<Light>> = Mutex::new(Weak::new());

/// A light cluster and the programs for it.
#[derive(Debug)]
pub struct Light {
    /// kubectl as its administrator.
    pub kubectl: Kubectl,
    /// helm as its administrator.
    pub helm: Helm,
    /// Ends when dropped.
    pub cluster: LightCluster,
}

/// The shared cluster: one is started if none is there, and the last test that holds it ends it.
///
/// # Errors
/// If the cluster does not start, or a chart does not install.
pub fn light() -> Result<Arc<Light>> {
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(light) = running.upgrade() {
        return Ok(light);
    }
    let light = Arc::new(Light::start()?);
    *running = Arc::downgrade(&light);
    Ok(light)
}

impl Light {
    /// A cluster for one test alone.
    ///
    /// # Errors
    /// As [`light`].
    pub fn start() -> Result<Self> {
        let binaries = Binaries::ensure(binaries::CLIENTS)?;
        let cluster = LightCluster::start().context("the light cluster does not start")?;
        let kubeconfig = cluster.kubeconfig().to_owned();
        let light = Self {
            kubectl: Kubectl::new(binaries.path("kubectl"), kubeconfig.clone()),
            helm: Helm::new(binaries.path("helm"), Some(kubeconfig)),
            cluster,
        };
        light.install()?;
        Ok(light)
    }

    fn install(&self) -> Result<()> {
        let namespace = json!({
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {
                "name": OPERATOR_NAMESPACE,
                "labels": { "pod-security.kubernetes.io/enforce": "restricted" }
            }
        });
        self.kubectl.send(&["create", "-f", "-"], &namespace)?.accepted()?;
        for chart in ["peerwright-crds", "peerwright"] {
            self.helm.run(&["install", chart, chart, "--namespace", OPERATOR_NAMESPACE])?.accepted()?;
        }
        for definition in peerwright_crds::definitions() {
            let name = format!("crd/{}", definition.metadata.name.unwrap_or_default());
            self.kubectl.run(&["wait", "--for=condition=Established", &name, "--timeout=30s"])?.accepted()?;
        }
        Ok(())
    }

    /// Makes a namespace, for the objects of one test.
    ///
    /// # Errors
    /// If it is there already.
    pub fn namespace(&self, name: &str) -> Result<()> {
        self.kubectl.run(&["create", "namespace", name])?.accepted().map(drop)
    }
}
