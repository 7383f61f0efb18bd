//! What registers and transactions are called.

peerwright_encoding::identifier!(
    /// A register. In text, 32 lower-case hex digits.
    pub struct RegisterId([u8; 16]),
    "a register id"
);

peerwright_encoding::identifier!(
    /// A transaction: the SHA-256 of everything in it but the signature. In text, 64 lower-case hex digits.
    pub struct TransactionId([u8; 32]),
    "a transaction id"
);
