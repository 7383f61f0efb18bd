//! Controllers, certificate authority and node service
