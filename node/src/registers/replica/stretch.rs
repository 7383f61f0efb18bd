//! What is verified of dockets: headers in their order, bodies in any. All of it runs off the async threads.
//!
//! ```text
//! catch-up   headers ─▶ take_headers ─▶ Stretch ── its bodies, from any source ──▶ Stretch::verify ─▶ Verified
//! live       dockets ─▶ verify_bodies ─▶ Sound ─────────────────────────────────▶ take_dockets ───▶ Verified
//! ```

use super::{Ended, level};
use bytes::Bytes;
use peerwright_ledger::{
    CertifiedHeader, Chain, Docket, DocketBody, RegisterId, TransactionId, Verify, register::VerifyPolicy, verify_body,
};
use peerwright_store::NewDocket;
use std::{collections::VecDeque, sync::Arc};
use tokio::sync::OwnedSemaphorePermit;

/// A stretch ends before its bodies have more bytes than this together ...
const STRETCH_BYTES: u64 = 512 * 1024;
/// ... or so many dockets.
const STRETCH_DOCKETS: usize = 256;
/// Stretches whose headers are verified at once, and headers: the first bodies are asked for meanwhile, and who is
/// interrupted has not verified the headers of what it never fetched.
const STRETCHES_AT_ONCE: usize = 8;
const HEADERS_AT_ONCE: usize = STRETCH_DOCKETS;

/// Consecutive dockets whose headers a chain has taken, and whose bodies are to come.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    headers: Vec<CertifiedHeader>,
    /// The chain behind the last of them.
    checkpoint: Bytes,
    policy: VerifyPolicy,
}

/// Dockets that may be stored.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) dockets: Vec<NewDocket>,
    /// The chain behind the last of them.
    pub(super) checkpoint: Bytes,
    /// What the source may send more for them.
    pub(super) credit: u32,
    /// The room that they take among all that replicas hold in memory.
    pub(super) room: Arc<OwnedSemaphorePermit>,
}

impl Verified {
    pub(super) fn first(&self) -> u64 {
        self.dockets.first().map_or(0, |docket| docket.number)
    }

    pub(super) fn bytes(&self) -> usize {
        self.dockets.iter().map(|docket| docket.body.len()).sum()
    }
}

impl Stretch {
    pub(super) fn first(&self) -> u64 {
        self.headers.first().map_or(0, |docket| docket.header.number)
    }

