//! Connections to other members for calls, one each, made when first wanted.

use super::sources::SourceNews;
use crate::{
    driver::Commands,
    link::{LinkDialler, MemberConnection},
};
use bytes::Bytes;
use peerwright_engine::{HolderView, MemberState, MemberView};
use peerwright_ledger::RegisterId;
use peerwright_secure::{NodePublicKey, PeerId};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    net::SocketAddr,
    ops::RangeInclusive,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use thiserror::Error;
use tokio::{
    sync::{OwnedMutexGuard, watch},
    time::{Instant, timeout},
};
use tokio_util::task::TaskTracker;

/// Why a member is not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Unreached {
    /// Nobody has told where it listens.
    #[error("nobody has told where {0} listens")]
    Unknown(PeerId),
    /// No connection came about.
    #[error("no connection to {0}: {1}")]
    NotConnected(PeerId, &'static str),
    /// The node ends.
    #[error("this node ends")]
    Ending,
}

/// The members are asked for again after so long, or once another peer is connected: the driver makes the list anew, so the
/// longer it is, the longer it stands.
const FRESH: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_millis(500);
/// For each member of the list.
const FRESH_A_MEMBER: Duration = Duration::from_micros(100);
/// Whether a member that is being dialled has moved is looked at so often.
const MOVES: Duration = Duration::from_millis(500);

/// A connection by which no call is answered for so long, and nothing moves, is given up. HTTP/2 would find out after twenty
/// seconds.
const SILENT: Duration = Duration::from_secs(2);

/// A dial that came to nothing answers those who ask within as long as it took, and within so long at most. Who is refused at
/// once is dialled again at once: it may just be starting.
const FAILURE_STANDS: Duration = Duration::from_secs(1);

/// What there is of one member.
#[derive(Default)]
struct Place {
    connection: Option<Arc<MemberConnection>>,
    /// The last dial, where it came to nothing.
    failed: Option<FailedDial>,
}

/// A place that others wait for while it is held.
type Held = OwnedMutexGuard<Place>;

/// A dial that came to nothing.
struct FailedDial {
    address: SocketAddr,
    why: Unreached,
    stands_until: Instant,
    /// Told when a link is up since: it may be the member's.
    links: watch::Receiver<()>,
}

impl FailedDial {
    /// Of a dial that began then and has just ended.
    fn new(address: SocketAddr, why: Unreached, began: Instant, mut links: watch::Receiver<()>) -> Self {
        links.mark_unchanged();
        let now = Instant::now();
        Self { address, why, stands_until: now + (now - began).min(FAILURE_STANDS), links }
    }

    /// Why who asked then for the member, which listens at `address`, need not dial it: it has waited for this very dial, or
    /// has come soon after.
    fn answers(&self, asked: Instant, address: SocketAddr) -> Option<Unreached> {
        let is_news = address != self.address || self.links.has_changed().unwrap_or_default();
        (!is_news && asked <= self.stands_until).then_some(self.why)
    }
}

/// The members as they were last asked for.
struct Known {
    members: Option<(Instant, Arc<Vec<MemberView>>)>,
    /// Whether a peer was connected since: it may be one that was not known.
    links: watch::Receiver<()>,
}

/// Connections by peer id. Bounded by the members of the network.
pub(crate) struct Callers {
    dialler: LinkDialler,
    commands: Commands,
    /// Dials are waited for by the node's end.
    tasks: TaskTracker,
    places: Mutex<BTreeMap<PeerId, Arc<tokio::sync::Mutex<Place>>>>,
    known: tokio::sync::Mutex<Known>,
    /// Told when a link is up, and never looked at itself: whoever clones it looks at once.
    links: watch::Receiver<()>,
    /// Held by whoever asks who holds a register.
    asking: tokio::sync::Mutex<()>,
}

