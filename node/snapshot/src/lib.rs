//! The signed document from operator to nodes: encoding, signing, checks
