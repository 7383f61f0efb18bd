//! A register with two histories is frozen where they meet, over restarts, with a proof that anybody can check and that names who
//! signed both. The other history goes on where it was.

use super::history;
use crate::{
    api::Node,
    run::tests::register_simulation::{
        Broken, HOSTS, SEALERS,
        host::read,
        world::{LOOK, SETTLE_WITHIN, World},
    },
};
use peerwright_ledger::{Chain, CommitCertificate, Docket, ForkProof, Proposal, Verify};
use peerwright_secure::NodeKey;
use peerwright_store::{DocketStore, Extension, NewDocket, Seen};
use std::sync::Arc;

/// The replica that meets the other history.
const REPLICA: usize = HOSTS - 1;

/// While a replica is down, most sealers sign a docket for it that they show nobody else, and then go on.
pub(in crate::run::tests::register_simulation) fn check(world: &mut World) -> Result<(), Broken> {
    world.crash(REPLICA);
    let (chain, number) = forge(world)?;
    world.bounce(REPLICA);
    world.hand_in_at_each(0..SEALERS);
    let proof = found(world)?;
    let governance = chain.governance();
    let verified = proof.verify(std::slice::from_ref(governance.sealers()), governance.authority());
    verified.map_err(|refused| broken(format!("the proof does not hold: {refused}")))?;
    let liars: Vec<_> = liars(world).iter().map(NodeKey::public).collect();
    let culprits = proof.culprits();
    if proof.number() != number || culprits.is_empty() || !culprits.iter().all(|key| liars.contains(key)) {
        return Err(broken(format!("the proof is of docket {} and names {culprits:?}", proof.number())));
    }
    world.crash(REPLICA);
    world.bounce(REPLICA);
    world.hand_in_at_each(0..SEALERS);
    found(world)?;
    let histories: Vec<_> =
        [0, REPLICA].into_iter().map(|host| history(&*world.hosts[host].volume, world.register)).collect();
    match &histories[..] {
        [Ok(sealer), Ok(replica)] if sealer.len() > replica.len() && replica.len() as u64 == number + 1 => Ok(()),
        _ => Err(broken("a frozen register goes on, or the other history does not".to_owned())),
    }
}

/// Most sealers.
fn liars(world: &World) -> Vec<NodeKey> {
    world.hosts[..=SEALERS / 2].iter().map(|host| host.key.clone()).collect()
}

/// Gives what the replica held before, and the number of the docket that it holds now and nobody else does.
fn forge(world: &mut World) -> Result<(Chain, u64), Broken> {
    let (register, now) = (world.register, world.now());
    let volume = Arc::clone(&world.hosts[REPLICA].volume);
    let refused = |why: &dyn ToString| broken(why.to_string());
    let checkpoint = read(volume.checkpoint(register)).unwrap_or_default();
    let before = Chain::decode(&checkpoint).map_err(|error| refused(&error))?;
    let transaction = world.sign_unsent().encoded().clone();
    let liars = liars(world);
    let proposal = Proposal { time_micros: now, proposer: liars[0].public(), transactions: vec![transaction] };
    let (header, body) = before.seal(&proposal).ok_or_else(|| broken("nothing could be forged".to_owned()))?;
    let hash = header.hash();
    let certificate = CommitCertificate::Sealers(liars.iter().map(|key| (key.public(), hash.sign(key))).collect());
    let (docket, mut chain) = (Docket { header, certificate, body }, before.clone());
    let ids = chain.extend(&docket, Verify::EveryTransaction, now).map_err(|why| refused(&why))?;
    let dockets = vec![NewDocket::of(&docket, ids)];
    read(volume.extend(vec![Extension { register, dockets, checkpoint: chain.encode() }]));
    Ok((before, docket.header.number))
}

/// The proof, once the replica has it.
fn found(world: &mut World) -> Result<Arc<ForkProof>, Broken> {
    let until = world.sim.elapsed() + SETTLE_WITHIN;
    loop {
        let node = world.hosts[REPLICA].node();
        if let Some(proof) = node.and_then(|node| node.registers().fork(world.register)) {
            return Ok(proof);
        }
        if world.sim.elapsed() > until {
            let held = read(world.hosts[REPLICA].volume.headers(world.register, 0, Seen::Certified, usize::MAX)).len();
            return Err(broken(format!(
                "a second history does not freeze the register, of which {held} dockets are held"
            )));
        }
        world.pass(LOOK)?;
    }
}

fn broken(what: String) -> Broken {
    Broken::new("forks", what)
}