impl Callers {
    pub(crate) fn new(dialler: LinkDialler, commands: Commands, tasks: TaskTracker, news: &SourceNews) -> Self {
        let known = Known { members: None, links: news.of_links() };
        Self {
            dialler,
            commands,
            tasks,
            places: Mutex::default(),
            known: tokio::sync::Mutex::new(known),
            links: news.of_links(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// A connection to `peer`: the one that there is, or another in its place. Callers of one peer share the dial, whatever it
    /// comes to, and it goes on when who wanted it gives up: a heartbeat has less time than a dial over a long way takes.
    pub(crate) async fn reach(self: &Arc<Self>, peer: PeerId) -> Result<Arc<MemberConnection>, Unreached> {
        let asked = Instant::now();
        let place = self.places.lock().unwrap_or_else(PoisonError::into_inner).entry(peer).or_default().clone();
        let held = place.lock_owned().await;
        if let Some(connection) = held.connection.as_ref().filter(|connection| !connection.has_ended()) {
            return Ok(connection.clone());
        }
        self.tasks.spawn(self.clone().dial(peer, held, asked)).await.unwrap_or_else(|ended| {
            if ended.is_panic() {
                tracing::error!(%peer, %ended, "dialling failed");
                return Err(Unreached::NotConnected(peer, "defect"));
            }
            Err(Unreached::Ending)
        })
    }

    /// Fills the place of `peer`, unless the last dial answers who asked then.
    async fn dial(
        self: Arc<Self>,
        peer: PeerId,
        mut held: Held,
        asked: Instant,
    ) -> Result<Arc<MemberConnection>, Unreached> {
        held.connection = None;
        let mut address = self.address_of(peer).await.ok_or(Unreached::Unknown(peer))?;
        if let Some(why) = held.failed.as_ref().and_then(|failed| failed.answers(asked, address)) {
            return Err(why);
        }
        let began = Instant::now();
        let connection = tokio::select! {
            biased;
            connection = self.dialler.reach(peer, address) => connection,
            // Nobody may answer there any more, and not even refuse. Once: who moves all the time holds nobody up.
            elsewhere = self.moved(peer, address) => {
                address = elsewhere;
                self.dialler.reach(peer, elsewhere).await
            }
        };
        let connection = connection.map(Arc::new).map_err(|code| Unreached::NotConnected(peer, code));
        *held = Place {
            connection: connection.as_ref().ok().cloned(),
            failed: connection.as_ref().err().map(|why| FailedDial::new(address, *why, began, self.links.clone())),
        };
        connection
    }

    async fn address_of(&self, peer: PeerId) -> Option<SocketAddr> {
        let members = self.members().await;
        members.iter().find(|member| member.peer == peer).and_then(|member| member.address)
    }

    /// Resolves with where a member listens once that is another place: it was started anew.
    async fn moved(&self, peer: PeerId, from: SocketAddr) -> SocketAddr {
        let mut links = self.links.clone();
        loop {
            if let Ok(Err(_)) = timeout(MOVES, links.changed()).await {
                // The node is ending: nobody tells anything any more.
                return pending().await;
            }
            match self.address_of(peer).await {
                Some(address) if address != from => return address,
                _ => {}
            }
        }
    }

    /// Ends the connection to `peer`, if there is one: whoever waits for something by it hears that nothing comes.
    pub(crate) fn hang_up(&self, peer: PeerId) {
        let place = self.places.lock().unwrap_or_else(PoisonError::into_inner).get(&peer).cloned();
        // Where it is being dialled there is none yet.
        if let Some(connection) = place.and_then(|place| place.try_lock().ok()?.connection.take()) {
            connection.end();
        }
    }

    /// A call to `peer` was not answered in time. A network that was cut may have lost the connection and told neither side:
    /// once nothing moves by it any more, it is ended. What is large and slow moves, and lives.
    pub(crate) fn unanswered(&self, peer: PeerId) {
        let place = self.places.lock().unwrap_or_else(PoisonError::into_inner).get(&peer).cloned();
        let Some(mut held) = place.as_ref().and_then(|place| place.try_lock().ok()) else { return };
        if let Some(connection) = held.connection.take_if(|connection| connection.note_unanswered(SILENT)) {
            tracing::debug!(%peer, "no call is answered: it is dialled anew");
            connection.end();
        }
    }

    /// Reports what a member has served that does not verify, with the bytes that show it.
    pub(crate) async fn misbehaved(&self, peer: PeerId, evidence: Bytes) {
        // Without a driver the node is ending.
        let _ = self.commands.misbehaved(peer, evidence).await;
    }

    /// Members that are alive, as far as this node knows, and can be reached; itself among them.
    pub(crate) async fn alive(&self) -> Vec<PeerId> {
        let members = self.members().await;
        let reachable = |member: &&MemberView| member.state == MemberState::Alive && member.address.is_some();
        let alive: Vec<PeerId> = members.iter().filter(reachable).map(|member| member.peer).collect();
        // What is gone needs no place: who comes back is dialled again.
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|peer, _| members.iter().any(|member| member.peer == *peer));
        alive
    }

    /// Who may hold a register, as far as this node knows; nobody when the node is ending. The driver is asked one such
    /// question at a time, so that thousands of registers leave its queue to others.
    pub(crate) async fn holders(&self, register: RegisterId) -> Vec<HolderView> {
        let _asking = self.asking.lock().await;
        self.commands.holders(register).await.unwrap_or_default()
    }

    /// The keys of these members; `None` until all are known.
    pub(crate) async fn keys(&self, of: &BTreeSet<PeerId>) -> Option<BTreeSet<NodePublicKey>> {
        let members = self.members().await;
        let keys: BTreeSet<_> =
            members.iter().filter(|member| of.contains(&member.peer)).map(|member| member.key).collect();
        (keys.len() == of.len()).then_some(keys)
    }

    /// The members; none when the node is ending. Thousands of registers share one question to the driver.
    async fn members(&self) -> Arc<Vec<MemberView>> {
        let mut known = self.known.lock().await;
        let is_news = known.links.has_changed().unwrap_or_default();
        let fresh =
            known.members.as_ref().filter(|(asked, members)| !is_news && asked.elapsed() < fresh(members.len()));
        if let Some((_, members)) = fresh {
            return members.clone();
        }
        known.links.mark_unchanged();
        // Who is interrupted has not asked.
        known.members = None;
        let members = self.commands.members().await.map(|(_, members)| members).unwrap_or_default();
        let members = Arc::new(members);
        known.members = Some((Instant::now(), members.clone()));
        members
    }
}

/// How long a list of so many members stands.
fn fresh(members: usize) -> Duration {
    let all = FRESH_A_MEMBER.saturating_mul(u32::try_from(members).unwrap_or(u32::MAX));
    all.clamp(*FRESH.start(), *FRESH.end())
}

#[cfg(test)]
mod tests {
    use super::{FAILURE_STANDS, FailedDial, Unreached, fresh};
    use crate::registers::sources::SourceNews;
    use peerwright_secure::PeerId;
    use std::{
        net::{Ipv4Addr, SocketAddr},
        time::Duration,
    };
    use tokio::time::{Instant, advance};

    const WHY: Unreached = Unreached::NotConnected(PeerId::from_bytes([1; 32]), "timeout");
    const MOMENT: Duration = Duration::from_millis(1);

    fn address(port: u16) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, port).into()
    }

