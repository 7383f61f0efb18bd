use super::*;
use crate::Micros;
use proptest::prelude::*;
use std::time::Duration;

const START: Micros = Micros(1_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const SMALL: Window = Window { frames: 16, bytes: 400 };

fn frame(number: u64) -> Bytes {
    Bytes::from(number.to_be_bytes().to_vec())
}

fn sent(count: u64) -> Session {
    let mut session = Session::new(Window::default());
    for number in 1..=count {
        session.number(frame(number));
        assert_eq!(session.take(), Some((number, frame(number))));
    }
    session
}

#[test]
fn frames_are_numbered_from_one_and_kept_until_they_are_acknowledged() {
    let mut session = sent(5);
    assert_eq!((session.take(), session.kept().0), (None, 5));
    session.acknowledged(3).unwrap();
    assert_eq!(session.kept(), (2, 16));
    session.acknowledged(1).unwrap();
    session.acknowledged(5).unwrap();
    assert_eq!((session.kept(), session.next_number()), ((0, 0), 6));
}

#[test]
fn a_new_carrier_goes_on_from_where_the_peer_stands() {
    let mut session = sent(5);
    session.number(frame(6));
    session.resume(3).unwrap();
    let taken: Vec<u64> = std::iter::from_fn(|| session.take()).map(|(number, _)| number).collect();
    assert_eq!(taken, [4, 5, 6]);
}

#[test]
fn what_an_older_carrier_brought_after_all_is_acknowledged_on_the_new_one() {
    let mut session = sent(5);
    session.resume(3).unwrap();
    session.acknowledged(5).unwrap();
    assert_eq!((session.take(), session.next_number()), (None, 6));
}

#[test]
fn a_peer_that_has_what_was_not_sent_breaks_the_session() {
    let mut session = sent(5);
    session.number(frame(6));
    session.acknowledged(4).unwrap();
    assert_eq!(session.clone().resume(6), Err(SessionBroken::Ahead));
    assert_eq!(session.acknowledged(6), Err(SessionBroken::Ahead));
    assert_eq!(session.acknowledged(u64::MAX), Err(SessionBroken::Ahead));
    assert_eq!(session.resume(u64::MAX), Err(SessionBroken::Ahead));
}

#[test]
fn a_peer_that_lacks_what_it_has_acknowledged_finds_a_hole() {
    let (mut session, mut forgetful) = (sent(5), Session::new(SMALL));
    session.acknowledged(4).unwrap();
    session.resume(2).unwrap();
    assert_eq!((forgetful.receive(1, 8), forgetful.receive(2, 8)), (Ok(Receipt::New), Ok(Receipt::New)));
    let (number, payload) = session.take().unwrap();
    assert_eq!((number, forgetful.receive(number, payload.len())), (5, Err(SessionBroken::Hole)));
}

#[test]
fn a_frame_is_taken_once_and_none_is_skipped() {
    let mut session = Session::new(SMALL);
    assert_eq!(session.receive(1, 8), Ok(Receipt::New));
    assert_eq!(session.receive(1, 8), Ok(Receipt::Duplicate));
    assert_eq!(session.receive(3, 8), Err(SessionBroken::Hole));
    assert_eq!(session.receive(2, 8), Ok(Receipt::New));
    assert_eq!((session.received(), session.receive(0, 8)), (2, Ok(Receipt::Duplicate)));
}

#[test]
fn an_acknowledgement_is_owed_when_half_of_the_room_is_used_and_not_for_each_frame() {
    let mut session = Session::new(SMALL);
    for number in 1..8 {
        session.receive(number, 1).unwrap();
        assert!(!session.owes_acknowledgement());
    }
    session.receive(8, 1).unwrap();
    assert!(session.owes_acknowledgement());
    assert_eq!(session.acknowledge(), 8);
    assert!(!session.owes_acknowledgement());
    session.receive(9, 200).unwrap();
    assert!(session.owes_acknowledgement());
}

#[test]
fn room_is_bounded_in_frames_and_in_bytes_and_one_frame_always_fits() {
    let mut session = Session::new(SMALL);
    assert!(session.has_room(1_000_000));
    for number in 0..16 {
        assert!(session.has_room(1));
        session.number(frame(number));
    }
    assert!(!session.has_room(1));
    let mut session = Session::new(SMALL);
    session.number(Bytes::from(vec![0; 399]));
    assert!(session.has_room(1) && !session.has_room(2));
}

#[test]
fn both_ends_come_to_one_version_and_neighbours_understand_each_other() {
    let speaks = |oldest, newest| Versions { oldest, newest };
    assert_eq!(negotiate(speaks(1, 1), speaks(1, 1)), Some(1));
    for release in 2..10 {
        // Each release speaks its own version and the one before it.
        let (before, after) = (speaks(release - 1, release), speaks(release, release + 1));
        assert_eq!(negotiate(before, after), Some(release));
    }
    assert_eq!(negotiate(speaks(1, 2), speaks(3, 4)), None);
    assert_eq!(negotiate(speaks(1, 9), speaks(3, 2)), None);
}

fn ladder() -> Ladder {
    Ladder::new(LadderSettings::default(), &[])
}

#[test]
fn three_deaths_in_a_minute_lead_to_the_next_carrier() {
    let mut ladder = ladder();
    assert_eq!(ladder.carrier(), Carrier::Stream);
    assert_eq!(ladder.died(START, Carrier::Stream), None);
    assert_eq!(ladder.died(START + SECOND * 30, Carrier::Stream), None);
    let step = Step { from: Carrier::Stream, to: Carrier::Unary, reason: StepReason::Died };
    assert_eq!(ladder.died(START + SECOND * 59, Carrier::Stream), Some(step));
    for second in 60..62 {
        assert_eq!(ladder.died(START + SECOND * second, Carrier::Unary), None);
    }
    assert_eq!(ladder.died(START + SECOND * 62, Carrier::Unary).unwrap().to, Carrier::Https);
    assert_eq!(ladder.died(START + SECOND * 63, Carrier::Https), None);
}

#[test]
fn rare_deaths_are_no_reason_to_change() {
    let mut ladder = ladder();
    for minute in 0..100 {
        assert_eq!(ladder.died(START + SECOND * 30 * minute, Carrier::Stream), None);
    }
    ladder.died(START + SECOND * 3_000, Carrier::Stream);
    ladder.forgive();
    assert_eq!(ladder.died(START + SECOND * 3_001, Carrier::Stream), None);
}

#[test]
fn a_carrier_that_is_not_offered_is_left_at_once_and_looked_for_again() {
    let mut ladder = ladder();
    assert_eq!(ladder.refused(START, Carrier::Stream).unwrap().to, Carrier::Unary);
    assert_eq!(ladder.refused(START, Carrier::Stream), None);
    assert_eq!(ladder.next_probe(), Some(START + SECOND * 60));
    assert_eq!(ladder.better().collect::<Vec<_>>(), [Carrier::Stream]);
    ladder.probe_failed(START + SECOND * 60);
    assert_eq!(ladder.next_probe(), Some(START + SECOND * 120));
    let step = Step { from: Carrier::Unary, to: Carrier::Stream, reason: StepReason::Probed };
    assert_eq!(ladder.climbed(START + SECOND * 120, Carrier::Stream), Some(step));
    assert_eq!(ladder.next_probe(), None);
}

#[test]
fn a_carrier_that_dies_again_soon_after_it_was_climbed_to_is_left_at_once() {
    let mut ladder = ladder();
    ladder.refused(START, Carrier::Stream);
    ladder.climbed(START + SECOND * 60, Carrier::Stream);
    assert!(ladder.died(START + SECOND * 62, Carrier::Stream).is_some());
    ladder.climbed(START + SECOND * 122, Carrier::Stream);
    assert_eq!(ladder.died(START + SECOND * 182, Carrier::Stream), None);
}

#[test]
fn only_allowed_carriers_are_used() {
    let mut ladder = Ladder::new(LadderSettings::default(), &[Carrier::Https, Carrier::Unary, Carrier::Unary]);
    assert_eq!(ladder.from_here().collect::<Vec<_>>(), [Carrier::Unary, Carrier::Https]);
    assert_eq!(ladder.refused(START, Carrier::Unary).unwrap().to, Carrier::Https);
    assert_eq!(ladder.climbed(START, Carrier::Stream), None);
    assert_eq!(ladder.refused(START, Carrier::Https), None);
    assert_eq!(Carrier::ALL.map(|carrier| Carrier::from_label(carrier.label())), Carrier::ALL.map(Some));
}

#[test]
fn every_setting_has_its_range() {
    assert_eq!((Window::default().check(), LadderSettings::default().check()), (Ok(()), Ok(())));
    for frames in [15, 65_537] {
        let window = Window { frames, ..Window::default() };
        assert_eq!(window.check(), Err(SessionSettingsRefused::Frames(frames)));
    }
    for bytes in [128 * 1024 - 1, 64 * 1024 * 1024 + 1] {
        let window = Window { bytes, ..Window::default() };
        assert_eq!(window.check(), Err(SessionSettingsRefused::Bytes(bytes)));
    }
    for deaths in [0, 21] {
        let settings = LadderSettings { deaths, ..LadderSettings::default() };
        assert_eq!(settings.check(), Err(SessionSettingsRefused::Deaths(deaths)));
    }
    for time in [Duration::ZERO, SECOND * 3_601] {
        let settings = LadderSettings { probe: time, ..LadderSettings::default() };
        assert_eq!(settings.check(), Err(SessionSettingsRefused::Time(time)));
        let settings = LadderSettings { within: time, ..LadderSettings::default() };
        assert_eq!(settings.check(), Err(SessionSettingsRefused::Time(time)));
    }
}

/// What travels: a batch with an acknowledgement.
#[derive(Debug, Clone)]
struct Batch {
    frames: Vec<(u64, Bytes)>,
    acknowledged: u64,
}

/// One end, with what it has to say and what it has heard.
struct End {
    session: Session,
    said: u64,
    waiting: VecDeque<Bytes>,
    heard: Vec<u64>,
}

impl End {
    fn new() -> Self {
        Self { session: Session::new(SMALL), said: 0, waiting: VecDeque::new(), heard: Vec::new() }
    }

    fn send(&mut self, most: usize) -> Batch {
        let mut frames = Vec::new();
        while frames.len() < most {
            if let Some(next) = self.session.take() {
                frames.push(next);
            } else if self.waiting.front().is_some_and(|next| self.session.has_room(next.len())) {
                self.session.number(self.waiting.pop_front().unwrap());
            } else {
                break;
            }
        }
        Batch { frames, acknowledged: self.session.acknowledge() }
    }

    fn take(&mut self, batch: Batch) {
        self.session.acknowledged(batch.acknowledged).unwrap();
        for (number, payload) in batch.frames {
            if self.session.receive(number, payload.len()).unwrap() == Receipt::New {
                self.heard.push(u64::from_be_bytes(payload.as_ref().try_into().unwrap()));
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Happening {
    Say(bool, u64),
    Send(bool, usize),
    Arrive(bool),
    /// The dialling end says Hello on a new carrier; before it arrives, so many batches of the old one still reach each
    /// end; before the answer arrives, so many still reach the dialling end.
    Change(usize, usize),
}

fn happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => (any::<bool>(), 1u64..20).prop_map(|(who, count)| Happening::Say(who, count)),
        4 => (any::<bool>(), 1usize..8).prop_map(|(who, most)| Happening::Send(who, most)),
        5 => any::<bool>().prop_map(Happening::Arrive),
        1 => (0usize..4, 0usize..4).prop_map(|(before, after)| Happening::Change(before, after)),
    ]
}

proptest! {
    /// Whatever is lost with a carrier, both ends hear everything in order and once.
    #[test]
    fn every_frame_arrives_once_and_in_order(happenings in prop::collection::vec(happening(), 1..300)) {
        let mut ends = [End::new(), End::new()];
        // What is on its way to each end.
        let mut lines: [VecDeque<Batch>; 2] = Default::default();
        let change = |ends: &mut [End; 2], lines: &mut [VecDeque<Batch>; 2], before: usize, after: usize| {
            let [dialler, acceptor] = ends;
            let hello = dialler.session.received();
            for _ in 0..before {
                // What was on its way before goes first.
                lines[1].drain(..).for_each(|batch| acceptor.take(batch));
                if let Some(batch) = lines[0].pop_front() {
                    dialler.take(batch);
                }
                acceptor.take(dialler.send(2));
            }
            acceptor.session.resume(hello).unwrap();
            let answer = acceptor.session.received();
            for batch in lines[0].drain(..).take(after) {
                dialler.take(batch);
            }
            dialler.session.resume(answer).unwrap();
            for line in lines {
                line.clear();
            }
        };
        for happening in happenings {
            match happening {
                Happening::Say(who, count) => {
                    let end = &mut ends[usize::from(who)];
                    for _ in 0..count {
                        end.said += 1;
                        end.waiting.push_back(frame(end.said));
                    }
                }
                Happening::Send(who, most) => {
                    let batch = ends[usize::from(who)].send(most);
                    lines[usize::from(!who)].push_back(batch);
                }
                Happening::Arrive(who) => {
                    if let Some(batch) = lines[usize::from(who)].pop_front() {
                        ends[usize::from(who)].take(batch);
                    }
                }
                Happening::Change(before, after) => change(&mut ends, &mut lines, before, after),
            }
            for end in &ends {
                let (frames, bytes) = end.session.kept();
                prop_assert!(frames <= SMALL.frames && bytes <= SMALL.bytes);
            }
        }
        change(&mut ends, &mut lines, 0, 0);
        while ends.iter().any(|end| !end.waiting.is_empty() || end.session.kept().0 > 0) {
            for who in 0..2 {
                let batch = ends[who].send(8);
                ends[1 - who].take(batch);
            }
        }
        for who in 0..2 {
            let all: Vec<u64> = (1..=ends[who].said).collect();
            prop_assert_eq!(&ends[1 - who].heard, &all);
        }
    }
}
