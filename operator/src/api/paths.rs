//! Reads the resource out of the path of an API request: the label of what is counted.

/// The resource, with its subresource, that a request path names: `pods`, `pods/eviction`, `peerbans/status`.
/// Empty for paths that name none, such as `/version`.
pub(super) fn resource_of(path: &str) -> String {
    let mut parts = path.trim_matches('/').split('/').skip_while(|part| part.is_empty());
    let skip = match parts.next() {
        Some("api") => 1,
        Some("apis") => 2,
        _ => return String::new(),
    };
    let mut parts = parts.skip(skip).peekable();
    let first = parts.next().unwrap_or_default();
    let resource = match (first, parts.peek()) {
        ("namespaces", Some(_)) => {
            let _namespace = parts.next();
            parts.next().unwrap_or("namespaces")
        }
        _ => first,
    };
    match parts.nth(1) {
        Some(subresource) => format!("{resource}/{subresource}"),
        None => resource.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::resource_of;

    #[test]
    fn the_resource_is_found_in_every_kind_of_path() {
        for (path, resource) in [
            ("/api/v1/pods", "pods"),
            ("/api/v1/namespaces/shop/pods", "pods"),
            ("/api/v1/namespaces/shop/pods/a-0/eviction", "pods/eviction"),
            ("/apis/apps/v1/namespaces/shop/statefulsets/a", "statefulsets"),
            ("/apis/peerwright.dev/v1alpha1/peerbans", "peerbans"),
            ("/apis/peerwright.dev/v1alpha1/namespaces/shop/peerbans/a/status", "peerbans/status"),
            ("/apis/authentication.k8s.io/v1/tokenreviews", "tokenreviews"),
            ("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/a.b", "customresourcedefinitions"),
            ("/api/v1/namespaces/shop", "namespaces"),
            ("/version", ""),
        ] {
            assert_eq!(resource_of(path), resource, "{path}");
        }
    }
}
