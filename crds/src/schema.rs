//! Schemas that a derive cannot give, and the last pass over what it does give.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

/// What `expiresAt` accepts. The `date-time` format would let a time without a zone through, which no reader of a point
/// in time can decode; `timestamp` refuses the days that the pattern lets through, as February 30.
pub(crate) const RFC3339_RULE: &str = "self.matches('^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\
    T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$') \
    && timestamp(self) > timestamp('1970-01-01T00:00:00Z')";

/// What to write instead.
pub(crate) const RFC3339_MESSAGE: &str = "write a time as RFC 3339 with a zone, as in 2027-01-31T12:00:00Z";

/// Peer ids and fingerprints: a SHA-256.
pub(crate) const SHA256_RULE: &str = "self.matches('^[0-9a-f]{64}$')";

/// What to write instead as a peer id.
pub(crate) const PEER_ID_MESSAGE: &str = "write a peer id as 64 lower-case hex digits";

/// What to write instead as a fingerprint.
pub(crate) const FINGERPRINT_MESSAGE: &str = "write a fingerprint as 64 lower-case hex digits";

/// The names that nodes have.
pub(crate) const NODE_RULE: &str = "self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?-[0-9]+$')";

/// What to write instead.
pub(crate) const NODE_MESSAGE: &str = "write a node's name as <network>-<group>-<number>, as in demo-peer-2";

/// A ban names one subject.
pub(crate) const ONE_SUBJECT_RULE: &str = "[has(self.node), has(self.peerId), has(self.spiffeId), has(self.fingerprint), \
    has(self.cidr)].exists_one(given, given)";

/// What to write instead.
pub(crate) const ONE_SUBJECT_MESSAGE: &str = "write exactly one of node (a node's name), peerId, fingerprint (each 64 hex \
    digits), spiffeId (spiffe://<trust domain>/node/<namespace>/<node>) and cidr (<address>/<length>)";

/// The names that members have.
pub(crate) const SPIFFE_RULE: &str =
    "self.matches('^spiffe://[a-z0-9._-]{1,255}/node/[a-z0-9-]{1,63}/[a-z0-9.-]{1,253}$')";

/// What to write instead.
pub(crate) const SPIFFE_MESSAGE: &str =
    "write a SPIFFE id as spiffe://<trust domain>/node/<namespace>/<node>, in lower case";

/// A range whose addresses are written in one way.
pub(crate) const CIDR_RULE: &str = "isCIDR(self) && cidr(self) == cidr(self).masked()";

/// What to write instead.
pub(crate) const CIDR_MESSAGE: &str =
    "write a range as <address>/<length> without bits behind the length, as in 203.0.113.0/24 or 2001:db8::/32";

/// How a database is reached: by a URL that a Secret holds, or by its parts.
pub(crate) const DATABASE_ACCESS_RULE: &str = "has(self.urlSecretRef) ? \
    [has(self.host), has(self.port), has(self.database), has(self.user), has(self.passwordSecretRef)].all(given, !given) \
    : has(self.host) && has(self.database) && has(self.user)";

/// What to write instead.
pub(crate) const DATABASE_ACCESS_MESSAGE: &str = "write either urlSecretRef alone, or host, database and user, and with \
    them port and passwordSecretRef as they are needed";

/// Nobody sends a password to whoever answers without having said so.
pub(crate) const DATABASE_TLS_RULE: &str = "has(self.tls) && (has(self.tls.mode) && self.tls.mode == 'Disable' ? \
    !has(self.tls.caSecretRef) && !has(self.tls.caConfigMapRef) \
    : has(self.tls.caSecretRef) != has(self.tls.caConfigMapRef))";

/// What to write instead.
pub(crate) const DATABASE_TLS_MESSAGE: &str = "write one of tls.caSecretRef and tls.caConfigMapRef, who signs the \
    server's certificate; or tls.mode: Disable alone, and everything goes over the network as it is";

/// A name or an address, of either of which a URL can be made.
pub(crate) const DATABASE_HOST_RULE: &str =
    "isIP(self) || self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')";

/// What to write instead.
pub(crate) const DATABASE_HOST_MESSAGE: &str =
    "write a DNS name in lower case, as in db.shop.svc, or an IP address; the port has a field of its own";

