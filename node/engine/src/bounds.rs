//! How much of anything there may be. Every queue, table and cache of the engine has its bound here, with what happens
//! when it is full. Bounds that a network sets are in [`Config`](crate::Config) and [`PolicyLimits`](crate::PolicyLimits).

use std::time::Duration;

/// Addresses of this node's own configuration. Full: further addresses of the list are left out, highest sockets first.
pub const MAX_LISTED: usize = 1_024;
/// Addresses that are known at once: those of the configuration, two tables of what others named, links
/// and dials to places in neither. Full: no further address is taken.
pub const MAX_ADDRESSES: usize = 1_024 + 512 + 256 + 64;
/// Buckets for addresses that were named and not tried. A source fills at most [`NEW_BUCKETS_PER_SOURCE`] of them. A
/// place that is taken: one that has failed gives way, else the newcomer is dropped.
pub const NEW_BUCKETS: u64 = 32;
/// Buckets that one source's neighbourhood can reach.
pub const NEW_BUCKETS_PER_SOURCE: u64 = 8;
/// Buckets for addresses that a link came of; a neighbourhood has one. A place that is taken: the older one is tested and
/// gives way when nobody answers there.
pub const TRIED_BUCKETS: u64 = 16;
/// Places in a bucket.
pub const TABLE_SLOTS: u64 = 16;
/// Addresses that wait for another's place. Full: a further one stays where it is.
pub const MAX_COLLISIONS: usize = 10;
/// Members among which a node looks for its nearest, beginning somewhere else each time.
pub const NEAREST_OF: usize = 512;
/// Time between two looks for near members while neighbours of own choice lack.
pub const CHOOSE_PAUSE: Duration = Duration::from_secs(5);
/// Nodes that one k-bucket holds, and that one answer names. Full: who is there stays.
pub const BUCKET_CONTACTS: usize = 20;
/// Paths of a search that share no node, each with one question under way.
pub const LOOKUP_PATHS: usize = 3;
/// The nearest of a path that are asked before it ends.
pub const PATH_WIDTH: usize = 7;
/// Questions of a path. Spent: the path ends.
pub const PATH_QUESTIONS: usize = 20;
/// Nodes that a path remembers. Full: the farthest is forgotten.
pub const MAX_PATH_HEARD: usize = 60;
/// Searches of a node at once. Full: others wait some seconds.
pub const MAX_SEARCHES: usize = 2;
/// How long a node that was asked is given to answer, its dial included.
pub const QUESTION_PATIENCE: Duration = Duration::from_secs(10);
/// Questions that a link may ask at once, words of what it holds included.
pub const QUESTIONS_BURST: u32 = 30;
/// Time in which its allowance grows by one question.
pub const QUESTION_EVERY: Duration = Duration::from_secs(2);
/// Holders of a register that one answer names.
pub const MAX_HOLDERS_TOLD: usize = 20;
/// How long a holder is known after its last word.
pub const HOLDER_KEPT: Duration = Duration::from_secs(3_600);
/// Holders of all registers that a node knows of others' searches. Full: a further one is not kept (`holders_full`).
pub const MAX_HOLDER_ENTRIES: usize = 16_384;
/// Of them, holders of one register.
pub const MAX_HOLDERS_OF_A_REGISTER: usize = 64;
/// Of them, registers of one holder, and registers that one frame names.
pub const MAX_REGISTERS_OF_A_HOLDER: usize = 1_024;
/// Registers that a node advertises, and of one peer those that are kept. Full: a further one cannot be made public, or
/// is not kept (`advertisements_full`).
pub const MAX_ADVERTISEMENTS_OF_A_PEER: usize = 1_024;
/// Advertisements of all peers that are kept. Full: a further one is not (`advertisements_full`).
pub const MAX_ADVERTISEMENTS_HEARD: usize = 16_384;
/// Advertisements in one frame. More take more frames.
pub const MAX_ADVERTISEMENT_ROWS: usize = 64;
/// Bytes of a register's display name: 38 characters.
pub const MAX_ADVERTISED_NAME_BYTES: usize = 152;
/// Bytes of a register's description that are advertised. The rest is left out.
pub const MAX_ADVERTISED_DESCRIPTION_BYTES: usize = 512;
/// How long after a subscription a node looks for holders, when no linked peer holds the register.
pub const SEARCH_FIRST: Duration = Duration::from_secs(5);
/// How long after that when one does, or when all members are neighbours.
pub const SEARCH_LATER: Duration = Duration::from_secs(5 * 60);
/// Time between two searches for one register: each also says anew that this node holds it.
pub const SEARCH_INTERVAL: Duration = Duration::from_secs(20 * 60);
/// The nodes nearest to a register that are told of a holder.
pub const TOLD_NODES: usize = 8;
/// Holders that a search sees to it that this node is linked to.
pub const HOLDERS_DIALLED: usize = 3;
/// How long they have to say that they hold it; then as many others are dialled.
pub const HOLDER_PATIENCE: Duration = Duration::from_secs(10);
/// Holders that a search remembers, those that most of the nearest nodes name.
pub const MAX_FOUND: usize = 60;
/// Nodes of one neighbourhood at hand, as a share of all that are kept: one in so many. Full: one of them gives way.
pub const PASSIVE_GROUP_SHARE: usize = 8;
/// Addresses that a link may name at once before its allowance is spent. Spent: further ones are left out.
pub const NAMED_BURST: u32 = 1_000;
/// Time in which a link's allowance grows by one address.
pub const NAMED_EVERY: Duration = Duration::from_secs(10);
/// Blocks of addresses that a network may declare its own. More are refused with the settings.
pub const MAX_OWN_RANGES: usize = 64;
/// Good neighbours whose addresses outlive the process.
pub const ANCHORS: usize = 2;
/// Contacts in one shuffle. More make the frame malformed.
pub const MAX_SHUFFLED: usize = 16;
/// Contacts in one answer to a question for addresses. More make the frame malformed.
pub const MAX_EXCHANGED: usize = 50;
/// Dials on their way at once. Full: the next address waits until one is answered.
pub const MAX_DIALS: usize = 10;

