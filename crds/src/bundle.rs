//! Which version of the definitions a cluster has: an operator must not run on definitions older than itself, because
//! the API server would drop the fields that they do not know.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// Annotation of a definition that names the version it was released with.
pub const BUNDLE_VERSION_ANNOTATION: &str = "peerwright.dev/bundle-version";
/// Version of the definitions in this build.
pub const BUNDLE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A definition that is older than this build; the text says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BundleOutdated {
    /// Name of the definition, as in `peernetworks.peerwright.dev`.
    pub definition: String,
    /// Version that the cluster has; absent when the definition does not say.
    pub installed: Option<String>,
}

impl std::fmt::Display for BundleOutdated {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let installed = self.installed.as_deref().unwrap_or("an unknown version");
        write!(
            formatter,
            "CustomResourceDefinition {} is of {installed}, this operator needs {BUNDLE_VERSION}: upgrade the chart peerwright-crds",
            self.definition
        )
    }
}

impl std::error::Error for BundleOutdated {}

/// Whether an installed definition is at least as new as this build.
///
/// # Errors
/// [`BundleOutdated`] when it is older, or does not say what it is.
pub fn check_bundle(definition: &CustomResourceDefinition) -> Result<(), BundleOutdated> {
    let annotations = definition.metadata.annotations.as_ref();
    let installed = annotations.and_then(|annotations| annotations.get(BUNDLE_VERSION_ANNOTATION));
    match (installed.and_then(|text| numbers(text)), numbers(BUNDLE_VERSION)) {
        (Some(installed), Some(needed)) if installed >= needed => Ok(()),
        _ => Err(BundleOutdated {
            definition: definition.metadata.name.clone().unwrap_or_default(),
            installed: installed.cloned(),
        }),
    }
}

/// Major, minor and patch of a version; what follows a dash or a plus does not count.
fn numbers(version: &str) -> Option<[u64; 3]> {
    let core = version.split(['-', '+']).next()?;
    let mut parts = core.split('.').map(str::parse);
    let numbers = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?];
    parts.next().is_none().then_some(numbers)
}
