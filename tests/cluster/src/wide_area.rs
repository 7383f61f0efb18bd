//! A slow and lossy cable between one node and the switch.
//!
//! Where the kernel has `netem`, both ends of the cable get it. Where not, the node's port moves to a bridge of its own,
//! which the `wan` program joins to the switch:
//!
//! ```text
//! node ─ pwr-1 ─ wb1 ─ wn1 ═ wan ═ wa1 ─ br0
//! ```

use std::path::Path;
use std::time::Duration;

use crate::cgroups::Cgroups;
use crate::faults::Impairment;
use crate::layout::{self, BRIDGE, CONTROL_PLANE, SWITCH};
use crate::network::on;
use crate::services::{Inside, Service, words};
use crate::{Binaries, ClusterError, Result, program, progress};

const WAN: &str = "wan";

/// Makes the node's cable as bad as asked, in both directions.
pub(crate) fn impair(
    cgroups: &Cgroups,
    node: &str,
    index: u8,
    impairment: &Impairment,
    binaries: &Binaries,
) -> Result<()> {
    clear(cgroups, node, index)?;
    if netem(impairment, node) { Ok(()) } else { interpose(cgroups, node, index, impairment, binaries) }
}

/// Makes it good again.
pub(crate) fn clear(cgroups: &Cgroups, node: &str, index: u8) -> Result<()> {
    for (namespace, device) in cable(node) {
        program::succeeds("tc", ["-n", namespace, "qdisc", "del", "dev", device, "root"]);
    }
    on(SWITCH, &format!("link set {node} master {BRIDGE}"))?;
    service(&service_name(index)).kill(cgroups, WAN)?;
    program::succeeds("ip", ["-n", SWITCH, "link", "del", &format!("wb{index}")]);
    Ok(())
}

/// Both ends of a node's cable.
fn cable(node: &str) -> [(&str, &str); 2] {
    [(SWITCH, node), (node, "eth0")]
}

/// Whether both ends have it now; no end has it if the kernel lacks it.
fn netem(impairment: &Impairment, node: &str) -> bool {
    let mut words: Vec<String> = ["netem", "limit", "10000", "delay"].map(str::to_owned).to_vec();
    words.push(format!("{}us", impairment.delay.as_micros()));
    if !impairment.jitter.is_zero() {
        words.push(format!("{}us", impairment.jitter.as_micros()));
    }
    words.extend(["loss".to_owned(), format!("{}%", impairment.loss_percent)]);
    if let Some(rate) = impairment.megabits_per_second {
        words.extend(["rate".to_owned(), format!("{rate}mbit")]);
    }
    cable(node).into_iter().all(|(namespace, device)| {
        let start = ["-n", namespace, "qdisc", "replace", "dev", device, "root"].map(str::to_owned);
        program::succeeds("tc", start.iter().chain(&words))
    })
}

fn interpose(cgroups: &Cgroups, node: &str, index: u8, impairment: &Impairment, binaries: &Binaries) -> Result<()> {
    let (inner_bridge, outer, inner) = (format!("wb{index}"), format!("wa{index}"), format!("wn{index}"));
    on(SWITCH, &format!("link add {inner_bridge} type bridge"))?;
    on(SWITCH, &format!("link set {inner_bridge} up"))?;
    let mut arguments = vec![
        format!("--net={}", layout::namespace(SWITCH)),
        binaries.text(WAN),
        format!("-left={outer}"),
        format!("-right={inner}"),
        format!("-delay={}us", impairment.delay.as_micros()),
        format!("-jitter={}us", impairment.jitter.as_micros()),
        format!("-loss={}", f64::from(impairment.loss_percent) / 100.0),
    ];
    arguments.extend(impairment.megabits_per_second.map(|rate| format!("-mbit={rate}")));
    let name = service_name(index);
    // A control plane's process as far as cgroups go, so that freezing the node does not freeze its cable.
    service(&name).start(cgroups, Inside::Network, Path::new("/"), &words("nsenter".to_owned(), arguments))?;
    let limit = Duration::from_secs(5);
    let joined = progress::wait_until(limit, || {
        on(SWITCH, &format!("link set {outer} master {BRIDGE} up")).is_ok()
            && on(SWITCH, &format!("link set {inner} master {inner_bridge} up")).is_ok()
    });
    if !joined {
        return Err(ClusterError::Late {
            what: format!("the slow cable of {node}"),
            seconds: limit.as_secs(),
            hint: format!("its log ends: {}", service(&name).log_end()),
        });
    }
    on(SWITCH, &format!("link set {node} master {inner_bridge}"))
}

fn service_name(index: u8) -> String {
    format!("{WAN}-{index}")
}

fn service(name: &str) -> Service<'_> {
    Service { machine: CONTROL_PLANE, name }
}
