//! An object of ours that may be one that this program cannot read: a field that a later version writes, a value that
//! slipped past the schema. One such object must not stop the watch of all others.

use std::{borrow::Cow, sync::Arc};

use kube::{
    Resource,
    api::ObjectMeta,
    core::{DeserializeGuard, error_boundary::InvalidObject},
};
use serde::{Deserialize, Deserializer};

/// An object, if it can be read.
#[derive(Clone, Debug)]
pub enum Decoded<K> {
    /// It can.
    Valid(Arc<K>),
    /// It cannot; its metadata can.
    Invalid(Box<InvalidObject>),
}

impl<K> Decoded<K> {
    /// The object, if it can be read.
    #[must_use]
    pub const fn valid(&self) -> Option<&Arc<K>> {
        match self {
            Self::Valid(object) => Some(object),
            Self::Invalid(_) => None,
        }
    }
}

impl<K> From<K> for Decoded<K> {
    fn from(object: K) -> Self {
        Self::Valid(Arc::new(object))
    }
}

impl<'de, K: Resource + Deserialize<'de>> Deserialize<'de> for Decoded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match DeserializeGuard::<K>::deserialize(deserializer)?.0 {
            Ok(object) => Self::Valid(Arc::new(object)),
            Err(invalid) => Self::Invalid(Box::new(invalid)),
        })
    }
}

impl<K: Resource + Clone> Resource for Decoded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::kind(dynamic)
    }

    fn group(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::group(dynamic)
    }

    fn version(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::version(dynamic)
    }

    fn plural(dynamic: &Self::DynamicType) -> Cow<'_, str> {
        K::plural(dynamic)
    }

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Valid(object) => object.meta(),
            Self::Invalid(invalid) => &invalid.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Valid(object) => Arc::make_mut(object).meta_mut(),
            Self::Invalid(invalid) => &mut invalid.metadata,
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::ResourceExt;
    use peerwright_crds::PeerBan;
    use serde_json::json;

    use super::Decoded;

    #[test]
    fn an_unreadable_object_is_told_apart_and_named() {
        let ban = |reason: serde_json::Value| {
            let object = json!({
                "apiVersion": "peerwright.dev/v1alpha1",
                "kind": "PeerBan",
                "metadata": { "name": "one", "namespace": "shop" },
                "spec": { "networkRef": { "name": "demo" }, "node": "demo-peer-2", "reason": reason },
            });
            serde_json::from_value::<Decoded<PeerBan>>(object).unwrap()
        };
        assert!(ban(json!("rude")).valid().is_some());
        let unreadable = ban(json!(["a", "list"]));
        assert!(unreadable.valid().is_none());
        assert_eq!(unreadable.name_any(), "one");
    }
}
