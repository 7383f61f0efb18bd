//! Node identity: keys, peer ids, and what a member certificate says
