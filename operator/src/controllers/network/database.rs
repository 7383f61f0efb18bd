//! Where a network's nodes keep their registers when that is a database: what they are told and what they mount. Pure.
//!
//! ```text
//! spec.storage.postgres ─▶ Database ─┬─▶ environment: URL without its password, paths of the files below
//!                                    └─▶ one projected volume: URL or password, authorities
//! ```
//!
//! The operator has no right to read a Secret of a network's namespace, and needs none: the kubelet mounts it, keeps the
//! file current, and says in the pod's Events when there is no such Secret or key.

use k8s_openapi::api::core::v1::{
    ConfigMapProjection, KeyToPath, ProjectedVolumeSource, SecretProjection, Volume, VolumeProjection,
};
use peerwright_crds::{KeyRef, Postgres, PostgresTls, PostgresTlsMode};

/// Name of the volume.
const VOLUME: &str = "database";
/// Where it is mounted.
pub(super) const DIRECTORY: &str = "/etc/peerwright/database";
const URL_FILE: &str = "url";
const PASSWORD_FILE: &str = "password";
const AUTHORITIES_FILE: &str = "authorities.pem";
/// What the server listens on unless the network says otherwise.
const DEFAULT_PORT: i32 = 5432;
/// Owner and group, which is that of the pod's volumes, may read.
const READABLE: i32 = 0o440;

/// A database that nodes can be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database<'a> {
    access: Access<'a>,
    authorities: Option<Authorities<'a>>,
    schema_prefix: Option<&'a str>,
}

/// How it is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Access<'a> {
    /// By a URL that a Secret holds.
    Hidden(&'a KeyRef),
    /// By this URL, with a password if there is one.
    Named { url: String, password: Option<&'a KeyRef> },
}

/// Who signs the server's certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Authorities<'a> {
    Secret(&'a KeyRef),
    ConfigMap(&'a KeyRef),
}

/// What is wrong with a database, and what to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseInvalid {
    /// It is named twice, or not at all.
    #[error(
        "spec.storage.postgres: write either urlSecretRef alone, or host, database and user, and with them port and \
         passwordSecretRef as they are needed"
    )]
    Access,
    /// Nobody says how the server is known.
    #[error(
        "spec.storage.postgres: write one of tls.caSecretRef and tls.caConfigMapRef, or tls.mode: Disable alone, and \
         everything goes over the network as it is"
    )]
    Tls,
}

impl<'a> Database<'a> {
    /// The database of a network's spec.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn of(postgres: &'a Postgres) -> Result<Self, DatabaseInvalid> {
        let authorities = authorities(postgres.tls.as_ref().ok_or(DatabaseInvalid::Tls)?)?;
        let access = access(postgres, authorities.is_some()).ok_or(DatabaseInvalid::Access)?;
        Ok(Self { access, authorities, schema_prefix: postgres.schema_prefix.as_deref() })
    }

    /// The node's options. None of them is secret.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let file = |name: &str| format!("{DIRECTORY}/{name}");
        let mut told = match &self.access {
            Access::Hidden(_) => vec![("PEERWRIGHT_STORAGE_URL_FILE", file(URL_FILE))],
            Access::Named { url, password } => {
                let password = password.map(|_| ("PEERWRIGHT_STORAGE_PASSWORD_FILE", file(PASSWORD_FILE)));
                [("PEERWRIGHT_STORAGE_URL", url.clone())].into_iter().chain(password).collect()
            }
        };
        told.extend(self.authorities.map(|_| ("PEERWRIGHT_STORAGE_AUTHORITIES_FILE", file(AUTHORITIES_FILE))));
        told.extend(self.schema_prefix.map(|prefix| ("PEERWRIGHT_STORAGE_SCHEMA_PREFIX", prefix.to_owned())));
        told
    }

    /// The volume with its files; `None` when it needs none.
    pub(super) fn volume(&self) -> Option<Volume> {
        let opening = match &self.access {
            Access::Hidden(url) => Some(from_secret(url, URL_FILE)),
            Access::Named { password, .. } => password.map(|password| from_secret(password, PASSWORD_FILE)),
        };
        let authorities = self.authorities.map(|authorities| match authorities {
            Authorities::Secret(reference) => from_secret(reference, AUTHORITIES_FILE),
            Authorities::ConfigMap(reference) => from_config_map(reference, AUTHORITIES_FILE),
        });
        let sources: Vec<VolumeProjection> = opening.into_iter().chain(authorities).collect();
        (!sources.is_empty()).then(|| Volume {
            name: VOLUME.to_owned(),
            projected: Some(ProjectedVolumeSource { default_mode: Some(READABLE), sources: Some(sources) }),
            ..Volume::default()
        })
    }
}

