//! Whether a body is the one that a header commits to.

use super::{DocketBody, DocketHeader, DocketRefused};
use crate::merkle::Frontier;
use crate::{Kind, Refusal, RegisterId, Transaction, TransactionId, TransactionView};
use peerwright_secure::SignatureBatch;

/// How long after its sealing a transaction may still be handed in again: the longest validity, 24 hours, and how far ahead
/// an author's clock may be. No docket holds a transaction that is valid for longer than this from then on, so who remembers the
/// ids of so long seals none twice.
pub const SEALED_HORIZON_MICROS: u64 = (24 * 3_600 + 60) * MICROS_PER_SECOND;

const MICROS_PER_SECOND: u64 = 1_000_000;
/// Of how many transactions one is checked in a sample.
const SAMPLE: u64 = 100;

/// How much of a docket's transactions is checked beside what a certificate stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verify {
    /// All hashes; that authors have signed is the sealers' word.
    Docket,
    /// As [`Verify::Docket`], and about one transaction in a hundred as in [`Verify::EveryTransaction`]. Which ones follows
    /// from a number that the sealers must not know.
    Sampled {
        /// That number.
        secret: u64,
    },
    /// Each transaction is read whole, its payloads' hashes and its author's signature are checked.
    EveryTransaction,
}

impl Verify {
    fn includes(self, id: &TransactionId) -> bool {
        match self {
            Self::Docket => false,
            Self::Sampled { secret } => mixed(secret ^ front(id)).is_multiple_of(SAMPLE),
            Self::EveryTransaction => true,
        }
    }
}

/// Checks a docket's body against its header, and gives the transactions' ids in order.
///
/// That the header is the register's is [`Chain`](crate::Chain)'s to say. This needs nothing but the two, so bodies are checked
/// in parallel.
pub fn verify_body(
    header: &DocketHeader,
    body: &DocketBody,
    verify: Verify,
) -> Result<Vec<TransactionId>, DocketRefused> {
    if body.count() != header.transaction_count {
        return Err(DocketRefused::Count { expected: header.transaction_count, found: body.count() });
    }
    if u32::try_from(body.encoded().len()) != Ok(header.body_bytes) {
        return Err(DocketRefused::BodyBytes);
    }
    if header.control && body.count() != 1 {
        return Err(DocketRefused::ControlMisplaced);
    }
    let mut ids = Vec::with_capacity(usize::try_from(body.count()).unwrap_or_default());
    let mut tree = Frontier::new();
    for encoded in body.transactions() {
        let view = TransactionView::read(encoded).map_err(Refusal::from);
        let view =
            view.and_then(|view| check_admissible(&view, header.register, header.sealed_at_micros).map(|()| view));
        let view = view.map_err(|refusal| DocketRefused::Transaction { position: ids.len(), refusal })?;
        if (view.kind == Kind::Control) != header.control {
            return Err(DocketRefused::ControlMisplaced);
        }
        let id = view.id();
        tree.push(view.leaf(&id));
        ids.push(id);
    }
    if tree.root() != header.transactions_root {
        return Err(DocketRefused::TransactionsRoot);
    }
    check_unique(&ids)?;
    check_whole(body, &ids, verify)?;
    Ok(ids)
}

/// Whether a docket of `register` that is sealed at `sealed_at_micros` may hold the transaction.
pub(crate) fn check_admissible(
    view: &TransactionView<'_>,
    register: RegisterId,
    sealed_at_micros: u64,
) -> Result<(), Refusal> {
    if view.register != register {
        return Err(Refusal::OtherRegister(view.register));
    }
    let (created_at, valid_until) = (view.created_at_micros, view.valid_until_micros);
    if valid_until <= created_at {
        return Err(Refusal::NeverValid);
    }
    if valid_until <= sealed_at_micros {
        return Err(Refusal::Expired { seconds: (sealed_at_micros - valid_until).div_ceil(MICROS_PER_SECOND) });
    }
    let ahead = valid_until - sealed_at_micros;
    if ahead > SEALED_HORIZON_MICROS {
        return Err(Refusal::LifetimeTooLong {
            seconds: ahead.div_ceil(MICROS_PER_SECOND),
            limit: SEALED_HORIZON_MICROS / MICROS_PER_SECOND,
        });
    }
    Ok(())
}

/// Sorts the first bytes of the ids only: two that agree in them are rare, and then the whole ids are looked at.
fn check_unique(ids: &[TransactionId]) -> Result<(), DocketRefused> {
    let mut fronts: Vec<u64> = ids.iter().map(front).collect();
    fronts.sort_unstable();
    if fronts.is_sorted_by(|one, next| one < next) {
        return Ok(());
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    match sorted.array_windows().find(|[one, next]| one == next) {
        Some([twice, _]) => Err(DocketRefused::DuplicateTransaction(*twice)),
        None => Ok(()),
    }
}

/// Reads those transactions whole that `verify` asks for, and checks their authors' signatures together.
fn check_whole(body: &DocketBody, ids: &[TransactionId], verify: Verify) -> Result<(), DocketRefused> {
    let chosen = body.transactions().zip(ids).enumerate().filter(|(_, (_, id))| verify.includes(id));
    let chosen = chosen.map(|(position, (encoded, _))| (position, encoded));
    let at = |position| move |refusal| DocketRefused::Transaction { position, refusal };
    let mut batch = SignatureBatch::new();
    for (position, encoded) in chosen.clone() {
        let transaction = Transaction::decode(body.encoded().slice_ref(encoded)).map_err(at(position))?;
        transaction.add_signature(&mut batch);
    }
    if batch.holds() {
        return Ok(());
    }
    // A batch does not say which of its signatures fails.
    for (position, encoded) in chosen {
        let transaction = Transaction::decode(body.encoded().slice_ref(encoded)).map_err(at(position))?;
        transaction.verify_signature().map_err(at(position))?;
    }
    Ok(())
}

fn front(id: &TransactionId) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *id.as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// SplitMix64's finalizer: every bit of the number moves every bit of the result.
const fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