    /// The number behind its last docket.
    pub(super) fn end(&self) -> u64 {
        self.first() + self.headers.len() as u64
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.headers.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn body_bytes(&self) -> u64 {
        self.headers.iter().map(|docket| u64::from(docket.header.body_bytes)).sum()
    }

    pub(super) fn checkpoint(&self) -> &Bytes {
        &self.checkpoint
    }

    /// The dockets, if these are their bodies.
    pub(super) fn verify(&self, bodies: Vec<Bytes>) -> Result<Vec<NewDocket>, Ended> {
        if bodies.len() != self.headers.len() {
            return Err(Ended::Short);
        }
        let verify = level(self.policy);
        let dockets = self.headers.iter().zip(bodies).map(|(CertifiedHeader { header, certificate }, body)| {
            let body = DocketBody::decode(body.clone()).map_err(|error| Ended::Malformed(error, body))?;
            let ids = verify_body(header, &body, verify).map_err(|refused| Ended::refused(header, refused))?;
            Ok(NewDocket::of(&Docket { header: *header, certificate: certificate.clone(), body }, ids))
        });
        dockets.collect()
    }
}

/// Takes headers of the next few stretches into the chain, up to the first that governs the register: that one is left in
/// front, for it is taken with its body only.
pub(super) fn take_headers(
    chain: &mut Chain,
    headers: &mut VecDeque<CertifiedHeader>,
    now: u64,
) -> Result<Vec<Stretch>, Ended> {
    let (mut stretches, mut open, mut bytes, mut count) = (Vec::new(), Vec::new(), 0u64, 0);
    let policy = chain.governance().policy().verify;
    while count < HEADERS_AT_ONCE
        && let Some(next) = headers.pop_front_if(|next| !next.header.control)
    {
        let more = u64::from(next.header.body_bytes);
        if !open.is_empty() && (bytes + more > STRETCH_BYTES || open.len() >= STRETCH_DOCKETS) {
            stretches.push(Stretch { headers: std::mem::take(&mut open), checkpoint: chain.encode(), policy });
            bytes = 0;
            if stretches.len() >= STRETCHES_AT_ONCE {
                headers.push_front(next);
                break;
            }
        }
        let taken = chain.extend_header(&next.header, &next.certificate, now);
        taken.map_err(|refused| Ended::refused(&next.header, refused))?;
        bytes += more;
        count += 1;
        open.push(next);
    }
    if !open.is_empty() {
        stretches.push(Stretch { headers: open, checkpoint: chain.encode(), policy });
    }
    Ok(stretches)
}

/// Takes a docket that governs the register, docket 0 among them.
pub(super) fn take_control(
    register: RegisterId,
    chain: Option<Chain>,
    docket: &Docket,
    now: u64,
) -> Result<(Chain, NewDocket), Ended> {
    let refused = |refused| Ended::refused(&docket.header, refused);
    let (chain, ids) = match chain {
        Some(mut chain) => {
            let ids = chain.extend(docket, Verify::EveryTransaction, now).map_err(refused)?;
            (chain, ids)
        }
        None => {
            let begun = Chain::begin(docket, now).map_err(refused)?;
            if begun.register() != register {
                return Err(Ended::OtherRegister(begun.register(), docket.header.encode().into()));
            }
            (begun, verify_body(&docket.header, &docket.body, Verify::Docket).map_err(refused)?)
        }
    };
    Ok((chain, NewDocket::of(docket, ids)))
}

/// A docket whose body is the one that its header commits to; the header itself is nobody's yet.
#[derive(Debug)]
pub(super) struct Sound {
    docket: Docket,
    ids: Vec<TransactionId>,
    policy: VerifyPolicy,
}

/// Reads dockets and verifies their bodies.
pub(super) fn verify_bodies(encoded: Vec<Bytes>, policy: VerifyPolicy) -> Result<Vec<Sound>, Ended> {
    let verify = level(policy);
    let sound = encoded.into_iter().map(|encoded| {
        let docket = Docket::decode(encoded.clone()).map_err(|error| Ended::Malformed(error, encoded))?;
        let ids = verify_body(&docket.header, &docket.body, verify);
        let ids = ids.map_err(|refused| Ended::refused(&docket.header, refused))?;
        Ok(Sound { docket, ids, policy })
    });
    sound.collect()
}

/// Takes dockets into the chain, in their order; those that it has are left out.
pub(super) fn take_dockets(mut chain: Chain, sound: Vec<Sound>, now: u64) -> Result<(Chain, Vec<NewDocket>), Ended> {
    let mut dockets = Vec::with_capacity(sound.len());
    for Sound { docket, ids, policy } in sound {
        let Docket { header, certificate, body } = &docket;
        if header.number <= chain.head().number {
            continue;
        }
        let refused = |refused| Ended::refused(header, refused);
        let ids = if header.control {
            chain.extend(&docket, Verify::EveryTransaction, now).map_err(refused)?
        } else {
            let demanded = chain.governance().policy().verify;
            chain.extend_header(header, certificate, now).map_err(refused)?;
            // The docket before it may have made the register's policy stricter.
            if demanded == policy { ids } else { verify_body(header, body, level(demanded)).map_err(refused)? }
        };
        dockets.push(NewDocket::of(&docket, ids));
    }
    Ok((chain, dockets))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::{HEADERS_AT_ONCE, take_headers};
    use crate::{driver::Clock, testing::sealed::SealedRegister};
    use std::collections::VecDeque;

    #[test]
    fn a_part_of_many_headers_is_taken_at_once_and_the_rest_later_without_a_gap() {
        let begin = SealedRegister::begin();
        let mut register = begin.clone();
        (0..=HEADERS_AT_ONCE).for_each(|_| register.seal(1));
        let mut headers: VecDeque<_> = (1..HEADERS_AT_ONCE + 2).map(|number| register.certified(number)).collect();
        let now = Clock::wall().0;
        let mut chain = begin.chain().clone();

        let first = take_headers(&mut chain, &mut headers, now).unwrap();
        assert_eq!((chain.head().number, headers.len()), (HEADERS_AT_ONCE as u64, 1));
        assert_eq!(first.last().unwrap().checkpoint(), &chain.encode());

        let second = take_headers(&mut chain, &mut headers, now).unwrap();
        let bounds: Vec<_> = first.iter().chain(&second).map(|stretch| (stretch.first(), stretch.end())).collect();
        assert!(bounds.windows(2).all(|pair| pair[0].1 == pair[1].0), "{bounds:?}");
        let ends = bounds.first().zip(bounds.last()).map(|(first, last)| (first.0, last.1));
        assert_eq!((ends, headers.len()), (Some((1, register.count())), 0));
    }
}