    /// A dial that has just come to nothing after so long.
    async fn failed_after(took: Duration, news: &SourceNews) -> FailedDial {
        let began = Instant::now();
        advance(took).await;
        FailedDial::new(address(1), WHY, began, news.of_links())
    }

    #[test]
    fn a_short_list_of_members_is_asked_for_again_soon_and_a_long_one_seldom() {
        let millis = [0, 9, 1_000, 100_000].map(|members| fresh(members).as_millis());
        assert_eq!(millis, [20, 20, 100, 500]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dial_that_failed_answers_who_waited_for_it_and_who_comes_soon_after() {
        let news = SourceNews::default();
        for (took, stands) in [(FAILURE_STANDS * 5, FAILURE_STANDS), (MOMENT, MOMENT)] {
            let waited = Instant::now();
            let failed = failed_after(took, &news).await;
            advance(stands).await;
            let soon = Instant::now();
            advance(MOMENT).await;
            let answers = [waited, soon, Instant::now()].map(|asked| failed.answers(asked, address(1)));
            assert_eq!(answers, [Some(WHY), Some(WHY), None], "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_dial_that_failed_answers_nobody_once_the_member_listens_elsewhere_or_a_link_is_up() {
        let news = SourceNews::default();
        // Of before the dial ended.
        news.linked();
        let failed = failed_after(FAILURE_STANDS, &news).await;
        let answers = |port| failed.answers(Instant::now(), address(port));
        assert_eq!((answers(1), answers(2)), (Some(WHY), None));
        news.linked();
        assert_eq!(answers(1), None);
    }
}
