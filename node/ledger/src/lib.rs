//! Transactions and registers: encoding, ids, signatures, verification
