//! Other sealers by the authority alone.

use super::registers::{NOW, authority, begun, certified, entries, key, next, public, sealers};
use crate::chain::endorse;
use crate::{CertificateRefused, Docket, DocketRefused, ForkProof, Verify};
use crate::{CertifiedHeader, SealedDocket};
use peerwright_secure::NodeKey;

fn replaced(by: &NodeKey) -> SealedDocket {
    begun().replace_sealers(public(&sealers()[..1]), by).unwrap()
}

#[test]
fn one_of_the_sealers_goes_on_alone_by_the_authority_s_word() {
    let alone = &sealers()[..1];
    let (header, body) = replaced(&alone[0]);
    let certificate = endorse(&header, &body, &public(alone), &authority()).unwrap();
    let mut chain = begun();
    chain.extend(&Docket { header, certificate, body }, Verify::Docket, NOW).unwrap();
    assert_eq!(*chain.governance().sealers().sealers(), public(alone));
    assert_eq!(chain.governance().sealers().version(), 2);
    let after = next(&chain, entries(3));
    chain.clone().extend(&certified((after.header, after.body.clone()), alone), Verify::Docket, NOW).unwrap();
    // Those who are gone sign nothing any more.
    let refused = chain.extend(&certified((after.header, after.body), &sealers()[1..]), Verify::Docket, NOW);
    assert!(matches!(refused, Err(DocketRefused::Certificate(CertificateRefused::Foreign(_)))));
}

#[test]
fn the_same_chain_gives_the_same_docket_whenever_it_is_asked() {
    assert_eq!(replaced(&sealers()[0]), replaced(&sealers()[0]));
}

#[test]
fn who_may_not_change_the_sealers_forms_nothing() {
    let refused = begun().replace_sealers(public(&sealers()[..1]), &key(99));
    assert_eq!(refused.unwrap_err().code(), "control_author");
    assert!(begun().replace_sealers(public(&[]), &sealers()[0]).is_err());
}

#[test]
fn the_authority_endorses_the_change_that_it_was_told_of_and_nothing_else() {
    let alone = public(&sealers()[..1]);
    let (header, body) = replaced(&sealers()[0]);
    let refused = endorse(&header, &body, &public(&sealers()[1..2]), &authority());
    assert_eq!(refused, Err(CertificateRefused::NotForAuthority.into()));
    let refused = endorse(&header, &body, &alone, &key(99));
    assert_eq!(refused, Err(DocketRefused::ForeignSealer(authority().public())));
    let mut ordinary = next(&begun(), entries(1));
    ordinary.header.sealer = authority().public();
    let refused = endorse(&ordinary.header, &ordinary.body, &alone, &authority());
    assert_eq!(refused, Err(CertificateRefused::NotForAuthority.into()));
    let other = next(&begun(), entries(1)).body;
    assert!(endorse(&header, &other, &alone, &authority()).is_err(), "a body that is not the header's");
}

#[test]
fn a_docket_of_the_old_sealers_beside_the_authority_s_is_a_fork_that_anybody_can_prove() {
    let chain = begun();
    let (header, body) = replaced(&sealers()[0]);
    let certificate = endorse(&header, &body, &public(&sealers()[..1]), &authority()).unwrap();
    let old = next(&chain, entries(1));
    let ours = CertifiedHeader { header, certificate };
    let theirs = CertifiedHeader { header: old.header, certificate: old.certificate };
    let proof = ForkProof::of(ours, theirs).unwrap();
    assert_eq!(proof.verify(&[chain.governance().sealers().clone()], chain.governance().authority()), Ok(()));
}
