//! A host and a port.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// A host, by name or IP address, and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// A DNS name or an IP address.
    pub host: String,
    /// From 1.
    pub port: u16,
}

/// Text that is not `HOST:PORT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not HOST:PORT")]
pub struct NotAnEndpoint;

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (host, port) = text.rsplit_once(':').ok_or(NotAnEndpoint)?;
        let port = port.parse().ok().filter(|port| *port != 0).ok_or(NotAnEndpoint)?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) => address.parse::<IpAddr>().map_err(|_| NotAnEndpoint)?.to_string(),
            None if is_name(host) => host.to_owned(),
            None => return Err(NotAnEndpoint),
        };
        Ok(Self { host, port })
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// A DNS label of RFC 1123, lower case.
pub(super) fn is_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(inner) && !text.starts_with('-') && !text.ends_with('-')
}

/// Labels joined by dots, with or without the root's dot at the end.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= 253 && text.strip_suffix('.').unwrap_or(text).split('.').all(is_label)
}
