//! Upstream programs, built once with Go into a cache outside the tree.
//!
//! Each is rebuilt when the `go.mod`, `go.sum` or sources that it comes from change: beside every program lies a key, the
//! hash of those files. Several processes may ask at once; one builds, the others wait.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::{ClusterError, Result, files, program, progress};

/// Version of Kubernetes in `go/kube/go.mod`; helm and client libraries parse what the API server says.
const KUBERNETES: (&str, &str, &str) = ("1", "36", "3");

/// A program that is built here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// Its name in the cache.
    pub name: &'static str,
    /// Folder of the Go module that names its version.
    module: &'static str,
    package: &'static str,
}

const fn kube(name: &'static str, package: &'static str) -> Upstream {
    Upstream { name, module: "kube", package }
}

const fn tool(name: &'static str, package: &'static str) -> Upstream {
    Upstream { name, module: "tools", package }
}

/// What a light cluster needs.
pub const LIGHT: &[Upstream] = &[
    tool("etcd", "go.etcd.io/etcd/server/v3"),
    kube("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
    kube("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager"),
    kube("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
];

/// What a whole cluster needs beyond that.
const WHOLE: &[Upstream] = &[
    kube("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler"),
    kube("kubelet", "k8s.io/kubernetes/cmd/kubelet"),
    kube("kube-proxy", "k8s.io/kubernetes/cmd/kube-proxy"),
    tool("coredns", "github.com/coredns/coredns"),
    tool("local-path-provisioner", "github.com/rancher/local-path-provisioner"),
    Upstream { name: "wan", module: "wan", package: "." },
];

/// Programs that people and tests use from outside.
pub const CLIENTS: &[Upstream] = &[
    kube("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
    tool("helm", "helm.sh/helm/v4/cmd/helm"),
    tool("grpcurl", "github.com/fullstorydev/grpcurl/cmd/grpcurl"),
];

/// Everything of a whole cluster, its clients included.
#[must_use]
pub fn whole() -> Vec<Upstream> {
    let mut all: Vec<Upstream> = Vec::new();
    for upstream in LIGHT.iter().chain(WHOLE).chain(CLIENTS) {
        if !all.contains(upstream) {
            all.push(*upstream);
        }
    }
    all
}

/// `$PEERWRIGHT_CACHE`, or `peerwright/cluster` in the user's cache folder.
#[must_use]
pub fn cache() -> PathBuf {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("PEERWRIGHT_CACHE").unwrap_or_else(|| {
        let user = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
        user.unwrap_or_else(|| PathBuf::from("/var/cache")).join("peerwright/cluster")
    })
}

/// The folder of built programs, all of those asked for being there.
#[derive(Clone, Debug)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Builds what is missing or old.
    ///
    /// # Errors
    /// One line if there is no Go; else what the build said.
    pub fn ensure(wanted: &[Upstream]) -> Result<Self> {
        let folder = cache().join("bin");
        files::make_folder(&folder)?;
        let binaries = Self { folder };
        let outdated = binaries.outdated(wanted)?.len();
        if outdated == 0 {
            return Ok(binaries);
        }
        require_go()?;
        progress::say(format!(
            "building {outdated} upstream programs into {}; the first time takes about 7 minutes on 2 cores",
            binaries.folder.display()
        ));
        let lock = binaries.folder.join(".lock");
        let lock_file = File::create(&lock).map_err(ClusterError::file(&lock))?;
        for upstream in wanted {
            // One program at a time, so that whoever wants another one need not wait for all of these.
            lock_file.lock().map_err(ClusterError::file(&lock))?;
            for (upstream, key) in binaries.outdated(std::slice::from_ref(upstream))? {
                binaries.build(&upstream)?;
                files::write(&binaries.key_file(&upstream), &key)?;
            }
            lock_file.unlock().map_err(ClusterError::file(&lock))?;
        }
        Ok(binaries)
    }

    /// The folder, for `PATH`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of a program.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }

    fn outdated(&self, wanted: &[Upstream]) -> Result<Vec<(Upstream, String)>> {
        let mut outdated = Vec::new();
        for upstream in wanted {
            let key = key(upstream.module)?;
            if files::read_if_present(&self.key_file(upstream)).as_deref() != Some(&key)
                || !self.path(upstream.name).exists()
            {
                outdated.push((*upstream, key));
            }
        }
        Ok(outdated)
    }

    fn key_file(&self, upstream: &Upstream) -> PathBuf {
        self.folder.join(format!(".{}.key", upstream.name))
    }

    fn build(&self, upstream: &Upstream) -> Result<()> {
        let began = Instant::now();
        let unfinished = self.folder.join(format!(".{}.new", upstream.name));
        let output = unfinished.to_string_lossy().into_owned();
        let flags = linker_flags(upstream);
        let log = self.folder.join(format!(".{}.log", upstream.name));
        let log_file = File::create(&log).map_err(ClusterError::file(&log))?;
        let mut command = program::command(
            "go",
            [
                "build",
                "-trimpath",
                "-buildvcs=false",
                "-tags",
                "netgo,osusergo",
                // The linker would throw it away: a sixth of the compiler's work.
                "-gcflags=all=-dwarf=false",
                "-ldflags",
                &flags,
                "-o",
                &output,
                upstream.package,
            ],
        );
        command.current_dir(modules().join(upstream.module)).env("CGO_ENABLED", "0").env("GOWORK", "off");
        command.stdout(Stdio::null()).stderr(log_file);
        let line = program::line(&command);
        let failed = |source| ClusterError::Start { line: line.clone(), source };
        let mut child = command.spawn().map_err(failed)?;
        let mut next_word = Duration::from_secs(30);
        let status = loop {
            if let Some(status) = child.try_wait().map_err(failed)? {
                break status;
            }
            if began.elapsed() >= next_word {
                progress::say(format!("  still building {} after {} s", upstream.name, next_word.as_secs()));
                next_word += Duration::from_secs(30);
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        if !status.success() {
            let said = files::tail(&log, 10);
            if let Some(why) = unreachable(&said) {
                return Err(ClusterError::Missing(format!(
                    "Go modules cannot be fetched: {why}; is there a network? ({})",
                    log.display()
                )));
            }
            return Err(ClusterError::Program { line, status, output: said });
        }
        let built = self.path(upstream.name);
        std::fs::rename(&unfinished, &built).map_err(ClusterError::file(&built))?;
        progress::say(format!("  built {} in {} s", upstream.name, began.elapsed().as_secs()));
        Ok(())
    }
}

pub(crate) fn require_go() -> Result<()> {
    if program::find("go").is_some() {
        return Ok(());
    }
    Err(ClusterError::Missing(
        "no `go` on the PATH: the local cluster is built from source by Go 1.21 or newer, see https://go.dev/doc/install"
            .to_owned(),
    ))
}

/// The line in which Go says that it reaches no module proxy.
fn unreachable(said: &str) -> Option<&str> {
    let signs = ["dial tcp", "no such host", "connection refused", "i/o timeout", "network is unreachable"];
    said.lines().find(|line| signs.iter().any(|sign| line.contains(sign)))
}

/// The Go modules in this crate's sources.
fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("go")
}

fn key(module: &str) -> Result<String> {
    let folder = modules().join(module);
    let mut sources = vec![folder.join("go.mod"), folder.join("go.sum")];
    sources.extend(Some(folder.join("main.go")).filter(|file| file.exists()));
    files::digest(&sources)
}

fn linker_flags(upstream: &Upstream) -> String {
    let (major, minor, patch) = KUBERNETES;
    let version = "k8s.io/component-base/version";
    match upstream.module {
        "kube" => format!(
            "-s -w -X {version}.gitVersion=v{major}.{minor}.{patch} -X {version}.gitMajor={major} -X {version}.gitMinor={minor} \
             -X {version}.gitTreeState=clean"
        ),
        _ => "-s -w".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_told_to_clients_is_the_one_that_is_built() {
        let module = std::fs::read_to_string(modules().join("kube/go.mod")).unwrap();
        let (major, minor, patch) = KUBERNETES;
        assert!(module.contains(&format!("k8s.io/kubernetes v{major}.{minor}.{patch} ")));
    }

    #[test]
    fn every_program_is_named_once_and_its_module_is_here() {
        let all = whole();
        for upstream in &all {
            assert_eq!(all.iter().filter(|other| other.name == upstream.name).count(), 1, "{}", upstream.name);
            assert!(modules().join(upstream.module).join("go.mod").exists());
        }
    }
}
