//! Which registers there are, as those say who hold them; and which of its own this node says so of.

use super::{ApiState, error::ApiError, json, registers, time};
use axum::{
    Json,
    extract::{Path, Request, State},
    http::StatusCode,
};
use peerwright_engine::{Advertisement, AdvertisementView};
use peerwright_ledger::RegisterId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Registers in one call.
const MOST_AT_ONCE: usize = 512;

/// A register that somebody advertises.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub(super) struct Available {
    register: String,
    /// As most of those say who know it.
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    /// Other nodes that advertise it.
    peers: usize,
    /// Nodes that serve all of it, this one included.
    full_replicas: usize,
    /// The most dockets that anybody says it holds.
    dockets: u64,
    /// What this node says of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    own: Option<Holder>,
    /// Who has more of it than this node; nobody where this node says nothing.
    ahead: Vec<Ahead>,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
struct Holder {
    first: u64,
    dockets: u64,
    state: &'static str,
}

#[derive(Debug, Serialize, PartialEq, Eq)]
struct Ahead {
    /// Peer id.
    peer: String,
    dockets: u64,
}

/// What is said of one register.
#[derive(Default)]
struct Said {
    own: Option<Advertisement>,
    peers: Vec<AdvertisementView>,
}

/// `GET /api/registers/available`
pub(super) async fn available(State(state): State<ApiState>) -> Result<Json<Vec<Available>>, ApiError> {
    let heard = state.node.advertisements().await?;
    let identity = state.node.identity();
    let own = match state.node.snapshot() {
        Some(snapshot) => {
            let registers = state.node.registers();
            registers.advertisements(&snapshot.content, &identity.peer_id).await?
        }
        None => Vec::new(),
    };
    Ok(Json(by_register(own, heard)))
}

fn by_register(own: Vec<Advertisement>, heard: Vec<AdvertisementView>) -> Vec<Available> {
    let mut registers: BTreeMap<RegisterId, Said> = BTreeMap::new();
    for row in own {
        let register = row.register;
        registers.entry(register).or_default().own = Some(row);
    }
    for view in heard {
        registers.entry(view.advertisement.register).or_default().peers.push(view);
    }
    registers.into_iter().map(|(register, said)| said.available(register)).collect()
}

impl Said {
    fn available(self, register: RegisterId) -> Available {
        let all = || self.own.iter().chain(self.peers.iter().map(|view| &view.advertisement));
        let named = self.own.as_ref().filter(|own| !own.name.is_empty()).or_else(|| self.most_named());
        let ahead = self.own.iter().flat_map(|own| {
            let further = self.peers.iter().filter(|view| view.advertisement.dockets > own.dockets);
            further.map(|view| Ahead { peer: view.peer.to_string(), dockets: view.advertisement.dockets })
        });
        Available {
            register: register.to_string(),
            name: named.map(|row| row.name.clone()).unwrap_or_default(),
            description: named.map(|row| row.description.clone()).unwrap_or_default(),
            peers: self.peers.len(),
            full_replicas: all().filter(|row| row.serves_all()).count(),
            dockets: all().map(|row| row.dockets).max().unwrap_or_default(),
            ahead: ahead.collect(),
            own: self.own.as_ref().map(|own| Holder {
                first: own.first,
                dockets: own.dockets,
                state: own.state.label(),
            }),
        }
    }