/// Peers of which a score is kept: more than a hub has links. Full: the one without a link that was heard longest ago is
/// forgotten.
pub const MAX_SCORED_PEERS: usize = 4_096;
/// A peer without a link that was not heard for so long is forgotten.
pub const FORGET_PEER: Duration = Duration::from_secs(86_400);

/// Peers whose offences and automatic bans are remembered. Full: who was banned least and longest ago is forgotten; when
/// all are banned now, nobody else is.
pub const MAX_OFFENDERS: usize = 1_024;
/// Offences of one kind that are remembered of a peer. Full: the oldest is forgotten.
pub const MAX_OFFENCES: usize = 20;
/// Automatic bans that are remembered of a peer. Full: the oldest is forgotten.
pub const MAX_BANS_OF_A_PEER: usize = 8;
/// How long an offence is remembered.
pub const INCIDENT_WINDOW: Duration = Duration::from_secs(86_400);
/// How long an automatic ban is remembered after its end.
pub const BAN_HISTORY: Duration = Duration::from_secs(7 * 86_400);

/// Transactions that were submitted and are not durable yet. Full: refused as `overloaded`.
pub const MAX_QUEUED_TRANSACTIONS: usize = 8_192;
/// Bytes of such transactions. Full: refused as `overloaded`.
pub const MAX_QUEUED_BYTES: usize = 32 * 1024 * 1024;

/// Messages in one append. The rest waits for the next.
pub const MAX_APPEND_MESSAGES: usize = 256;
/// Bytes in one append. The rest waits for the next.
pub const MAX_APPEND_BYTES: usize = 2 * 1024 * 1024;
/// Received messages that wait to become durable. Full: dropped; sync brings them again.
pub const MAX_RECEIVED_QUEUE: usize = 8_192;
/// Bytes of such messages. Full: dropped; sync brings them again.
pub const MAX_RECEIVED_BYTES: usize = 32 * 1024 * 1024;

