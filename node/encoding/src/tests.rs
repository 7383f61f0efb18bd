//! One encoding a value, and no input that a reader trusts.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use crate::{DecodeError, Reader, Writer};
use proptest::prelude::*;

#[test]
fn integers_are_big_endian_and_lengths_are_u32() {
    let mut writer = Writer::new();
    writer.u8(1).u16(2).u32(3).u64(4).bytes(b"ab").text("é").option(Some(7u8), |w, v| {
        w.u8(v);
    });
    let expected = [1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 2, b'a', b'b', 0, 0, 0, 2, 0xc3, 0xa9, 1, 7];
    assert_eq!(writer.finish(), expected);
}

#[test]
fn a_length_above_the_limit_is_refused_before_it_is_read() {
    let input = u32::MAX.to_be_bytes();
    assert_eq!(
        Reader::new(&input).bytes(8, "name"),
        Err(DecodeError::TooLong { what: "name", length: u32::MAX.into(), limit: 8 })
    );
}

#[test]
fn a_count_above_what_is_left_allocates_nothing() {
    let input = 1_000_000u32.to_be_bytes();
    let read = Reader::new(&input).list(usize::MAX, "items", |r| r.u8("item"));
    assert_eq!(read, Err(DecodeError::Truncated("items")));
}

#[test]
fn bytes_behind_the_end_are_refused() {
    let mut reader = Reader::new(&[0, 9]);
    assert!(!reader.bool("flag").unwrap());
    assert_eq!(reader.finish(), Err(DecodeError::Trailing(1)));
}

#[test]
fn a_flag_is_zero_or_one() {
    assert_eq!(Reader::new(&[2]).bool("flag"), Err(DecodeError::Unknown { what: "flag", value: 2 }));
}

#[test]
fn a_varint_has_one_encoding() {
    let values = [(0, vec![0]), (0x7f, vec![0x7f]), (0x80, vec![0x80, 1]), (300, vec![0xac, 2])];
    for (value, bytes) in values {
        let mut writer = Writer::new();
        writer.varint(value);
        assert_eq!(writer.finish(), bytes, "{value}");
    }
    for (value, byte) in [(7, 0), (8, 2), (6, 1), (10, 6), (4, 5)] {
        let mut writer = Writer::new();
        writer.near(value, 7);
        assert_eq!(writer.finish(), [byte], "{value}");
    }
    let longest = [[0xff; 9].as_slice(), &[1]].concat();
    assert_eq!(Reader::new(&longest).varint("number"), Ok(u64::MAX));
    let too_long = [[0xff; 9].as_slice(), &[2]].concat();
    let endless = [0x80; 12];
    for refused in [[0x80, 0].as_slice(), &[0xff, 0x80, 0], &too_long, &endless] {
        assert!(matches!(Reader::new(refused).varint("number"), Err(DecodeError::Invalid(_))), "{refused:x?}");
    }
    assert_eq!(Reader::new(&[0x80]).varint("number"), Err(DecodeError::Truncated("number")));
}

proptest! {
    #[test]
    fn any_varint_is_read_back(value: u64, known: u64) {
        let mut writer = Writer::new();
        writer.varint(value).near(value, known);
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.varint("number").unwrap(), value);
        prop_assert_eq!(reader.near(known, "number").unwrap(), value);
        prop_assert!(reader.finish().is_ok());
    }

    #[test]
    fn what_is_written_is_read_back(number: u64, text in ".{0,40}", items in prop::collection::vec(any::<u16>(), 0..40)) {
        let mut writer = Writer::new();
        writer.u64(number).text(&text).list(&items, |w, item| { w.u16(*item); });
        let bytes = writer.finish();
        let mut reader = Reader::new(&bytes);
        prop_assert_eq!(reader.u64("number").unwrap(), number);
        prop_assert_eq!(reader.text(200, "text").unwrap(), text);
        prop_assert_eq!(reader.list(40, "items", |r| r.u16("item")).unwrap(), items);
        prop_assert!(reader.finish().is_ok());
    }

    #[test]
    fn no_input_makes_a_reader_panic(input in prop::collection::vec(any::<u8>(), 0..64)) {
        let mut reader = Reader::new(&input);
        drop(reader.text(16, "text"));
        drop(reader.list(16, "items", |r| r.option("option", |r| r.u64("number"))));
        drop(reader.finish());
    }
}
