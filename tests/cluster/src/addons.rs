//! What runs in every whole cluster: CoreDNS and the local-path volume provisioner.

use crate::kubectl::Kubectl;
use crate::services::text;
use crate::{Result, layout};

const MANIFEST: &str = include_str!("addons.yaml");

/// Applies the addons.
pub(crate) fn apply(kubectl: &Kubectl) -> Result<()> {
    let manifest =
        MANIFEST.replace("${DNS_ADDRESS}", layout::DNS_ADDRESS).replace("${VOLUMES}", &text(&layout::volumes()));
    kubectl.run(&["apply", "-f", "-"], Some(&manifest)).map(drop)
}

/// Waits until they are available.
pub(crate) fn wait(kubectl: &Kubectl) -> Result<()> {
    for (namespace, deployment) in
        [("kube-system", "deployment/coredns"), ("local-path-storage", "deployment/local-path-provisioner")]
    {
        kubectl.run(&["--namespace", namespace, "rollout", "status", deployment, "--timeout=120s"], None)?;
    }
    Ok(())
}