/// Messages with the verifier. Full: dropped; sync brings them again.
pub const MAX_VERIFYING: usize = 2_048;
/// Messages with the verifier that one link brought first. Full: dropped; sync brings them again.
pub const MAX_VERIFYING_PER_LINK: usize = 1_024;
/// Different bodies with one name (origin, incarnation, sequence) at the verifier. Full: dropped; sync brings it again.
pub const MAX_CANDIDATES: usize = 3;

/// Origins whose messages are told apart. Full: messages of further origins are not spread by gossip (`seen_full`)
/// until one is quiet for its time to live; sync still brings them.
pub const MAX_SEEN_ORIGINS: usize = 16_384;
/// Newest incarnations of an origin that gossip follows. Older ones are left to sync.
pub const MAX_INCARNATIONS: usize = 2;
/// Ranges behind the first hole of an incarnation. Full: messages that would open another are not spread (`behind`)
/// until a hole closes by arrival or by the origin's floor; sync still brings them.
pub const MAX_SEEN_RANGES: usize = 256;

/// Origins' lives in registers (register, origin, incarnation) of which it is known what is held. Full: messages of
/// further ones are spread, but not stored (`streams_full`).
pub const MAX_STREAMS: usize = 262_144;
/// Ranges held of one of them. Full: messages that would open another are not stored (`ranges_full`).
pub const MAX_STREAM_RANGES: usize = 4_096;

/// Rows in one digest frame. More registers take more frames.
pub const MAX_DIGEST_ROWS: usize = 512;
/// Registers in one request for what is held. More take more requests.
pub const MAX_ASKED_REGISTERS: usize = 512;
/// Rows in one page of what is held. More take more pages, each asked for.
pub const MAX_PAGE_ROWS: usize = 256;
/// Ranges in one row of a page. More take more rows.
pub const MAX_ROW_RANGES: usize = 256;
/// Ranges in one page, over all rows.
pub const MAX_PAGE_RANGES: usize = 2_048;
/// Pages answered to one request. More: the rest comes with a later digest, so that a peer that makes streams up cannot
/// keep another busy for ever.
pub const MAX_PAGES: usize = 4_096;
/// Origins' lives in registers wanted of one link. Full: the next page is asked for once fewer are wanted.
pub const MAX_WANTED_STREAMS: usize = 4_096;
/// Ranges wanted of one origin's life of one link. Full: the rest comes with a later digest.
pub const MAX_WANTED_RANGES: usize = 4_096;

/// Ranges in one pull. More take more pulls.
pub const MAX_PULL_RANGES: usize = 64;
/// Messages asked for in one pull, so that several links can share the work.
pub const MAX_PULL_MESSAGES: u64 = 1_024;
/// Bytes answered to one pull: the credit of a link, which has one pull under way.
pub const MAX_PULL_BYTES: usize = 256 * 1024;
/// Pulled messages of a link that may still be on their way to the store when the next pull is sent.
pub const PULL_LOW_WATER: usize = 64;
/// Holes noticed by gossip that wait for their message or for a pull. Full: left to the periodic digest.
pub const MAX_GAPS: usize = 1_024;

/// Bodies known to be needed. Full: the message is dropped; sync brings it again.
pub const MAX_FETCHES: usize = 256;
/// Bodies being fetched at once. The rest waits.
pub const MAX_ACTIVE_FETCHES: usize = 4;
/// Messages that wait for one body. Full: dropped; sync brings them again.
pub const MAX_FETCH_MESSAGES: usize = 8;
/// Links remembered as holders of one body. Full: further ones are not remembered.
pub const MAX_FETCH_HOLDERS: usize = 8;
/// How much of a body one frame carries.
pub const CHUNK_BYTES: u32 = 64 * 1024;
/// Chunks of one body asked for and not yet arrived.
pub const CHUNK_WINDOW: u32 = 4;
/// Chunks that one link may have asked for and not been sent yet. Full: answered as not held; the peer asks another.
pub const MAX_SERVED_CHUNKS: usize = 16;

