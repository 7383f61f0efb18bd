//! Identifiers: fixed-size byte strings whose only text form is lower-case hex.

use thiserror::Error;

/// Text that is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("{what} must be {digits} lower-case hex digits")]
pub struct NotAnIdentifier {
    /// The kind of identifier expected.
    pub what: &'static str,
    /// How many digits it has.
    pub digits: usize,
}

/// Reads exactly `2 * N` lower-case hex digits.
pub fn from_lower_hex<const N: usize>(what: &'static str, text: &str) -> Result<[u8; N], NotAnIdentifier> {
    let refused = NotAnIdentifier { what, digits: 2 * N };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return Err(refused);
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low).ok_or(refused)?;
    }
    Ok(bytes)
}

/// The lower-case hex digits of `bytes`.
#[must_use]
pub fn to_lower_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xf)]).collect()
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

/// Declares an identifier type: `identifier!(/** docs */ pub struct PeerId([u8; 32]), "a peer id");`.
///
/// It is `Copy` and ordered by its bytes, prints and parses as lower-case hex, and shows its first digits in `Debug`.
#[macro_export]
macro_rules! identifier {
    ($(#[$attribute:meta])* $visibility:vis struct $name:ident([u8; $length:literal]), $what:literal) => {
        $(#[$attribute])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $visibility struct $name([u8; $length]);

        impl $name {
            /// Wraps the raw bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $length]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $length] {
                &self.0
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                formatter.pad(&$crate::to_lower_hex(&self.0))
            }
        }

        impl ::std::fmt::Debug for $name {
            fn fmt(&self, formatter: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                write!(formatter, "{}({:.8})", stringify!($name), self)
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::NotAnIdentifier;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::from_lower_hex($what, text).map(Self)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
    };
}
