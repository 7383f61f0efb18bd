//! Identifiers as other crates declare them.

use peerwright_encoding::NotAnIdentifier;

peerwright_encoding::identifier!(
    /// A short one.
    pub struct Short([u8; 2]),
    "a short"
);

#[test]
fn an_identifier_has_one_text_form() {
    let short: Short = "0aff".parse().unwrap();
    assert_eq!(short, Short::from_bytes([0x0a, 0xff]));
    assert_eq!(short.as_bytes(), &[0x0a, 0xff]);
    assert_eq!(format!("{short} {short:?} {short:>6}"), "0aff Short(0aff)   0aff");
}

#[test]
fn other_text_is_refused() {
    for text in ["0AFF", "0af", "0aff0", "0aff00", "0x0a", "", "0ag0", " 0aff", "é\u{301}"] {
        let refused = text.parse::<Short>().unwrap_err();
        assert_eq!(refused, NotAnIdentifier { what: "a short", digits: 4 }, "{text}");
        assert_eq!(refused.to_string(), "a short must be 4 lower-case hex digits");
    }
}