/// A peer that has got addresses on a link is not given others there for so long.
pub const EXCHANGE_PAUSE: Duration = Duration::from_secs(10);
/// A link that this node dialled to find a neighbour, and that led to none, is closed when it was not used for so long.
pub const UNNEEDED_AFTER: Duration = Duration::from_secs(30);

/// Statements (records, accusations) with the verifier. Full: dropped (`statements_full`); a comparison with a neighbour
/// brings them again.
pub const MAX_VERIFYING_STATEMENTS: usize = 16_384;
/// Statements in one frame. More take more frames.
pub const MAX_FRAME_STATEMENTS: usize = 400;
/// Records that one link is passed on in one batch. More: the rest goes with the next, urgent ones first.
pub const SPREAD_RECORDS: usize = 200;
/// Records that one link is passed on whole in one batch, if its peer takes offers. More: their fingerprints are offered,
/// and the peer asks for those that it lacks.
pub const SPREAD_WHOLE: usize = 32;
/// How long records that were asked for are waited for. Over: a comparison with another neighbour brings them.
pub const WANT_PATIENCE: Duration = Duration::from_secs(2);
/// Members listed in one frame of a comparison. More are left to the next comparison. Also records offered in one frame,
/// and asked of one link at a time: more are left to the next batch, and to a comparison.
pub const MAX_FRAME_ITEMS: usize = 4_000;
/// Accusers of one member that are kept and passed on. Full: further accusations change nothing.
pub const MAX_ACCUSERS: usize = 3;
/// Peers that this node suspects at once. Full: a further silent link waits for its end by silence.
pub const MAX_SUSPICIONS: usize = 1_024;
/// Dials under way because somebody is suspected. Full: answered as not known.
pub const MAX_PROBED: usize = 64;

/// A dial that was not answered for so long leaves its place to another: of a node that was started anew elsewhere nobody
/// may answer at the old address, and not even refuse.
pub const SLOW_DIAL: Duration = Duration::from_secs(1);

/// A link up for so long, and heard lately, is not given up for another to the same peer, and its end starts the
/// dialling anew from the shortest wait.
pub const SETTLED: Duration = Duration::from_secs(10);
/// An address whose peer is linked by another way is dialled again only after so long, to see whether somebody else
/// lives there now.
pub const REVERIFY_ADDRESS: Duration = Duration::from_secs(300);
/// How long gossip may take to close a hole, before sync pulls it.
pub const GAP_PATIENCE: Duration = Duration::from_secs(1);
/// How long a hole that nobody could fill is left alone.
pub const GAP_RETRY: Duration = Duration::from_secs(30);
/// How long after messages came by sync the other links are told what is held now.
pub const OFFER_DELAY: Duration = Duration::from_millis(100);
/// The longest that such an offer waits for catching up to end.
pub const OFFER_LIMIT: Duration = Duration::from_secs(5);
/// How far clocks may be apart.
pub const CLOCK_SKEW: Duration = Duration::from_secs(60);
/// The longest time to live that is believed of a message.
pub const MAX_TIME_TO_LIVE: Duration = Duration::from_secs(86_400);
/// How long an origin stands for its messages: its floor follows at this distance.
pub const FLOOR_DISTANCE: Duration = Duration::from_secs(60);
/// Wait before a failed operation of the store is tried again.
pub const STORE_RETRY: Duration = Duration::from_secs(1);
/// How often quiet origins, and messages whose verdict does not come, are looked for and forgotten.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(30);
/// A verdict that has not come for so long never will.
pub const VERIFY_LIMIT: Duration = Duration::from_secs(30);
/// How far below a message that overtook others holes are pulled at once; deeper ones are left to the digest.
pub const GAP_DEPTH: u64 = 4_096;
/// A timer that runs out so late was held up by this process being paused: links are given time to be heard again.
pub const PAUSE: Duration = Duration::from_secs(1);
/// A comparison of members of which nothing was heard for so long has ended.
pub const RECONCILE_PATIENCE: Duration = Duration::from_millis(500);

