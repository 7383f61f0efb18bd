//! What registers, transactions and dockets are called.

peerwright_encoding::identifier!(
    /// A register: the first 16 bytes of its genesis record's hash. In text, 32 lower-case hex digits.
    pub struct RegisterId([u8; 16]),
    "a register id"
);

peerwright_encoding::identifier!(
    /// A transaction: the SHA-256 of everything in it but the signature. In text, 64 lower-case hex digits.
    pub struct TransactionId([u8; 32]),
    "a transaction id"
);

peerwright_encoding::identifier!(
    /// A docket: the SHA-256 of its header. In text, 64 lower-case hex digits.
    pub struct DocketHash([u8; 32]),
    "a docket hash"
);
