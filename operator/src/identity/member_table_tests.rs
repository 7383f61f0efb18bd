use super::*;

fn peer(byte: u8) -> PeerId {
    PeerId::from_bytes([byte; 32])
}

#[test]
fn first_key_of_a_claim_stays_its_key() {
    let mut table = MemberTable::default();

    assert_eq!(table.admit("claim-0", "demo-peer-0", peer(1)), Ok(true));
    assert_eq!(table.admit("claim-0", "demo-peer-0", peer(1)), Ok(false), "nothing new");
    assert_eq!(table.admit("claim-0", "demo-peer-0", peer(2)), Err(Refusal::IdentityChanged));
    assert_eq!(table.peer_id_of("demo-peer-0"), Some(peer(1)));
}

#[test]
fn copied_key_on_another_claim_is_refused() {
    let mut table = MemberTable::default();
    table.admit("claim-0", "demo-peer-0", peer(1)).expect("admitted");

    assert_eq!(table.admit("claim-1", "demo-peer-1", peer(1)), Err(Refusal::IdentityChanged));
    assert_eq!(table.peer_id_of("demo-peer-1"), None);
}

#[test]
fn pod_with_a_new_claim_replaces_its_old_row() {
    let mut table = MemberTable::default();
    table.admit("claim-0", "demo-peer-0", peer(1)).expect("admitted");

    assert_eq!(table.admit("claim-0b", "demo-peer-0", peer(2)), Ok(true));

    assert_eq!(table.peer_id_of("demo-peer-0"), Some(peer(2)));
    assert_eq!(table.members().count(), 1);
}

#[test]
fn id_of_a_claim_that_is_gone_is_retired_until_its_volume_comes_back() {
    let mut table = MemberTable::default();
    table.admit("claim-0", "demo-peer-0", peer(1)).expect("admitted");
    assert_eq!(table.retired().count(), 0);

    table.admit("claim-0b", "demo-peer-0", peer(2)).expect("admitted");
    assert_eq!(table.retired().collect::<Vec<_>>(), [peer(1)]);
    assert_eq!(MemberTable::from_data(&table.to_data()), Ok(table.clone()));

    table.admit("claim-0c", "demo-peer-0", peer(1)).expect("admitted");
    assert_eq!(table.retired().collect::<Vec<_>>(), [peer(2)]);
}

#[test]
fn oldest_retired_ids_make_room() {
    let mut table = MemberTable::default();
    for reset in 0..=MAX_RETIRED + 1 {
        let mut id = [7; 32];
        id[..8].copy_from_slice(&reset.to_be_bytes());
        table.admit(&format!("claim-{reset}"), "demo-peer-0", PeerId::from_bytes(id)).expect("admitted");
    }
    assert_eq!(table.retired().count(), MAX_RETIRED);
    assert!(
        table.retired().all(|id| !id.as_bytes().starts_with(&0_usize.to_be_bytes())),
        "the first reset is forgotten"
    );
}

#[test]
fn restored_volume_brings_its_peer_id_back_to_the_same_pod() {
    let mut table = MemberTable::default();
    table.admit("claim-0", "demo-peer-0", peer(1)).expect("admitted");

    assert_eq!(table.admit("claim-0b", "demo-peer-0", peer(1)), Ok(true));
}

#[test]
fn table_survives_its_config_map() {
    let mut table = MemberTable::default();
    table.admit("claim-0", "demo-peer-0", peer(1)).expect("admitted");
    table.admit("claim-1", "demo-peer-1", peer(2)).expect("admitted");
    assert!(table.raise_epoch(4));
    assert!(!table.raise_epoch(3), "an epoch never falls");

    assert_eq!(MemberTable::from_data(&table.to_data()), Ok(table));
}

#[test]
fn damaged_entry_is_named() {
    for (key, value) in [
        ("epoch", "many"),
        ("retired", "nobody"),
        ("claim-0", "not json"),
        ("claim-0", r#"{"peerId":"short","pod":"demo-peer-0"}"#),
        ("claim-0", r#"{"pod":"demo-peer-0"}"#),
    ] {
        let data = BTreeMap::from([(key.to_owned(), value.to_owned())]);
        assert_eq!(MemberTable::from_data(&data), Err(key.to_owned()), "{value}");
    }
}
