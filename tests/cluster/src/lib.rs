//! A real Kubernetes on one Linux machine, without Docker, for `cargo xtask up` and for the tests.
//!
//! ```text
//!  root namespace                pwr-br: the switch (a bridge in a network namespace of its own)
//!  kubectl, tests, curl ─ pwr-host ─┬─ pwr-cp   etcd, API server, controller-manager, scheduler, kube-proxy
//!                                   ├─ pwr-1    containerd, kubelet, kube-proxy, pods
//!                                   ├─ pwr-2    …
//!                                   └─ pwr-3    …
//! ```
//!
//! Two shapes: [`Cluster`] is whole (real nodes, real pods, one at a time on a machine, as root) and outlives the process
//! that made it; [`LightCluster`] is etcd, API server and controller-manager on loopback, needs no root, runs as often at
//! once as one likes, and ends when dropped. Faults are methods of [`Cluster`].
//!
//! Upstream programs are built once from `go/` into [`binaries::cache`]; everything that `Cluster` makes lives under
//! [`layout::ROOT`], in cgroups and network namespaces named `pwr-*`. [`Cluster::down`] removes exactly that, and
//! [`Cluster::remains`] lists what there is of it.

mod addons;
pub mod binaries;
mod certificates;
mod cgroups;
mod cluster;
mod containerd;
mod control_plane;
mod error;
mod faults;
mod files;
pub mod images;
mod kernel;
mod kubectl;
pub mod layout;
mod light;
mod network;
mod node;
pub mod packages;
mod program;
pub mod progress;
mod remains;
mod services;
mod wide_area;

pub use binaries::Binaries;
pub use cluster::{Cluster, Options};
pub use error::{ClusterError, Result};
pub use faults::{Agent, Impairment};
pub use light::LightCluster;
