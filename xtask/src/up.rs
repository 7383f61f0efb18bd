//! `up` and `down`: from nothing to a running demo network, and back.

use anyhow::Result;
use peerwright_cluster::{Cluster, progress};

use crate::session::{self, Session};
use crate::target::Target;
use crate::{demo, images, install};

/// Starts whatever does not run yet and says what to try.
pub(crate) fn up(asked: Option<Target>, nodes: u8) -> Result<()> {
    let session = start(asked, nodes)?;
    demo::print_what_to_try(&session)
}

/// Starts whatever does not run yet.
pub(crate) fn start(asked: Option<Target>, nodes: u8) -> Result<Session> {
    let target = session::target_for(asked)?;
    progress::say(format!("running in {target}"));
    target.prepare()?;
    let programs = match &target {
        Target::Context(_) => {
            let names = ["peerwright-operator", "peerwright-node"].map(images::reference).join(" and ");
            progress::say(format!(
                "the nodes of {target} must be able to get {names}; the Dockerfile says how to build them"
            ));
            None
        }
        Target::Kind | Target::Native => Some(images::build_programs()?),
    };
    let before = Session::find();
    if before.is_none() {
        // Known before it is begun, so that `down` can end what a failure leaves.
        std::fs::create_dir_all(session::folder())?;
    }
    let kubeconfig = target.start(nodes, &session::folder())?;
    let mut session = before.unwrap_or_else(|| Session::new(target, kubeconfig));
    session.save()?;
    let changed = match &programs {
        Some(folder) => images::load(&session, folder)?,
        None => images::Changed::default(),
    };
    install::install(&mut session, changed)?;
    demo::start(&mut session, changed.node)?;
    Ok(session)
}

/// Removes exactly what `up` made.
pub(crate) fn down() -> Result<()> {
    let Some(session) = Session::find() else {
        // A start that failed early has left a cluster without a session.
        Cluster::down()?;
        Session::forget();
        return Ok(());
    };
    if matches!(session.target, Target::Context(_)) {
        demo::remove(&session)?;
        install::remove(&session)?;
    }
    session.target.end()?;
    Session::forget();
    Ok(())
}
