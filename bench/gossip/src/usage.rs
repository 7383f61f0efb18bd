//! What the process and its network namespace have used.

use anyhow::{Context as _, Result};
use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};
use std::{fs, time::Duration};

/// IP and TCP headers of a segment on loopback, with timestamps.
const HEADER_BYTES: u64 = 20 + 20 + 12;

/// Used up to now.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Usage {
    /// Seconds of all cores together.
    pub(crate) cpu_seconds: f64,
    /// What was sent, with headers and acknowledgements.
    pub(crate) ip_bytes: u64,
    /// What was sent in TCP streams: TLS records.
    pub(crate) stream_bytes: u64,
}

impl Usage {
    pub(crate) fn now() -> Result<Self> {
        let used = getrusage(UsageWho::RUSAGE_SELF)?;
        let seconds = |time: nix::sys::time::TimeVal| {
            Duration::new(time.tv_sec().unsigned_abs(), u32::try_from(time.tv_usec()).unwrap_or(0) * 1_000)
                .as_secs_f64()
        };
        let ip_bytes = counter("/proc/self/net/netstat", "IpExt", "OutOctets")?;
        let segments = counter("/proc/self/net/snmp", "Tcp", "OutSegs")?;
        Ok(Self {
            cpu_seconds: seconds(used.user_time()) + seconds(used.system_time()),
            ip_bytes,
            stream_bytes: ip_bytes.saturating_sub(segments.saturating_mul(HEADER_BYTES)),
        })
    }

    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            cpu_seconds: self.cpu_seconds - before.cpu_seconds,
            ip_bytes: self.ip_bytes.saturating_sub(before.ip_bytes),
            stream_bytes: self.stream_bytes.saturating_sub(before.stream_bytes),
        }
    }
}

/// The most memory that was resident so far, MiB.
pub(crate) fn peak_memory() -> u64 {
    getrusage(UsageWho::RUSAGE_SELF).map_or(0, |used| used.max_rss().unsigned_abs() / 1_024)
}

fn counter(path: &str, table: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(path).with_context(|| format!("{path} cannot be read"))?;
    find(&text, table, name).with_context(|| format!("{path} has no {table} {name}"))
}

/// A table is two lines: names, and below them values.
fn find(text: &str, table: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(table)?.strip_prefix(':'));
    let (names, values) = (lines.next()?, lines.next()?);
    let column = names.split_whitespace().position(|column| column == name)?;
    values.split_whitespace().nth(column)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_counter_is_found_by_its_table_and_name() {
        let text = "TcpExt: OutOctets B\nTcpExt: 1 2\nIpExt: A OutOctets\nIpExt: 3 4\n";
        assert_eq!([find(text, "IpExt", "OutOctets"), find(text, "TcpExt", "B")], [Some(4), Some(2)]);
        assert_eq!([find(text, "IpExt", "C"), find(text, "Udp", "A")], [None, None]);
    }
}
