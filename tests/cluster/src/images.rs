//! Container images: built by `buildah` from an ordinary Dockerfile without a daemon, kept as OCI archives in the cache.
//! An archive is built again when what goes into it changes.

use std::path::{Path, PathBuf};

use crate::services::text;
use crate::{Binaries, ClusterError, Result, binaries, files, packages, program, progress};

/// What an image is made of.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a> {
    /// Full name with tag, `docker.io/peerwright/peerwright-node:dev`.
    pub reference: &'a str,
    /// The Dockerfile.
    pub dockerfile: &'a Path,
    /// Build arguments.
    pub arguments: &'a [(&'a str, &'a str)],
    /// Files of the build context, all put into its top folder under the name given.
    pub files: &'a [(&'a str, PathBuf)],
}

/// A built image.
#[derive(Clone, Debug)]
pub struct Archive {
    /// The OCI archive.
    pub file: PathBuf,
    /// Full name with tag.
    pub reference: String,
    /// Changes with everything that the image is made of.
    pub digest: String,
}

/// Builds an image, unless the cache has just this one.
///
/// # Errors
/// What `buildah` said.
pub fn build(recipe: &Recipe<'_>) -> Result<Archive> {
    let folder = binaries::cache().join("images");
    let short = recipe.reference.rsplit('/').next().unwrap_or(recipe.reference).replace(':', "-");
    let file = folder.join(format!("{short}.tar"));
    let key = folder.join(format!("{short}.key"));
    let mut sources = vec![recipe.dockerfile.to_owned()];
    sources.extend(recipe.files.iter().map(|(_, source)| source.clone()));
    let digest = format!("{} {} {:?}", files::digest(&sources)?, recipe.reference, recipe.arguments);
    if files::read_if_present(&key).as_deref() != Some(digest.as_str()) || !file.exists() {
        files::make_folder(&folder)?;
        let work = tempfile::tempdir_in(&folder).map_err(ClusterError::file(&folder))?;
        build_archive(recipe, work.path(), &file)?;
        files::write(&key, &digest)?;
        progress::say(format!("  built image {}", recipe.reference));
    }
    Ok(Archive { file, reference: recipe.reference.to_owned(), digest })
}

/// An image of upstream programs.
struct Base {
    name: &'static str,
    entrypoint: &'static str,
    files: Vec<(&'static str, PathBuf)>,
}

/// The images that every whole cluster runs: sandbox, shell for volumes, DNS, volumes.
pub(crate) fn base(binaries: &Binaries) -> Result<Vec<Archive>> {
    let busybox = packages::static_busybox()
        .ok_or_else(|| ClusterError::Missing("no static busybox: Debian package busybox-static".to_owned()))?;
    let images = [
        Base {
            name: "pause",
            entrypoint: r#"["/busybox", "sleep", "2147483647"]"#,
            files: vec![("busybox", busybox.clone())],
        },
        Base {
            name: "busybox",
            entrypoint: r#"["/bin/busybox"]"#,
            // Helper pods of the volume provisioner call /bin/sh.
            files: vec![("bin/busybox", busybox.clone()), ("bin/sh", busybox)],
        },
        Base { name: "coredns", entrypoint: r#"["/coredns"]"#, files: vec![("coredns", binaries.path("coredns"))] },
        Base {
            name: "local-path-provisioner",
            entrypoint: r#"["/local-path-provisioner"]"#,
            files: vec![("local-path-provisioner", binaries.path("local-path-provisioner"))],
        },
    ];
    let folder = binaries::cache().join("images");
    let mut archives = Vec::new();
    for Base { name, entrypoint, files } in images {
        let dockerfile = folder.join(format!("{name}.Dockerfile"));
        files::write(&dockerfile, format!("FROM scratch\nCOPY . /\nENTRYPOINT {entrypoint}\n"))?;
        let reference = format!("docker.io/peerwright/{name}:dev");
        archives.push(build(&Recipe {
            reference: &reference,
            dockerfile: &dockerfile,
            arguments: &[],
            files: &files,
        })?);
    }
    Ok(archives)
}

fn build_archive(recipe: &Recipe<'_>, work: &Path, file: &Path) -> Result<()> {
    let context = work.join("context");
    files::make_folder(&context)?;
    for (name, source) in recipe.files {
        let target = context.join(name);
        if let Some(folder) = target.parent() {
            files::make_folder(folder)?;
        }
        std::fs::copy(source, &target).map_err(ClusterError::file(source))?;
    }
    // Storage of its own, thrown away with the work folder: the machine's other images are none of our business.
    let storage = [
        "--storage-driver".to_owned(),
        "vfs".to_owned(),
        "--root".to_owned(),
        text(&work.join("root")),
        "--runroot".to_owned(),
        text(&work.join("runroot")),
    ];
    let mut build: Vec<String> = storage.to_vec();
    build.extend(["build", "--isolation", "chroot", "--quiet", "--timestamp", "0"].map(str::to_owned));
    for (name, value) in recipe.arguments {
        build.extend(["--build-arg".to_owned(), format!("{name}={value}")]);
    }
    build.extend(["--file".to_owned(), text(recipe.dockerfile), "--tag".to_owned(), recipe.reference.to_owned()]);
    build.push(text(&context));
    program::run("buildah", &build)?;
    let unfinished = work.join("image.tar");
    let target = format!("oci-archive:{}:{}", unfinished.display(), recipe.reference);
    let push =
        storage.into_iter().chain(["push".to_owned(), "--quiet".to_owned(), recipe.reference.to_owned(), target]);
    program::run("buildah", push)?;
    std::fs::rename(&unfinished, file).map_err(ClusterError::file(file))
}
