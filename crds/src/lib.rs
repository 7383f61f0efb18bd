//! Custom resource types of Peerwright, one kind a file
