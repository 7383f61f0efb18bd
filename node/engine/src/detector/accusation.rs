//! The statement of one member that it does not reach another.
//!
//! ```text
//! format u8 = 1 | subject's key 32 | incarnation u64 | version u32 | accuser's key 32
//!   | accuser's signature 64 over all before it
//! ```
//!
//! It is about one edition of the subject's record. The subject answers with a newer one, and with that the accusation
//! means nothing any more.

use crate::membership::{Edition, MAX_STATEMENT_BYTES, SIGNATURE_BYTES, sealed};
use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_secure::{Context, NodeKey, NodePublicKey};

const ACCUSATION_FORMAT: u8 = 1;
const ACCUSATION_BYTES: usize = 1 + 32 + 8 + 4 + 32 + SIGNATURE_BYTES;

const _: () = assert!(ACCUSATION_BYTES <= MAX_STATEMENT_BYTES);

/// That `accuser` does not reach `subject`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accusation {
    pub subject: NodePublicKey,
    /// Which of the subject's records it is about.
    pub edition: Edition,
    pub accuser: NodePublicKey,
}

impl Accusation {
    /// The accusation as it travels, signed by its accuser.
    pub(crate) fn sign(&self, key: &NodeKey) -> Bytes {
        let mut writer = Writer::with_capacity(ACCUSATION_BYTES);
        writer.u8(ACCUSATION_FORMAT).raw(self.subject.as_bytes());
        writer.u64(self.edition.incarnation).u32(self.edition.version).raw(self.accuser.as_bytes());
        sealed(writer, key, Context::Accusation)
    }

    /// Reads an accusation; whether its accuser signed it, [`Statement::holds`](crate::Statement::holds) says.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let format = reader.u8("accusation format")?;
        if format != ACCUSATION_FORMAT {
            return Err(DecodeError::Unknown { what: "accusation format", value: format.into() });
        }
        let accusation = Self {
            subject: NodePublicKey::from_bytes(reader.array("subject's key")?),
            edition: Edition { incarnation: reader.u64("incarnation")?, version: reader.u32("version")? },
            accuser: NodePublicKey::from_bytes(reader.array("accuser's key")?),
        };
        reader.array::<SIGNATURE_BYTES>("signature")?;
        reader.finish()?;
        Ok(accusation)
    }
}

#[cfg(test)]
mod tests {
    use super::{ACCUSATION_BYTES, Accusation};
    use crate::{Statement, membership::Edition};
    use peerwright_secure::NodeKey;
    use proptest::prelude::*;

    fn accusation() -> (Accusation, NodeKey) {
        let key = NodeKey::from_seed([3; 32]);
        let subject = NodeKey::from_seed([4; 32]).public();
        (Accusation { subject, edition: Edition { incarnation: 258, version: 3 }, accuser: key.public() }, key)
    }

    #[test]
    fn the_format_is_this_one() {
        let (said, key) = accusation();
        let bytes = said.sign(&key);
        let expected = [
            [1].as_slice(),
            said.subject.as_bytes(),
            &[0, 0, 0, 0, 0, 0, 1, 2],
            &[0, 0, 0, 3],
            said.accuser.as_bytes(),
        ]
        .concat();
        assert_eq!(bytes[..bytes.len() - 64], expected);
        assert_eq!(bytes.len(), ACCUSATION_BYTES);
        assert_eq!(Accusation::decode(&bytes), Ok(said));
    }

    #[test]
    fn only_the_accuser_can_sign_it() {
        let (said, key) = accusation();
        assert!(Statement::Accusation(said.sign(&key)).holds());
        assert!(!Statement::Accusation(said.sign(&NodeKey::from_seed([4; 32]))).holds());
        assert!(!Statement::Record(said.sign(&key)).holds());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..180)) {
            if let Ok(said) = Accusation::decode(&bytes) {
                prop_assert_eq!(&said.sign(&accusation().1)[..bytes.len() - 64], &bytes[..bytes.len() - 64]);
            }
        }
    }
}