/// What a schema's name may begin with.
pub(crate) const SCHEMA_PREFIX_RULE: &str = "self.matches('^[a-z][a-z0-9_]*$') && !self.startsWith('pg_')";

/// What to write instead.
pub(crate) const SCHEMA_PREFIX_MESSAGE: &str = "write a schemaPrefix as a lower-case letter, then lower-case letters, digits and underscores, not pg_ at the start";

/// Names of Secrets and ConfigMaps.
pub(crate) const OBJECT_NAME_RULE: &str =
    "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')";

/// What to write instead.
pub(crate) const OBJECT_NAME_MESSAGE: &str = "write the name of an object in the network's namespace";

/// Keys of Secrets and ConfigMaps.
pub(crate) const CONFIG_KEY_RULE: &str = "self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')";

/// What to write instead.
pub(crate) const CONFIG_KEY_MESSAGE: &str = "write a key of letters, digits, dashes, underscores and dots";

/// Gives an enum of plain words its schema, its text and `Display`. The derived schema of a documented enum would put
/// the enum's description in place of the field's.
macro_rules! words {
    ($name:ident: $($variant:ident),+) => {
        impl $name {
            /// The word in manifests.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant)),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(self.as_str())
            }
        }

        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "enum": [$(Self::$variant.as_str()),+] })
            }
        }
    };
}
pub(crate) use words;

/// Conditions by the API conventions: a map list by type, with the bounds of `metav1.Condition`.
pub(crate) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "lastTransitionTime": {
                    "type": "string",
                    "format": "date-time",
                    "description": "When the status last changed."
                },
                "message": { "type": "string", "maxLength": 32768, "description": "What it means, for people." },
                "observedGeneration": {
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                    "description": "Generation of the spec that the condition speaks of."
                },
                "reason": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                    "description": "Why, in one word."
                },
                "status": {
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                    "description": "Whether it holds."
                },
                "type": {
                    "type": "string",
                    "maxLength": 316,
                    "pattern": "^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                    "description": "What the condition is about."
                }
            }
        }
    })
}

/// Limits and requests of a container. What else a container's requirements may hold needs features that a node has no
/// use for.
pub(crate) fn resource_requirements(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "limits": quantities("The most of each resource that a node may use."),
            "requests": quantities("What of each resource the scheduler sets aside for a node.")
        },
        "x-kubernetes-validations": [{
            "rule": "!has(self.limits) || !has(self.requests) || self.requests.all(name, !(name in self.limits) || \
                     !isQuantity(string(self.requests[name])) || !isQuantity(string(self.limits[name])) || \
                     quantity(string(self.requests[name])).compareTo(quantity(string(self.limits[name]))) <= 0)",
            "message": "write requests that are not above limits"
        }]
    })
}

/// A map from the name of a resource to a quantity, which people write as a number or as text.
fn quantities(description: &str) -> Value {
    json!({
        "type": "object",
        "description": description,
        "maxProperties": 8,
        "additionalProperties": {
            "maxLength": 32,
            "x-kubernetes-int-or-string": true
        },
        "x-kubernetes-validations": [{
            "rule": "self.all(name, isQuantity(string(self[name])) && !quantity(string(self[name])).isLessThan(quantity('0')))",
            "message": "write each resource as a quantity of zero or more, as in cpu: 500m or memory: 64Mi"
        }]
    })
}

/// Takes out of a schema what must never be in it: `nullable`, which `Option` brings, `null` among the words of an enum,
/// and integer formats that Kubernetes does not have. Joins the lines of a description.
pub(crate) fn tidy(schema: &mut Value) {
    let Value::Object(fields) = schema else { return };
    fields.remove("nullable");
    fields.remove("title");
    if fields.get("format").and_then(Value::as_str).is_some_and(|format| format.starts_with("uint")) {
        fields.remove("format");
    }
    if let Some(Value::Array(words)) = fields.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    if let Some(Value::String(description)) = fields.get_mut("description") {
        *description = description.split("\n\n").map(|part| part.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
    for (key, child) in fields {
        match (key.as_str(), child) {
            ("properties", Value::Object(properties)) => properties.values_mut().for_each(tidy),
            ("items" | "additionalProperties", child) => tidy(child),
            ("anyOf" | "oneOf" | "allOf", Value::Array(children)) => children.iter_mut().for_each(tidy),
            _ => {}
        }
    }
}