/// Names of lives of which nothing was verified yet that a link may have defined. Full: the oldest is forgotten.
pub const MAX_UNKNOWN_NAMES: usize = 16;
/// Sweeps without use after which a name is defined again.
pub const NAME_SAID_SWEEPS: u8 = 2;
/// Sweeps without use after which a peer's name is forgotten: later than the peer defines it again.
pub const NAME_KEPT_SWEEPS: u8 = 4;
/// Bytes of one batch of announcements on a link. More: the rest goes with the next batch.
pub const ANNOUNCE_BYTES: usize = 4 * 1024;
/// How much sooner a message would have had to come by another link for that to become its origin's parent.
pub const QUICKER_BY: Duration = Duration::from_millis(3);
/// How long such a link has to be ahead, if an origin's messages are not rarer, and how long a new parent is kept.
pub const STEADY: Duration = Duration::from_secs(5);
/// How long after the loss of a link announcements are quick.
pub const ALERT: Duration = Duration::from_secs(5);
/// Messages before the first that was heard of a life that gossip asks for; what lies below is left to sync.
pub const RECENT_HISTORY: u64 = 64;
/// Links below which a node passes on to all, whatever the trees say.
pub const FLOOD_BELOW: usize = 3;
/// Origins whose messages were announced and have not come. Full: left to sync.
pub const MAX_WAITS: usize = 1_024;
/// How many links are asked for what was announced and does not come.
pub const MAX_GRAFT_CANDIDATES: usize = 3;
/// The shortest time that what was announced is given to come by itself; twice the round trip where that is longer.
pub const GRAFT_PATIENCE: Duration = Duration::from_millis(20);
/// The round trip of a link on which none was measured yet.
pub const UNKNOWN_ROUND_TRIP: Duration = Duration::from_millis(50);
/// Messages that one Graft may ask for, and be given.
pub const MAX_GRAFT_MESSAGES: u16 = 256;
/// Bytes that one Graft may ask for, and be given.
pub const MAX_GRAFT_BYTES: u32 = 256 * 1024;
/// Origins that are asked of others when the link that they came by is lost. More: left to announcements.
pub const MAX_ORPHAN_GRAFTS: usize = 1_024;
/// Bytes of recent messages that one link is given in a [`SERVED_WINDOW`]. Full: nothing is given.
pub const SERVED_BYTES: usize = 4 * 1024 * 1024;
/// How long what a link was given counts.
pub const SERVED_WINDOW: Duration = Duration::from_secs(1);
/// How long a convicted peer is kept away, and twice as long each further time.
pub const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The longest that it is; one that was not convicted for as long again begins anew.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// Peers that are kept away, or lately were. Full: the one that would come back first does so now.
pub const MAX_PAUSES: usize = 1_024;
/// Times in a row that a link may fail to give what it announced before it is left alone for a while.
pub const MAX_STRIKES: u8 = 3;
/// How long it is left alone, and so much longer with each further time.
pub const STRIKE_PAUSE: Duration = Duration::from_secs(10);
/// How long the bodies of messages are kept for those who lack them.
pub const CACHE_TIME: Duration = Duration::from_secs(60);
/// Bytes of such bodies. Full: the oldest go.
pub const CACHE_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of such bodies of one origin. Full: its oldest go.
pub const CACHE_BYTES_PER_ORIGIN: usize = 1024 * 1024;
/// Proofs of equivocation that are kept. Full: further ones are not (`proofs_full`), and their origins go on.
pub const MAX_PROOFS: usize = 256;
/// Bytes of such proofs.
pub const MAX_PROOFS_BYTES: usize = 8 * 1024 * 1024;
/// Proofs of peers with the verifier. Full: dropped (`proofs_verifying`); other peers will send them.
pub const MAX_PROOFS_VERIFYING: usize = 16;
/// Bytes of proofs that a new link is sent.
pub const PROOFS_ON_LINK_UP: usize = 256 * 1024;
