//! Where nodes keep their registers when that is a database.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::schema::{
    CONFIG_KEY_MESSAGE, CONFIG_KEY_RULE, DATABASE_ACCESS_MESSAGE, DATABASE_ACCESS_RULE, DATABASE_HOST_MESSAGE,
    DATABASE_HOST_RULE, DATABASE_TLS_MESSAGE, DATABASE_TLS_RULE, OBJECT_NAME_MESSAGE, OBJECT_NAME_RULE,
    SCHEMA_PREFIX_MESSAGE, SCHEMA_PREFIX_RULE, words,
};

/// A PostgreSQL database in which every node keeps its registers, each in a schema of its own. Secrets and ConfigMaps are
/// of the network's namespace; pods mount them, and the operator never reads them.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[x_kube(
    validation = Rule::new(DATABASE_ACCESS_RULE).message(DATABASE_ACCESS_MESSAGE),
    validation = Rule::new(DATABASE_TLS_RULE).message(DATABASE_TLS_MESSAGE),
)]
#[serde(rename_all = "camelCase")]
pub struct Postgres {
    /// Where a Secret holds the whole URL, postgres://USER:PASSWORD@HOST:PORT/DATABASE, as operators of databases write
    /// it. Nodes read it anew for each connection. Instead of host, port, database, user and passwordSecretRef.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_secret_ref: Option<KeyRef>,

    /// Name or address of the server, which its certificate has to name too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(DATABASE_HOST_RULE).message(DATABASE_HOST_MESSAGE))]
    pub host: Option<String>,

    /// Port of the server, 1 to 65535. Absent: 5432.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<i32>,

    /// Name of the database. Cannot change to another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub database: Option<String>,

    /// Role of the server that the nodes log in as.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub user: Option<String>,

    /// Where a Secret holds the role's password. Nodes read it anew for each connection. Absent: none is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password_secret_ref: Option<KeyRef>,

    /// How nodes know the server, and whether others can read along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<PostgresTls>,

    /// Beginning of the names of the nodes' schemas, <schemaPrefix>_<network>_<group>_<number>; networks that share a
    /// database and a name need different ones. Cannot change. Absent: peerwright.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 24))]
    #[x_kube(validation = Rule::new(SCHEMA_PREFIX_RULE).message(SCHEMA_PREFIX_MESSAGE))]
    pub schema_prefix: Option<String>,
}

/// How nodes know the server of a database, and whether others can read along.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PostgresTls {
    /// VerifyFull: every connection is under TLS, to a server whose certificate names the host and is signed by the
    /// authorities of caSecretRef or caConfigMapRef. Disable: passwords and registers go over the network as they are.
    /// Absent: VerifyFull.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<PostgresTlsMode>,

    /// Where a Secret holds the certificates (PEM) of who signs the server's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<KeyRef>,

    /// Where a ConfigMap holds them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<KeyRef>,
}

/// A key of a Secret or ConfigMap in the network's namespace.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// Name of the object, in the network's namespace.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(OBJECT_NAME_RULE).message(OBJECT_NAME_MESSAGE))]
    pub name: String,

    /// Key within the object.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = Rule::new(CONFIG_KEY_RULE).message(CONFIG_KEY_MESSAGE))]
    pub key: String,
}

/// Whether connections to a database are under TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PostgresTlsMode {
    /// They are, to a server that is known.
    VerifyFull,
    /// They are not.
    Disable,
}
words!(PostgresTlsMode: VerifyFull, Disable);
