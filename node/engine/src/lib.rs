//! The protocol core: pure state machines, no I/O
