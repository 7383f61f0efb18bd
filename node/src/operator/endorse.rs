//! Asks the operator for the word of the network's authority over registers, for a node that goes on without the other
//! sealers.

use super::{OperatorClient, OperatorError};
use crate::registers::NetworkAuthority;
use futures::future::BoxFuture;
use peerwright_ledger::{CommitCertificate, SealedDocket};
use peerwright_proto::v1::EndorseRequest;
use peerwright_secure::NodePublicKey;

impl NetworkAuthority for OperatorClient {
    /// Who asks, the operator sees by the certificate.
    fn endorse(&self, _: NodePublicKey, docket: SealedDocket) -> BoxFuture<'_, Result<CommitCertificate, String>> {
        Box::pin(async move {
            let signed = self.endorsed(&docket).await;
            (self.observer)("endorse", signed.as_ref().map_or_else(OperatorError::code, |_| "signed"));
            signed.map_err(|error| error.to_string())
        })
    }
}

impl OperatorClient {
    /// Tries every replica; whoever asks bounds the time.
    async fn endorsed(&self, (header, body): &SealedDocket) -> Result<CommitCertificate, OperatorError> {
        let mut outcome = OperatorError::NotLeader;
        for socket in self.addresses().await? {
            let asking = async {
                let (mut client, cut) = self.connect(socket, &self.member).await?;
                let _cut = cut.drop_guard();
                let request = EndorseRequest { header: header.encode().into(), body: body.encoded().clone() };
                let answer = client.endorse(request).await?.into_inner();
                CommitCertificate::decode(&answer.certificate)
                    .map_err(|error| OperatorError::Unusable(error.to_string()))
            };
            match asking.await {
                Ok(certificate) => return Ok(certificate),
                // A refusal is the leader's word; that another replica does not lead or answer says less.
                Err(error @ OperatorError::Refused { .. }) => outcome = error,
                Err(error) if matches!(outcome, OperatorError::NotLeader) => outcome = error,
                Err(error) => tracing::debug!(%socket, %error, "a replica of the operator signs nothing"),
            }
        }
        Err(outcome)
    }
}
