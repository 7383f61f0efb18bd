//! In the end every node holds the same messages, and among them every one that was acknowledged.

use super::Broken;
use crate::{
    host::Host,
    pool::{Number, Pool},
    store::Numbers,
};

/// What running nodes hold together.
pub(crate) fn union<'h>(hosts: impl Iterator<Item = &'h Host>) -> Numbers {
    let mut all = Numbers::default();
    for host in hosts.filter(|host| host.engine.is_some()) {
        all.add(&host.store.volume.messages);
    }
    all
}

/// One node holds all of it, of several messages with one name any; `whose` says what a message is.
pub(crate) fn holds_all(
    host: &Host,
    all: &Numbers,
    pool: &Pool,
    whose: impl Fn(Number) -> String,
) -> Result<(), Broken> {
    match all.missing_in(&pool.with_rivals(&host.store.volume.messages)) {
        None => Ok(()),
        Some((first, count)) => Err(of(host, format!("lacks {count} messages, the first is {}", whose(first)))),
    }
}

/// What a node acknowledged is among what is held.
pub(crate) fn nothing_lost(host: &Host, all: &Numbers) -> Result<(), Broken> {
    let lost: Option<Number> =
        host.acknowledged.iter().map(|(number, _)| *number).find(|number| !all.contains(*number));
    match lost {
        None => Ok(()),
        Some(number) => Err(of(host, format!("message {number} was acknowledged here and is lost"))),
    }
}

fn of(host: &Host, detail: String) -> Broken {
    Broken { host: host.id, ..Broken::new("converges", detail) }
}
