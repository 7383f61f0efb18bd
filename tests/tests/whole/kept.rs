//! A client of the REST API that keeps its connections, as a program that hands in all day does, and knows where the pods
//! are by one `kubectl get --watch`: beside it the network has the machine for itself.

use crate::{
    client::{Client, handed_in, id_in, list, transaction},
    kubectl::{Watching, watch},
    network::Network,
};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{
        Client as Connections,
        connect::{HttpConnector, dns::Name},
    },
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    error::Error,
    future::{Ready, ready},
    io,
    net::{IpAddr, SocketAddr},
    option,
    sync::{Arc, Mutex},
    task::{Context, Poll},
    thread,
    time::Duration,
};
use tokio::{
    runtime::{Builder, Runtime},
    time::timeout,
};

/// A pod that is gone does not refuse a connection, it says nothing.
const CONNECTED: Duration = Duration::from_secs(1);
/// From a question to its answer: longer than a node lets anybody wait for a commit.
const ANSWERED: Duration = Duration::from_secs(40);

/// Calls the API of all pods of a network.
pub(crate) struct Kept {
    connections: Connections<HttpsConnector<HttpConnector<Pods>>, Full<Bytes>>,
    authorization: String,
    /// What follows a pod's name in its host name.
    domain: String,
    runtime: Runtime,
    _watching: Watching,
}

impl Kept {
    /// With the token and the trust anchors of a client that calls one at a time.
    pub(crate) fn of(network: &Network, client: &Client<'_>) -> Self {
        let (pods, watching) = Pods::of(network);
        let mut trusted = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(client.trust()).unwrap() {
            trusted.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = versions.with_root_certificates(trusted).with_no_client_auth();
        let mut tcp = HttpConnector::new_with_resolver(pods);
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECTED));
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http2().wrap_connector(tcp);
        Self {
            connections: Connections::builder(TokioExecutor::new()).http2_only(true).build(connector),
            authorization: format!("Bearer {}", client.token()),
            domain: format!("net-peers.{}.svc", network.namespace),
            runtime: Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap(),
            _watching: watching,
        }
    }

    /// Hands in a list of transactions; gives the ids of those that were accepted.
    pub(crate) fn hand_in(&self, pod: &str, register: &str, texts: &[String]) -> Result<Vec<String>, String> {
        handed_in(&self.post(pod, &format!("/api/registers/{register}/transactions"), list(texts))?)
    }

    /// Hands in a transaction and waits until it is committed; gives its id, and whether it is: a node that ends says so far
    /// that it has accepted it.
    pub(crate) fn commit(&self, pod: &str, register: &str, text: &str) -> Result<(String, bool), String> {
        let path = format!("/api/registers/{register}/transactions?ack=committed");
        let answer = self.post(pod, &path, transaction(text))?;
        Ok((id_in(&answer, &[200, 202])?, answer.0 == 200))
    }

    fn post(&self, pod: &str, path: &str, body: String) -> Result<(u16, Value), String> {
        let request = Request::post(format!("https://{pod}.{}:8443{path}", self.domain))
            .header(header::AUTHORIZATION, &self.authorization)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(body))
            .unwrap();
        let answering = async {
            let answer = self.connections.request(request).await?;
            let (status, body) = (answer.status().as_u16(), answer.into_body().collect().await?.to_bytes());
            Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
        };
        let answered = self.runtime.block_on(async { timeout(ANSWERED, answering).await });
        answered
            .map_err(|_| "no answer in time".to_owned())?
            .map_err(|error: Box<dyn Error + Send + Sync>| format!("{error:?}"))
    }
}

/// Where pods are, by their names.
#[derive(Clone, Default)]
struct Pods(Arc<Mutex<BTreeMap<String, IpAddr>>>);

impl Pods {
    /// As kubectl tells: a pod that it has not told of yet has no address.
    fn of(network: &Network) -> (Self, Watching) {
        let told = "jsonpath={.metadata.name} {.status.podIP}{\"\\n\"}";
        let (lines, watching) = watch(&["-n", &network.namespace, "get", "pods", "-o", told]);
        let pods = Self::default();
        let told = pods.clone();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let Some((pod, address)) = line.split_once(' ') else { continue };
                let mut all = told.0.lock().unwrap();
                match address.parse() {
                    Ok(address) => drop(all.insert(pod.to_owned(), address)),
                    Err(_none) => drop(all.remove(pod)),
                }
            }
        });
        (pods, watching)
    }
}

impl tower::Service<Name> for Pods {
    type Response = option::IntoIter<SocketAddr>;
    type Error = io::Error;
    type Future = Ready<io::Result<Self::Response>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, host: Name) -> Self::Future {
        let pod = host.as_str().split('.').next().unwrap_or_default();
        // The port is the connector's.
        let address = self.0.lock().unwrap().get(pod).map(|address| SocketAddr::new(*address, 0));
        ready(address.map(|address| Some(address).into_iter()).ok_or_else(|| io::Error::other("no address")))
    }
}
