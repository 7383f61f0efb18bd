//! Registers in a PostgreSQL database, which runs on this machine beside the cluster's.

use crate::{client::Client, forgery::openssl, kubectl::wait_for, network::Network, registers::wait_committed_within};
use peerwright_cluster::{Cluster, layout::HOST_ADDRESS};
use peerwright_database::Server;
use serde_json::json;
use std::{collections::BTreeSet, fs, time::Duration};
use tempfile::TempDir;

/// The server's port: one that nothing else here listens on.
const PORT: u16 = 15_432;
/// Until the network works again after its database was away.
const PATIENCE: Duration = Duration::from_secs(120);
const PODS: [&str; 3] = ["net-peer-0", "net-peer-1", "net-peer-2"];

/// A server with a certificate for its address, and who signed that.
fn server() -> (Server, String) {
    let folder = TempDir::new().unwrap();
    let openssl = |words: &str| openssl(folder.path(), &words.split(' ').collect::<Vec<_>>());
    let read = |file: &str| fs::read_to_string(folder.path().join(file)).unwrap();
    let new = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(&format!("req -x509 {new} -subj /CN=authority -days 2 -keyout authority.key -out authority.pem"));
    openssl(&format!("req {new} -subj /CN=database -keyout server.key -out request.pem"));
    fs::write(folder.path().join("names"), format!("subjectAltName=IP:{HOST_ADDRESS}\n")).unwrap();
    openssl(
        "x509 -req -in request.pem -CA authority.pem -CAkey authority.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
    let server = Server::listening(HOST_ADDRESS, &read("server.pem"), &read("server.key"), PORT);
    (server, read("authority.pem"))
}

/// A role that may use a database of its own, and its password.
fn role(server: &Server) -> String {
    let password = fs::read_to_string("/proc/sys/kernel/random/uuid").unwrap().trim().to_owned();
    let _ = server.sql("postgres", &format!("CREATE ROLE nodes LOGIN PASSWORD '{password}'"));
    let _ = server.sql("postgres", "CREATE DATABASE shop OWNER nodes");
    password
}

#[test]
fn a_network_keeps_its_registers_in_a_database_that_may_crash_and_come_back() {
    let (server, authority) = server();
    let password = role(&server);
    let network = Network::namespace("database");
    network.kubectl(&["create", "secret", "generic", "shop", &format!("--from-literal=password={password}")]);
    network.kubectl(&["create", "configmap", "shop", &format!("--from-literal=ca.pem={authority}")]);
    let postgres = json!({
        "host": HOST_ADDRESS,
        "port": PORT,
        "database": "shop",
        "user": "nodes",
        "passwordSecretRef": { "name": "shop", "key": "password" },
        "tls": { "caConfigMapRef": { "name": "shop", "key": "ca.pem" } },
    });
    network.apply_changed(&[("peer", 3)], "Delete", |spec| spec["storage"]["postgres"] = postgres);
    network.wait_ready(3);
    let client = Client::of(&network, "client");
    let register = client.begin_register("net-peer-0", "ledger");
    network.subscribe_to(&register);
    let commit = |pod: &str, text: &str| wait_for("it is committed", PATIENCE, || client.commit(pod, &register, text));
    let mut ids: BTreeSet<String> = PODS.iter().map(|pod| commit(pod, pod)).collect();

    let schemas = "SELECT string_agg(schema_name, ' ' ORDER BY schema_name) FROM information_schema.schemata \
                   WHERE schema_name LIKE 'peerwright%'";
    let expected = "peerwright_net_peer_0 peerwright_net_peer_1 peerwright_net_peer_2";
    assert_eq!(server.sql("shop", schemas), expected, "each node has a schema of its own");
    let encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE usename = 'nodes'";
    assert_eq!(server.sql("shop", encrypted), "t", "every connection is under TLS");

    server.kill();
    server.start();
    ids.insert(commit("net-peer-1", "after the crash of the database"));

    let cluster = Cluster::attach().unwrap();
    cluster.kill_pod(&network.namespace, "net-peer-2").unwrap();
    ids.insert(commit("net-peer-0", "while one was away"));
    network.wait_pod_ready("net-peer-2", PATIENCE);
    for pod in PODS {
        wait_committed_within(&client, pod, &register, &ids, PATIENCE);
    }
    // The nodes let go of the server before it ends.
    network.delete();
}
