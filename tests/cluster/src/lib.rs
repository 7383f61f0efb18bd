//! A local Kubernetes: control plane and nodes, whole or light, with faults
