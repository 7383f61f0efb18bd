//! How far this node has come in each register, kept as a document: a start looks only at what lies behind it.

use bytes::Bytes;
use peerwright_encoding::{DecodeError, Reader, Writer};
use peerwright_ledger::RegisterId;
use peerwright_store::{Store, StoreError};
use std::collections::BTreeMap;

/// A place in a register.
pub(super) trait KeptMark: Copy {
    fn write(self, writer: &mut Writer);
    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError>;
}

impl KeptMark for u64 {
    fn write(self, writer: &mut Writer) {
        writer.u64(self);
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.u64("mark")
    }
}

/// A document of marks.
#[derive(Debug, Clone, Copy)]
pub(super) struct MarksDocument {
    pub(super) name: &'static str,
    /// Most registers whose marks are kept.
    pub(super) max_marks: usize,
}

impl MarksDocument {
    /// The marks that were kept last; none when there are none that can be read.
    pub(super) async fn load<M: KeptMark>(&self, store: &dyn Store) -> Result<BTreeMap<RegisterId, M>, StoreError> {
        let kept = store.document(self.name).await?;
        Ok(kept.and_then(|kept| self.decode(&kept).ok()).unwrap_or_default())
    }

    pub(super) async fn keep<M: KeptMark>(
        &self,
        store: &dyn Store,
        marks: &BTreeMap<RegisterId, M>,
    ) -> Result<(), StoreError> {
        store.put_document(self.name, self.encode(marks)).await
    }

    fn encode<M: KeptMark>(&self, marks: &BTreeMap<RegisterId, M>) -> Bytes {
        let mut writer = Writer::new();
        let marks: Vec<_> = marks.iter().take(self.max_marks).collect();
        writer.list(&marks, |writer, (register, mark)| mark.write(writer.raw(register.as_bytes())));
        writer.finish().into()
    }

    fn decode<M: KeptMark>(&self, kept: &[u8]) -> Result<BTreeMap<RegisterId, M>, DecodeError> {
        let mut reader = Reader::new(kept);
        let marks = reader.list(self.max_marks, "marks", |reader| {
            Ok((RegisterId::from_bytes(reader.array("register")?), M::read(reader)?))
        })?;
        reader.finish()?;
        Ok(marks.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peerwright_store::Memory;

    const DOCUMENT: MarksDocument = MarksDocument { name: "marks", max_marks: 3 };

    fn marks(registers: u8) -> BTreeMap<RegisterId, u64> {
        (1..=registers).map(|byte| (RegisterId::from_bytes([byte; 16]), u64::MAX - u64::from(byte))).collect()
    }

    #[tokio::test]
    async fn marks_are_loaded_as_they_were_kept_and_no_more_than_there_is_room_for() {
        let store = Memory::new("network");
        assert_eq!(DOCUMENT.load::<u64>(&store).await, Ok(BTreeMap::new()));
        DOCUMENT.keep(&store, &marks(5)).await.unwrap();
        assert_eq!(DOCUMENT.load(&store).await, Ok(marks(3)));
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_no_marks() {
        let store = Memory::new("network");
        let kept = DOCUMENT.encode(&marks(3));
        store.put_document("marks", kept.slice(..kept.len() - 1)).await.unwrap();
        assert_eq!(DOCUMENT.load::<u64>(&store).await, Ok(BTreeMap::new()));
        assert!(MarksDocument { max_marks: 2, ..DOCUMENT }.decode::<u64>(&kept).is_err());
    }

    #[test]
    fn documents_that_were_kept_before_stay_readable() {
        let kept = [&[0, 0, 0, 1][..], &[7; 16], &[0, 0, 0, 0, 0, 0, 1, 2]].concat();
        let marks = BTreeMap::from([(RegisterId::from_bytes([7; 16]), 258_u64)]);
        assert_eq!(DOCUMENT.decode(&kept), Ok(marks.clone()));
        assert_eq!(DOCUMENT.encode(&marks), kept);
    }
}