    /// What most peers call it; of several that are called equally often the first in the order of the alphabet.
    fn most_named(&self) -> Option<&Advertisement> {
        let mut names: BTreeMap<(&str, &str), (usize, &Advertisement)> = BTreeMap::new();
        for row in self.peers.iter().map(|view| &view.advertisement).filter(|row| !row.name.is_empty()) {
            names.entry((row.name.as_str(), row.description.as_str())).or_insert((0, row)).0 += 1;
        }
        // The last of equals is taken.
        names.into_values().rev().max_by_key(|(times, _)| *times).map(|(_, row)| row)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Choice {
    is_public: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ChoiceView {
    register: String,
    is_public: bool,
}

/// `POST /api/registers/{id}/advertise`: answered when the choice is durable.
pub(super) async fn advertise(
    State(state): State<ApiState>,
    Path(register): Path<String>,
    request: Request,
) -> Result<Json<ChoiceView>, ApiError> {
    let Choice { is_public } = json::parse(&json::read_body(request).await?)?;
    let register = named(&state, &register, is_public)?;
    choose(&state, &[(register, is_public)], false).await?;
    Ok(Json(ChoiceView { register: register.to_string(), is_public }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Choices {
    /// What is not named becomes private.
    #[serde(default)]
    full_sync: bool,
    registers: Vec<NamedChoice>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NamedChoice {
    register: String,
    is_public: bool,
}

#[derive(Serialize)]
pub(super) struct ChoicesView {
    processed: usize,
    added: usize,
    removed: usize,
}

/// `POST /api/registers/bulk-advertise`: all of it or nothing.
pub(super) async fn advertise_all(
    State(state): State<ApiState>,
    request: Request,
) -> Result<Json<ChoicesView>, ApiError> {
    let Choices { full_sync, registers } = json::parse(&json::read_body(request).await?)?;
    if registers.len() > MOST_AT_ONCE {
        let message = format!("name at most {MOST_AT_ONCE} registers in a call");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "batch_size", message));
    }
    let wanted = registers.iter().map(|choice| {
        let register = named(&state, &choice.register, choice.is_public)?;
        Ok((register, choice.is_public))
    });
    let wanted: Vec<_> = wanted.collect::<Result<_, ApiError>>()?;
    let chosen = choose(&state, &wanted, full_sync).await?;
    Ok(Json(ChoicesView { processed: wanted.len(), added: chosen.added, removed: chosen.removed }))
}

/// A register that this node is to hold. One that it is to hold no longer can still be made private.
fn named(state: &ApiState, text: &str, is_public: bool) -> Result<RegisterId, ApiError> {
    let register = registers::register_id(text)?;
    if !is_public && state.node.registers().advertised.is_public(&register) {
        return Ok(register);
    }
    registers::subscribed(state, text)
}

async fn choose(
    state: &ApiState,
    wanted: &[(RegisterId, bool)],
    whole: bool,
) -> Result<crate::registers::Chosen, ApiError> {
    let advertised = &state.node.registers().advertised;
    Ok(advertised.choose(&*state.node.store(), time::now_micros(), wanted, whole).await?)
}

#[cfg(test)]
mod tests {
    use super::{Ahead, Available, Holder, by_register};
    use peerwright_engine::{Advertisement, AdvertisementView, HolderState, Micros};
    use peerwright_ledger::RegisterId;
    use peerwright_secure::PeerId;

    const ORDERS: RegisterId = RegisterId::from_bytes([1; 16]);
    const SALES: RegisterId = RegisterId::from_bytes([2; 16]);

    fn row(register: RegisterId, dockets: u64, state: HolderState, name: &str) -> Advertisement {
        let description = format!("{name} of the year");
        Advertisement { register, first: 0, dockets, state, name: name.to_owned(), description }
    }

    fn heard(peer: u8, advertisement: Advertisement) -> AdvertisementView {
        AdvertisementView { peer: PeerId::from_bytes([peer; 32]), advertisement, heard: Micros(1) }
    }

    #[test]
    fn who_holds_a_register_is_counted_over_all_peers_and_the_newest_version_is_shown() {
        let forward = Advertisement { first: 5, ..row(ORDERS, 9, HolderState::ForwardOnly, "") };
        let told = [
            heard(1, row(ORDERS, 7, HolderState::FullReplica, "orders")),
            heard(2, forward),
            heard(3, row(ORDERS, 8, HolderState::Sealing, "orders")),
            heard(3, row(SALES, 2, HolderState::Syncing, "sales")),
        ];
        let [orders, sales] = by_register(Vec::new(), told.into()).try_into().unwrap();
        assert_eq!((orders.peers, orders.full_replicas, orders.dockets), (3, 2, 9));
        assert_eq!((orders.name.as_str(), orders.description.as_str()), ("orders", "orders of the year"));
        assert_eq!((orders.own, orders.ahead), (None, vec![]), "of a register that is not held here nobody is ahead");
        assert_eq!((sales.register, sales.peers, sales.full_replicas), (SALES.to_string(), 1, 0));
    }

    #[test]
    fn only_those_are_ahead_that_say_they_have_more() {
        let own = row(ORDERS, 7, HolderState::Syncing, "orders");
        let told = [6, 7, 8].map(|dockets| {
            heard(u8::try_from(dockets).unwrap(), row(ORDERS, dockets, HolderState::FullReplica, "orders"))
        });
        let expected = Available {
            register: ORDERS.to_string(),
            name: "orders".to_owned(),
            description: "orders of the year".to_owned(),
            peers: 3,
            full_replicas: 3,
            dockets: 8,
            own: Some(Holder { first: 0, dockets: 7, state: "Syncing" }),
            ahead: vec![Ahead { peer: "08".repeat(32), dockets: 8 }],
        };
        assert_eq!(by_register(vec![own], told.into()), [expected]);
    }

    #[test]
    fn the_name_that_most_peers_know_is_shown_and_this_node_s_own_before_it() {
        let names = ["wrong", "orders", "", "orders", "awry", "awry"];
        let told: Vec<_> =
            (1..).zip(names).map(|(peer, name)| heard(peer, row(ORDERS, 1, HolderState::Syncing, name))).collect();
        assert_eq!(by_register(Vec::new(), told.clone())[0].name, "awry");
        assert_eq!(by_register(Vec::new(), told[..4].to_vec())[0].name, "orders");
        let own = row(ORDERS, 1, HolderState::Syncing, "mine");
        assert_eq!(by_register(vec![own], told)[0].name, "mine");
    }
}
