//! Who seals the registers' dockets.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Who seals the registers' dockets.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sealing {
    /// Nodes that seal together: 1, 3 or 5. A majority of them must reach each other for anything to be committed; a
    /// single one has nobody to take over from it. They are the first nodes of the first groups whose role is Peer or
    /// Hub; where there are fewer such nodes than this, nothing is sealed. A network that says nothing and has fewer than 3
    /// has 1. Absent: the operator's default, 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 5))]
    #[x_kube(validation = Rule::new("self % 2 == 1")
        .message("write 1, 3 or 5: an even number of sealers survives no more failures than one less"))]
    pub sealers: Option<i32>,
}
