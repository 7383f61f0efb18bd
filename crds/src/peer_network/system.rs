//! Where the register of a network's blueprints comes from.

use serde::{Deserialize, Serialize};

use crate::schema::words;

/// Where the register of a network's blueprints comes from, unless the spec names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SystemRegisterPolicy {
    /// The sealers begin one.
    Create,
}
words!(SystemRegisterPolicy: Create);
