//! Looks every now and then whether the authorities' Secrets are still there: there is no watch of Secrets, and a key
//! that is lost should be told of while a backup of it may still be found.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use super::Context;
use crate::cache::ObjectKey;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(20);

/// Looks for as long as it is polled. Reads only.
pub(super) async fn follow(context: Arc<Context>) {
    loop {
        sleep(INTERVAL).await;
        match context.parts.authorities.find_lost().await {
            Ok(lost) => {
                for network in lost {
                    tracing::error!(
                        network = network.name,
                        namespace = network.namespace,
                        "the Secret with the authority's key is gone"
                    );
                    context.parts.triggers.policies.fire(ObjectKey::new(&network.namespace, &network.name));
                }
            }
            Err(error) => tracing::debug!(%error, "the authorities' Secrets could not be looked for"),
        }
    }
}
