//! The peer node: sockets, clocks, disks, REST, telemetry, configuration
