//! Every route is in the reference, with the role that it asks for.

use super::Api;
use axum::{body::Body, http::Request};
use std::collections::BTreeSet;

const ROUTES: &str = include_str!("../mod.rs");
const REFERENCE: &str = include_str!("../../../../docs/rest.md");

/// Method, path and role of each row of the reference.
fn rows() -> Vec<(String, String, String)> {
    let rows = REFERENCE.lines().filter_map(|line| line.strip_prefix("| `"));
    let rows = rows.filter_map(|row| {
        let (call, rest) = row.split_once("` | ")?;
        let (method, path) = call.split_once(' ')?;
        let (role, _) = rest.split_once(" | ")?;
        let path = path.split('?').next().unwrap_or_default();
        path.starts_with('/').then(|| (method.to_owned(), path.to_owned(), role.to_owned()))
    });
    rows.collect()
}

/// A path that the route takes.
fn filled(path: &str) -> String {
    let peer = "07".repeat(32);
    let path = path.replace("/api/peers/{id}", &format!("/api/peers/{peer}"));
    path.replace("{name}", "loan")
        .replace("{id}", &"ab".repeat(16))
        .replace("{number}", "0")
        .replace("{transaction}", &"00".repeat(32))
}

#[tokio::test]
async fn each_route_asks_for_the_role_that_the_reference_names() {
    let api = Api::new().await;
    let rows = rows();
    for (method, path, role) in &rows {
        let request = Request::builder().method(method.as_str()).uri(filled(path)).body(Body::from("{}")).unwrap();
        let answer = api.call(request).await;
        let error = answer.assert_refused(401, "token_required");
        assert!(error.ends_with(&format!("has the role {role}")), "{method} {path}: {error}");
    }
    assert!(rows.len() > 25);
}

#[test]
fn each_route_has_its_row_in_the_reference() {
    let routes = ROUTES.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")?.split('"').next());
    let documented: BTreeSet<String> = rows().into_iter().map(|(_, path, _)| path).collect();
    let missing: Vec<&str> = routes.filter(|path| !documented.contains(*path)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
