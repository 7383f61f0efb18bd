//! What a network leaves behind: children go by their owner references; its authority and its member table, which are in
//! the operator's namespace, go here. The network has no finalizer: nobody has to wait for the operator to delete one.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use kube::{Api, Client, ResourceExt};
use peerwright_crds::PeerNetwork;
use tokio::time::{sleep, timeout};

use super::{Context, triggers::Hint};
use crate::{cache::ObjectKey, identity::NetworkKey};

const RETRY: Duration = Duration::from_secs(10);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);

/// Clears up after the networks that went while nobody looked, then after each that goes, for as long as it is polled.
/// Begin it when the caches are complete and this replica leads.
pub(super) async fn follow(context: Arc<Context>, client: Client) {
    let mut listener = context.parts.triggers.departed.listen();
    let mut waiting: VecDeque<NetworkKey> = VecDeque::new();
    sweep(&context).await;
    loop {
        let hint = if waiting.is_empty() {
            listener.next().await
        } else {
            tokio::select! {
                biased;
                hint = listener.next() => hint,
                () = sleep(RETRY) => waiting.pop_front().map_or(Hint::Everything, Hint::One),
            }
        };
        match hint {
            Hint::Everything => sweep(&context).await,
            Hint::One(network) => {
                if let Err(error) = clear_up(&context, &client, &network).await {
                    tracing::warn!(
                        network = network.name,
                        error,
                        "what a deleted network left could not be removed yet"
                    );
                    waiting.push_back(network);
                }
            }
        }
    }
}

async fn sweep(context: &Context) {
    loop {
        match context.parts.authorities.forget_orphans(|namespace| context.parts.namespaces.contains(namespace)).await {
            Ok(forgotten) => {
                forgotten.iter().for_each(|network| cleared(context, network));
                return;
            }
            Err(error) => {
                tracing::warn!(%error, "authorities of deleted networks could not be looked for yet");
                sleep(RETRY).await;
            }
        }
    }
}

/// Asks the API server once more before a key is deleted: the cache alone does not decide that.
async fn clear_up(context: &Context, client: &Client, network: &NetworkKey) -> Result<(), String> {
    let networks: Api<PeerNetwork> = Api::namespaced(client.clone(), &network.namespace);
    let live = timeout(CALL_TIMEOUT, networks.get_metadata_opt(&network.name)).await;
    let live = live.map_err(|_| "no answer".to_owned())?.map_err(|error| error.to_string())?;
    if live.and_then(|live| live.uid()).is_some_and(|uid| uid == network.uid) {
        return Ok(());
    }
    context.parts.authorities.forget(&network.uid).await.map_err(|error| error.to_string())?;
    cleared(context, network);
    Ok(())
}

fn cleared(context: &Context, network: &NetworkKey) {
    tracing::info!(
        network = network.name,
        namespace = network.namespace,
        uid = network.uid,
        "cleared up after a deleted network"
    );
    let key = ObjectKey::new(&network.namespace, &network.name);
    context.forget(&network.uid, &key);
    // Those that name it have lost it, or found another of its name.
    context.trigger_dependants(&key);
    context.parts.triggers.policies.fire(key);
}
