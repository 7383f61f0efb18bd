use super::{ChunkTaken, ChunkWanted, Fetches, Served, Serving};
use crate::{
    LinkId, Micros, Token, bounds,
    gossip::Candidate,
    outbox::{Draft, Outbox},
};
use peerwright_ledger::{RegisterId, TransactionId};
use peerwright_secure::NodeKey;
use std::time::Duration;

const CHUNK: u32 = bounds::CHUNK_BYTES;
const LATER: Micros = Micros(5_000_000);

fn id(number: u8) -> TransactionId {
    TransactionId::from_bytes([number; 32])
}

fn announcement(number: u8, size: u32, links: &[u64]) -> Candidate {
    let draft = Draft::announce(RegisterId::from_bytes([1; 16]), Token(1), id(number), size);
    let mut outbox = Outbox::new(NodeKey::from_seed([1; 32]), 1);
    let message = outbox.sign(Micros(1), Micros(1), Duration::from_secs(60), draft).unwrap().message;
    Candidate {
        message,
        links: links.iter().copied().map(LinkId).collect(),
        hops: Some(1),
        pulled_from: None,
        since: Micros(1),
    }
}

fn offsets(wanted: &[ChunkWanted]) -> Vec<u32> {
    wanted.iter().map(|chunk| chunk.offset / CHUNK).collect()
}

#[test]
fn a_body_is_fetched_by_a_window_and_put_together_in_order() {
    let mut fetches = Fetches::default();
    let size = CHUNK * 5 + 7;
    assert!(fetches.want(id(1), size, announcement(1, size, &[1])));
    let (wanted, orphans) = fetches.start(LATER, |_, _| true);
    assert_eq!((offsets(&wanted), orphans.len()), (vec![0, 1, 2, 3], 0));
    let chunk = |number: u8| vec![number; CHUNK as usize];
    let more = |fetches: &mut Fetches, number: u8| match fetches.chunk(
        LinkId(1),
        id(1),
        CHUNK * u32::from(number),
        &chunk(number),
        LATER,
    ) {
        ChunkTaken::More(wanted) => offsets(&wanted),
        other => panic!("{other:?}"),
    };
    assert_eq!(more(&mut fetches, 1), [4]);
    assert_eq!(more(&mut fetches, 0), [5]);
    for number in [2, 3, 4] {
        assert!(more(&mut fetches, number).is_empty());
    }
    let ChunkTaken::Whole { bytes, .. } = fetches.chunk(LinkId(1), id(1), CHUNK * 5, &[5; 7], LATER) else {
        panic!("the body is whole");
    };
    assert_eq!(bytes.len(), size as usize);
    assert!(bytes.chunks(CHUNK as usize).zip(0..).all(|(part, number)| part.iter().all(|byte| *byte == number)));
    fetches.storing(&id(1), Token(9));
    let (messages, source) = fetches.stored(Token(9)).unwrap();
    assert_eq!((messages.len(), source, fetches.count()), (1, LinkId(1), 0));
}

#[test]
fn chunks_that_were_not_asked_for_are_not_taken() {
    let mut fetches = Fetches::default();
    assert!(fetches.want(id(1), CHUNK * 9, announcement(1, CHUNK * 9, &[1])));
    fetches.start(LATER, |_, _| true);
    let chunk = vec![0; CHUNK as usize];
    for (link, offset, bytes) in [
        (LinkId(2), 0, &chunk[..]),
        (LinkId(1), CHUNK * 4, &chunk[..]),
        (LinkId(1), 1, &chunk[..]),
        (LinkId(1), 0, &chunk[..5]),
    ] {
        assert_eq!(fetches.chunk(link, id(1), offset, bytes, LATER), ChunkTaken::Unwanted);
    }
    assert!(matches!(fetches.chunk(LinkId(1), id(1), 0, &chunk, LATER), ChunkTaken::More(_)));
    assert_eq!(fetches.chunk(LinkId(1), id(1), 0, &chunk, LATER), ChunkTaken::Unwanted, "it came before");
}

#[test]
fn a_silent_or_lost_holder_is_left_for_the_next_and_the_last_for_none() {
    let mut fetches = Fetches::default();
    assert!(fetches.want(id(1), CHUNK, announcement(1, CHUNK, &[1, 2, 3])));
    assert_eq!(fetches.start(LATER, |_, _| true).0[0].link, LinkId(1));
    assert_eq!(fetches.leave_overdue(LATER), [LinkId(1)]);
    assert_eq!(fetches.start(LATER, |_, _| true).0[0].link, LinkId(2));
    fetches.link_ended(LinkId(2));
    assert_eq!(fetches.start(LATER, |_, _| true).0[0].link, LinkId(3));
    fetches.gone(LinkId(3), &id(1));
    let (wanted, orphans) = fetches.start(LATER, |_, _| true);
    assert_eq!((wanted.len(), orphans.len(), fetches.count()), (0, 1, 0));
}

#[test]
fn a_body_that_does_not_verify_is_fetched_from_another() {
    let mut fetches = Fetches::default();
    assert!(fetches.want(id(1), CHUNK, announcement(1, CHUNK, &[1, 2])));
    fetches.start(LATER, |_, _| true);
    assert!(matches!(fetches.chunk(LinkId(1), id(1), 0, &vec![0; CHUNK as usize], LATER), ChunkTaken::Whole { .. }));
    fetches.storing(&id(1), Token(9));
    assert_eq!(fetches.retry(Token(9)), Some((LinkId(1), id(1))));
    assert_eq!(fetches.start(LATER, |_, _| true).0[0].link, LinkId(2));
}

#[test]
fn few_bodies_are_fetched_at_once_and_a_bounded_number_waits() {
    let mut fetches = Fetches::default();
    for number in 0..=255 {
        assert!(fetches.want(id(number), CHUNK, announcement(number, CHUNK, &[1])));
    }
    let another = TransactionId::from_bytes([[7; 16], [8; 16]].concat().try_into().unwrap());
    assert!(!fetches.want(another, CHUNK, announcement(0, CHUNK, &[1])));
    assert_eq!(fetches.start(LATER, |_, _| true).0.len(), bounds::MAX_ACTIVE_FETCHES);
    assert!(!fetches.want(id(1), CHUNK + 1, announcement(1, CHUNK + 1, &[2])), "an id names one size");
}

#[test]
fn a_link_is_served_a_bounded_number_of_chunks_at_once() {
    let mut serving = Serving::default();
    let served = Served { link: LinkId(1), id: id(1), offset: 0 };
    for token in 0..bounds::MAX_SERVED_CHUNKS as u64 {
        assert!(serving.begin(Token(token), served));
    }
    assert!(!serving.begin(Token(99), served));
    assert!(serving.begin(Token(100), Served { link: LinkId(2), ..served }));
    assert_eq!(serving.end(Token(0)), Some(served));
    assert!(serving.begin(Token(99), served));
}
