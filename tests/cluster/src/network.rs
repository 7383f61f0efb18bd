//! The cluster's network: a switch in a namespace of its own, one namespace per machine, and one port for the root
//! namespace, from which API server, pods and ClusterIPs are then reached directly.

use crate::layout::{self, BRIDGE, HOST_PORT, Machine, SWITCH};
use crate::{Result, program};

/// A packet for the cluster must not leave by the default route while parts of the cluster are down.
const LAST_RESORT_METRIC: &str = "4000000000";

/// Makes the network.
pub(crate) fn create(machines: &[Machine]) -> Result<()> {
    ip(&format!("netns add {SWITCH}"))?;
    on(SWITCH, "link set lo up")?;
    set_in(SWITCH, &[("net/bridge/bridge-nf-call-iptables", "0"), ("net/ipv4/ip_forward", "0")])?;
    on(SWITCH, &format!("link add {BRIDGE} type bridge"))?;
    on(SWITCH, &format!("addr add {}/24 dev {BRIDGE}", layout::SWITCH_ADDRESS))?;
    on(SWITCH, &format!("link set {BRIDGE} up"))?;
    for machine in machines {
        connect(machine, machines)?;
    }
    for range in ranges() {
        ip(&format!("route replace unreachable {range} metric {LAST_RESORT_METRIC}"))?;
    }
    ip(&format!("link add {HOST_PORT} type veth peer name host netns {SWITCH}"))?;
    on(SWITCH, &format!("link set host master {BRIDGE} up"))?;
    ip(&format!("addr add {}/24 dev {HOST_PORT}", layout::HOST_ADDRESS))?;
    ip(&format!("link set {HOST_PORT} up"))?;
    ip(&format!("route add {} via {}", layout::SERVICE_RANGE, layout::CONTROL_PLANE_ADDRESS))?;
    for machine in machines {
        if let Some(pods) = &machine.pods {
            ip(&format!("route add {pods} via {}", machine.address))?;
        }
    }
    Ok(())
}

/// Removes what [`create`] made, as much of it as there is.
pub(crate) fn remove() {
    let attempt = |words: String| program::succeeds("ip", words.split(' '));
    attempt(format!("link del {HOST_PORT}"));
    for name in namespaces() {
        attempt(format!("netns del {name}"));
    }
    for range in ranges() {
        attempt(format!("route del unreachable {range} metric {LAST_RESORT_METRIC}"));
    }
}

/// Our network namespaces that exist.
pub(crate) fn namespaces() -> Vec<String> {
    let entries = std::fs::read_dir(layout::namespace("")).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(layout::PREFIX))
        .collect()
}

/// Our links in the root namespace that exist.
pub(crate) fn links() -> Vec<String> {
    let entries = std::fs::read_dir("/sys/class/net").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.starts_with(layout::PREFIX))
        .collect()
}

/// Our routes in the root namespace that exist, as `ip` writes them.
pub(crate) fn routes() -> Result<Vec<String>> {
    Ok(of_ours(&program::run("ip", ["-4", "route", "show"])?))
}

/// The routes that lead to our port, or that [`create`] gave the metric of last resort.
fn of_ours(routes: &str) -> Vec<String> {
    let has = |route: &str, key: &str, value: &str| {
        let words: Vec<&str> = route.split_whitespace().collect();
        words.windows(2).any(|pair| pair == [key, value])
    };
    let is_ours = |route: &&str| has(route, "dev", HOST_PORT) || has(route, "metric", LAST_RESORT_METRIC);
    routes.lines().map(str::trim).filter(is_ours).map(str::to_owned).collect()
}

/// `ip` in a machine's namespace.
pub(crate) fn on(namespace: &str, words: &str) -> Result<()> {
    ip(&format!("-n {namespace} {words}"))
}

fn ip(words: &str) -> Result<()> {
    program::run("ip", words.split(' ')).map(drop)
}

fn ranges() -> [&'static str; 3] {
    [layout::NODE_RANGE, layout::SERVICE_RANGE, layout::POD_RANGE]
}

fn connect(machine: &Machine, machines: &[Machine]) -> Result<()> {
    let name = &machine.name;
    ip(&format!("netns add {name}"))?;
    on(name, "link set lo up")?;
    on(name, &format!("link add eth0 type veth peer name {name} netns {SWITCH}"))?;
    on(SWITCH, &format!("link set {name} master {BRIDGE} up"))?;
    on(name, &format!("addr add {}/24 dev eth0", machine.address))?;
    on(name, "link set eth0 up")?;
    // Leads nowhere, but node-local traffic to a ClusterIP is routed before its destination is rewritten.
    on(name, &format!("route add default via {}", layout::SWITCH_ADDRESS))?;
    set_in(name, &[("net/ipv4/ip_forward", "1"), ("net/bridge/bridge-nf-call-iptables", "1")])?;
    for other in machines.iter().filter(|other| other.name != machine.name) {
        if let Some(pods) = &other.pods {
            on(name, &format!("route add {pods} via {}", other.address))?;
        }
    }
    Ok(())
}

/// Kernel settings of a network namespace. `nsenter`, never `ip netns exec`: that one mounts another /sys.
fn set_in(namespace: &str, settings: &[(&str, &str)]) -> Result<()> {
    for (name, value) in settings {
        let enter = format!("--net={}", layout::namespace(namespace));
        let set = format!("echo {value} > /proc/sys/{name}");
        program::run("nsenter", [enter.as_str(), "sh", "-c", &set])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes_of_ours_are_told_from_those_of_the_machine() {
        let routes = "default via 172.16.0.1 dev eth0 \n\
                      10.98.0.0/16 via 10.251.0.10 dev pwr-host \n\
                      unreachable 10.98.0.0/16 metric 4000000000 \n\
                      10.246.1.0/24 via 10.251.0.11 dev pwr-host-2 \n\
                      unreachable 10.0.0.0/8 metric 4000 \n\
                      10.251.0.0/24 dev pwr-host proto kernel scope link src 10.251.0.2 \n";
        let ours = [
            "10.98.0.0/16 via 10.251.0.10 dev pwr-host",
            "unreachable 10.98.0.0/16 metric 4000000000",
            "10.251.0.0/24 dev pwr-host proto kernel scope link src 10.251.0.2",
        ];
        assert_eq!(of_ours(routes), ours);
    }
}
