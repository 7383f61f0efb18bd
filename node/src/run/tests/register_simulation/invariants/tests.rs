//! Each invariant, on histories that somebody has tampered with.

use super::{Certified, history, prefixes, stranger};
use crate::{
    driver::Clock,
    run::tests::register_simulation::host::read,
    testing::{NETWORK_UID, sealed::SealedRegister},
};
use peerwright_ledger::{Docket, TransactionId};
use peerwright_store::{DocketStore, Memory};

/// A volume that holds the register.
async fn volume(sealed: &SealedRegister) -> Memory {
    let volume = Memory::new(NETWORK_UID);
    sealed.fill(&volume).await;
    volume
}

/// Two registers that are one up to docket 3, and the shorter one's volume.
async fn forked() -> ([SealedRegister; 2], Memory) {
    let common = SealedRegister::of(3, 2);
    let [mut one, mut other] = [common.clone(), common];
    one.seal(1);
    other.seal(2);
    let volume = volume(&one).await;
    ([one, other], volume)
}

#[tokio::test]
async fn a_certified_docket_that_disappears_or_changes_is_noticed() {
    let ([one, other], whole) = forked().await;
    let (trimmed, changed) = (volume(&one).await, volume(&other).await);
    read(trimmed.trim(one.register(), 1));
    let mut certified = Certified::default();
    let mut check = |host, volume: &Memory| certified.check(host, volume, one.register());

    check(0, &whole).unwrap();
    check(0, &whole).unwrap();
    check(1, &Memory::new(NETWORK_UID)).unwrap();
    for (host, volume, says) in [
        (0, Memory::new(NETWORK_UID), "its head was Some(4) and is None"),
        (0, trimmed, "docket 1 stands where 0 was"),
        (1, changed, "was seen as"),
    ] {
        let broken = check(host, &volume).unwrap_err();
        assert!(broken.invariant == "certified" && broken.what.contains(says), "{broken}");
    }
}

#[tokio::test]
async fn histories_that_part_are_noticed() {
    let ([one, other], whole) = forked().await;
    let changed = volume(&other).await;
    let shorter = volume(&SealedRegister::of(0, 0)).await;
    let [mut own, theirs] = [&whole, &changed].map(|volume| history(volume, one.register()).unwrap());

    let broken = prefixes::check(&[(0, own.clone()), (1, theirs)]).unwrap_err();
    assert!(broken.what.contains("docket 4 is another at host"), "{broken}");
    assert!(history(&shorter, one.register()).unwrap().is_empty());
    let whole = own.clone();
    own.pop();
    prefixes::check(&[(0, whole), (1, own), (2, Vec::new())]).unwrap();
}

#[tokio::test]
async fn a_stranger_notices_what_nobody_signed_what_is_missing_and_what_is_sealed_twice() {
    let sealed = SealedRegister::of(3, 2);
    let dockets = history(&volume(&sealed).await, sealed.register()).unwrap();
    let check = |dockets: &[Docket]| stranger::check(0, dockets, sealed.register(), Clock::wall().0);
    assert_eq!(check(&dockets).unwrap().len(), 6);

    let unsigned = |docket: &Docket| {
        let certificate = dockets[1].certificate.clone();
        Docket { certificate, ..docket.clone() }
    };
    let emptied = Docket { body: dockets[1].body.clone(), ..dockets[3].clone() };
    for (number, changed) in [(2, unsigned(&dockets[2])), (3, emptied)] {
        let mut tampered = dockets.clone();
        tampered[number] = changed;
        let broken = check(&tampered).unwrap_err();
        assert!(broken.invariant == "stranger" && broken.what.contains(&format!("docket {number}")), "{broken}");
    }
    assert!(check(&dockets[1..]).is_err());
    let twice = [1, 2, 1].map(|number| TransactionId::from_bytes([number; 32]));
    assert!(stranger::once(0, twice.to_vec()).is_err());
}