fn access(postgres: &Postgres, is_under_tls: bool) -> Option<Access<'_>> {
    let Postgres { url_secret_ref, host, port, database, user, password_secret_ref, .. } = postgres;
    match (url_secret_ref, host, database, user) {
        (Some(url), None, None, None) if port.is_none() && password_secret_ref.is_none() => Some(Access::Hidden(url)),
        (None, Some(host), Some(database), Some(user)) => {
            let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
            let port = port.unwrap_or(DEFAULT_PORT);
            // Who is to be known by a certificate is not talked to without one, whatever becomes of the file.
            let mode = if is_under_tls { "require" } else { "disable" };
            let (user, database) = (encoded(user), encoded(database));
            let url = format!("postgres://{user}@{host}:{port}/{database}?sslmode={mode}");
            Some(Access::Named { url, password: password_secret_ref.as_ref() })
        }
        _ => None,
    }
}

fn authorities(tls: &PostgresTls) -> Result<Option<Authorities<'_>>, DatabaseInvalid> {
    match (tls.mode.unwrap_or(PostgresTlsMode::VerifyFull), &tls.ca_secret_ref, &tls.ca_config_map_ref) {
        (PostgresTlsMode::Disable, None, None) => Ok(None),
        (PostgresTlsMode::VerifyFull, Some(secret), None) => Ok(Some(Authorities::Secret(secret))),
        (PostgresTlsMode::VerifyFull, None, Some(config_map)) => Ok(Some(Authorities::ConfigMap(config_map))),
        _ => Err(DatabaseInvalid::Tls),
    }
}

/// A name as a part of a URL (RFC 3986, section 2.3).
fn encoded(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn from_secret(reference: &KeyRef, file: &str) -> VolumeProjection {
    let secret =
        SecretProjection { name: reference.name.clone(), items: Some(vec![item(reference, file)]), optional: None };
    VolumeProjection { secret: Some(secret), ..VolumeProjection::default() }
}

fn from_config_map(reference: &KeyRef, file: &str) -> VolumeProjection {
    let config_map =
        ConfigMapProjection { name: reference.name.clone(), items: Some(vec![item(reference, file)]), optional: None };
    VolumeProjection { config_map: Some(config_map), ..VolumeProjection::default() }
}

fn item(reference: &KeyRef, file: &str) -> KeyToPath {
    KeyToPath { key: reference.key.clone(), path: file.to_owned(), mode: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn postgres(written: Value) -> Postgres {
        serde_json::from_value(written).unwrap()
    }

    fn by_parts() -> Value {
        json!({ "host": "db.shop.svc", "database": "registers", "user": "peerwright", "tls": { "mode": "Disable" } })
    }

    fn with(mut written: Value, field: &str, value: Value) -> Value {
        written[field] = value;
        written
    }

    #[test]
    fn a_url_is_made_of_the_parts_whatever_is_in_their_names() {
        let url = |written: Value| {
            let postgres = postgres(written);
            let told = Database::of(&postgres).unwrap().environment();
            told.into_iter().find(|(name, _)| *name == "PEERWRIGHT_STORAGE_URL").unwrap().1
        };
        assert_eq!(url(by_parts()), "postgres://peerwright@db.shop.svc:5432/registers?sslmode=disable");
        let odd = with(with(by_parts(), "host", json!("fd00::1")), "port", json!(6432));
        let odd = with(with(odd, "user", json!("a@b:c")), "database", json!("d/e?f=ü"));
        assert_eq!(url(odd), "postgres://a%40b%3Ac@[fd00::1]:6432/d%2Fe%3Ff%3D%C3%BC?sslmode=disable");
        let known = with(by_parts(), "tls", json!({ "caConfigMapRef": { "name": "ca", "key": "ca.pem" } }));
        assert!(url(known).ends_with("?sslmode=require"));
    }

    #[test]
    fn what_is_named_twice_or_not_at_all_is_refused() {
        let refused = |written: Value| Database::of(&postgres(written)).map(drop);
        let key = json!({ "name": "database", "key": "uri" });
        let hidden = json!({ "urlSecretRef": key, "tls": { "mode": "Disable" } });
        assert_eq!((refused(by_parts()), refused(hidden.clone())), (Ok(()), Ok(())));
        for field in ["host", "database", "user"] {
            let mut lacking = by_parts();
            lacking.as_object_mut().unwrap().remove(field);
            assert_eq!(refused(lacking), Err(DatabaseInvalid::Access), "{field}");
        }
        for (field, value) in
            [("host", json!("a")), ("port", json!(1)), ("database", json!("a")), ("passwordSecretRef", key.clone())]
        {
            assert_eq!(refused(with(hidden.clone(), field, value)), Err(DatabaseInvalid::Access), "{field}");
        }
        for tls in [
            json!({}),
            json!({ "mode": "VerifyFull" }),
            json!({ "mode": "Disable", "caSecretRef": key }),
            json!({ "caSecretRef": key, "caConfigMapRef": key }),
        ] {
            assert_eq!(refused(with(by_parts(), "tls", tls.clone())), Err(DatabaseInvalid::Tls), "{tls}");
        }
    }

    #[test]
    fn without_files_there_is_no_volume() {
        assert_eq!(Database::of(&postgres(by_parts())).unwrap().volume(), None);
    }
}
