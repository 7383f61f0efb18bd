//! A range of addresses.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};
use thiserror::Error;

/// Text or bytes that are no range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("write a range as address/length without bits behind the length, as in 203.0.113.0/24 or 2001:db8::/32")]
pub struct NotACidr;

/// All addresses that begin with the same bits (RFC 4632).
///
/// One range has one value: the bits behind the length are zero. IPv4 addresses that are written in IPv6 (`::ffff:a.b.c.d`,
/// RFC 4291 section 2.5.5.2) count as the IPv4 addresses that they are, in ranges and in what is compared with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    first: IpAddr,
    length: u8,
}

impl Cidr {
    /// The addresses whose first `length` bits are those of `first`; refuses a range that could be written otherwise.
    pub fn new(first: IpAddr, length: u8) -> Result<Self, NotACidr> {
        let range = Self { first, length };
        let is_one = first == first.to_canonical() && length <= bits(first) && masked(first, length) == first;
        if is_one { Ok(range) } else { Err(NotACidr) }
    }

    /// The range of this length that holds `address`.
    pub fn around(address: IpAddr, length: u8) -> Result<Self, NotACidr> {
        let address = address.to_canonical();
        if length <= bits(address) { Ok(Self { first: masked(address, length), length }) } else { Err(NotACidr) }
    }

    /// The first address of the range.
    #[must_use]
    pub const fn first(&self) -> IpAddr {
        self.first
    }

    /// How many bits all addresses of the range have in common.
    #[must_use]
    pub const fn length(&self) -> u8 {
        self.length
    }

    /// Whether the range holds `address`.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.first.is_ipv4() && masked(address, self.length) == self.first
    }
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with every bit behind the first `length` zero.
fn masked(address: IpAddr, length: u8) -> IpAddr {
    let cleared = u32::from(bits(address).saturating_sub(length));
    match address {
        IpAddr::V4(address) => {
            Ipv4Addr::from_bits(address.to_bits() & u32::MAX.checked_shl(cleared).unwrap_or(0)).into()
        }
        IpAddr::V6(address) => {
            Ipv6Addr::from_bits(address.to_bits() & u128::MAX.checked_shl(cleared).unwrap_or(0)).into()
        }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.first, self.length)
    }
}

impl FromStr for Cidr {
    type Err = NotACidr;

    fn from_str(text: &str) -> Result<Self, NotACidr> {
        let (first, length) = text.split_once('/').ok_or(NotACidr)?;
        let number: u8 = length.parse().map_err(|_| NotACidr)?;
        if number.to_string() != length {
            return Err(NotACidr);
        }
        Self::new(first.parse().map_err(|_| NotACidr)?, number)
    }
}
