//! A register with two histories is frozen, with a proof that anybody can check and that names who signed both. One sealer alone
//! can show nobody a second history.

use crate::tests::simulation::{
    Broken,
    replica::{Replica, Taken},
};
use peerwright_ledger::{Chain, CommitCertificate, Docket, Proposal, Verify};
use peerwright_secure::NodeKey;
use std::collections::BTreeSet;

/// Gives a replica a second docket in the place of the last of `history`: signed by one sealer, then by a majority that signs twice.
pub(in crate::tests::simulation) async fn check(
    replica: &mut Replica,
    history: &[Docket],
    keys: &[NodeKey],
    now: u64,
) -> Result<(), Broken> {
    let broken = |what: &str| Broken::new("forks", what);
    let Some((last, before)) = history.split_last().filter(|(last, _)| !last.header.control) else { return Ok(()) };
    let chain = chain_of(before, now).ok_or_else(|| broken("the history cannot be verified"))?;
    let register = chain.register();
    let sealers = chain.governance().sealers().clone();
    let liars: Vec<&NodeKey> =
        keys.iter().filter(|key| sealers.contains(&key.public())).take(sealers.majority()).collect();
    let Some(other) = another(&chain, last, &liars) else { return Ok(()) };
    let alone = Docket { certificate: sign(&other, &liars[..1]), ..other.clone() };
    if sealers.majority() > 1 && !matches!(replica.take(register, &alone, now).await?, Taken::Refused(_)) {
        return Err(broken("one sealer's word was taken for a second history"));
    }
    if replica.take(register, &other, now).await? != Taken::Frozen {
        return Err(broken("a second history did not freeze the register"));
    }
    let proof = replica.frozen(&register).ok_or_else(|| broken("a frozen register has no proof"))?;
    let verified = proof.verify(&[sealers], chain.governance().authority());
    verified.map_err(|refused| broken(&format!("the proof does not hold: {refused}")))?;
    let signed_both: BTreeSet<_> = proof.culprits().into_iter().collect();
    if signed_both.is_empty() || !signed_both.iter().all(|key| liars.iter().any(|liar| liar.public() == *key)) {
        return Err(broken("the proof names somebody else"));
    }
    if replica.take(register, last, now).await? != Taken::Frozen {
        return Err(broken("a frozen register goes on"));
    }
    Ok(())
}

fn chain_of(history: &[Docket], now: u64) -> Option<Chain> {
    let (first, others) = history.split_first()?;
    let mut chain = Chain::begin(first, now).ok()?;
    for docket in others {
        chain.extend(docket, Verify::Docket, now).ok()?;
    }
    Some(chain)
}

/// The same transactions, sealed a little later.
fn another(chain: &Chain, last: &Docket, liars: &[&NodeKey]) -> Option<Docket> {
    let transactions = last.body.transactions().map(bytes::Bytes::copy_from_slice).collect();
    let proposer = liars.first()?.public();
    let proposal = Proposal { time_micros: last.header.sealed_at_micros + 1, proposer, transactions };
    let (header, body) = chain.seal(&proposal)?;
    let unsigned = Docket { header, certificate: CommitCertificate::Sealers([].into()), body };
    Some(Docket { certificate: sign(&unsigned, liars), ..unsigned })
}

fn sign(docket: &Docket, by: &[&NodeKey]) -> CommitCertificate {
    let hash = docket.header.hash();
    CommitCertificate::Sealers(by.iter().map(|key| (key.public(), hash.sign(key))).collect())
}
