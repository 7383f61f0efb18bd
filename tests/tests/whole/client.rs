//! A client of the REST API: the real curl, a service-account token, the network's trust anchors.

use crate::{
    kubectl::wait_for,
    network::{Network, REGISTER},
};
use peerwright_cluster::Cluster;
use serde_json::Value;
use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

/// Calls the API of single nodes.
pub(crate) struct Client<'a> {
    network: &'a Network,
    token: String,
    trust: tempfile::NamedTempFile,
}

impl<'a> Client<'a> {
    /// A client with the token of a service account.
    pub(crate) fn of(network: &'a Network, account: &str) -> Self {
        let token =
            network.kubectl(&["create", "token", account, "--audience", &network.trust_domain(), "--duration", "1h"]);
        Self { network, token, trust: network.trust() }
    }

    /// The same client with another token.
    pub(crate) fn with_token(mut self, token: &str) -> Self {
        token.clone_into(&mut self.token);
        self
    }

    /// What a node takes this client by.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// The file with the network's trust anchors.
    pub(crate) fn trust(&self) -> &Path {
        self.trust.path()
    }

    /// One call; gives the status code and the JSON body.
    pub(crate) fn call(&self, pod: &str, method: &str, path: &str, body: Option<&str>) -> Result<(u16, Value), String> {
        let words = self.words(pod, &self.network.address(pod), method, path, body);
        let output = Command::new("curl").args(words).output().expect("curl is on the PATH");
        if output.status.success() {
            Ok(answer(&String::from_utf8(output.stdout).unwrap()))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
        }
    }

    /// What a route answers with 200; an error with any other status.
    pub(crate) fn get(&self, pod: &str, path: &str) -> Result<Value, String> {
        match self.call(pod, "GET", path, None)? {
            (200, answer) => Ok(answer),
            (status, answer) => Err(format!("{status} {answer}")),
        }
    }

    /// A header of what a route answers with 200, if it has one.
    pub(crate) fn header(&self, pod: &str, path: &str, name: &str) -> Result<Option<String>, String> {
        let mut words = self.words(pod, &self.network.address(pod), "GET", path, None);
        words.extend(["--fail", "--output", "/dev/null", "--dump-header", "-"].map(str::to_owned));
        let output = Command::new("curl").args(words).output().expect("curl is on the PATH");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let printed = String::from_utf8(output.stdout).unwrap();
        let mut headers = printed.lines().filter_map(|line| line.split_once(": "));
        let found = headers.find(|(header, _)| header.eq_ignore_ascii_case(name));
        Ok(found.map(|(_, value)| value.trim().to_owned()))
    }

    /// A curl that prints a register's dockets as they are committed on a node, as events, for at most five minutes.
    pub(crate) fn follow(&self, pod: &str, register: &str) -> Child {
        let path = format!("/api/registers/{register}/follow");
        let mut words = self.words(pod, &self.network.address(pod), "GET", &path, None);
        // Of two times the last counts.
        words.extend(["--no-buffer", "--max-time", "300"].map(str::to_owned));
        Command::new("curl").args(words).stdout(Stdio::piped()).spawn().expect("curl is on the PATH")
    }

    /// The words of a call by curl.
    fn words(&self, pod: &str, address: &str, method: &str, path: &str, body: Option<&str>) -> Vec<String> {
        let host = format!("{pod}.net-peers.{}.svc", self.network.namespace);
        let resolve = format!("{host}:8443:{address}");
        let trust = self.trust.path().to_str().unwrap();
        let mut words =
            ["--silent", "--show-error", "--max-time", "10", "--request", method].map(str::to_owned).to_vec();
        words.extend(["--write-out", "\n%{http_code}", "--cacert", trust, "--resolve", &resolve].map(str::to_owned));
        if !self.token.is_empty() {
            words.extend(["--header".to_owned(), format!("Authorization: Bearer {}", self.token)]);
        }
        if let Some(body) = body {
            words.extend(["--header", "Content-Type: application/json", "--data-binary", body].map(str::to_owned));
        }
        words.push(format!("https://{host}:8443{path}"));
        words
    }

    /// Hands in a transaction that carries `text`; gives its id once the node says that it is accepted.
    pub(crate) fn submit(&self, pod: &str, text: &str) -> Result<String, String> {
        id_in(&self.call(pod, "POST", &transactions(), Some(&transaction(text)))?, &[202])
    }

    /// As [`Client::submit`], by a curl that runs on a machine of the cluster, also when its cable is cut.
    pub(crate) fn submit_on(&self, cluster: &Cluster, machine: &str, pod: &str, text: &str) -> Result<String, String> {
        let address = self.network.address(pod);
        let words = self.words(pod, &address, "POST", &transactions(), Some(&transaction(text)));
        let words: Vec<&str> = std::iter::once("curl").chain(words.iter().map(String::as_str)).collect();
        id_in(&answer(&cluster.run_on(machine, &words).map_err(|error| error.to_string())?), &[202])
    }

    /// Begins a register, as soon as there are sealers; gives its id.
    pub(crate) fn begin_register(&self, pod: &str, name: &str) -> String {
        let body = serde_json::json!({ "name": name }).to_string();
        wait_for("a register begins", Duration::from_secs(60), || {
            match self.call(pod, "POST", "/api/registers", Some(&body))? {
                (201, answer) => Ok(answer["register"].as_str().unwrap().to_owned()),
                (status, answer) => Err(format!("{status} {answer}")),
            }
        })
    }

    /// Hands in a transaction of a register and waits until it is committed; gives its id.
    pub(crate) fn commit(&self, pod: &str, register: &str, text: &str) -> Result<String, String> {
        let path = format!("/api/registers/{register}/transactions?ack=committed");
        id_in(&self.call(pod, "POST", &path, Some(&transaction(text)))?, &[200])
    }

    /// Hands in a list of transactions; gives the ids of those that were accepted.
    pub(crate) fn hand_in(&self, pod: &str, register: &str, texts: &[String]) -> Result<Vec<String>, String> {
        let path = format!("/api/registers/{register}/transactions");
        handed_in(&self.call(pod, "POST", &path, Some(&list(texts)))?)
    }

    /// The ids of all committed transactions of a register, as a node has them, in their order.
    pub(crate) fn committed(&self, pod: &str, register: &str) -> Result<Vec<String>, String> {
        let path = format!("/api/registers/{register}");
        let head = self.get(pod, &path)?["head"]["number"].as_u64().unwrap();
        let mut ids = Vec::new();
        if head == 0 {
            return Ok(ids);
        }
        // All by one curl.
        let mut words = self.words(pod, &self.network.address(pod), "GET", &format!("{path}/dockets/[1-{head}]"), None);
        words.retain(|word| word != "--write-out" && word != "\n%{http_code}");
        words.push("--fail".to_owned());
        let output = Command::new("curl").args(words).output().expect("curl is on the PATH");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        for docket in serde_json::Deserializer::from_slice(&output.stdout).into_iter::<Value>() {
            let docket = docket.map_err(|error| error.to_string())?;
            let is_control = docket["control"] == true;
            let transactions = docket["transactions"].as_array().unwrap().iter().filter(|_| !is_control);
            ids.extend(transactions.map(|id| id.as_str().unwrap().to_owned()));
        }
        Ok(ids)
    }

    /// Waits until a node serves a transaction.
    pub(crate) fn wait_holds(&self, pod: &str, id: &str, limit: Duration) -> Value {
        let path = format!("/api/registers/{REGISTER}/transactions/{id}");
        wait_for(&format!("{pod} holds {id}"), limit, || self.get(pod, &path))
    }

    /// Ids of the transactions that a node lists, in its order; a thousand at most.
    pub(crate) fn listed(&self, pod: &str) -> Vec<String> {
        let page = self.get(pod, &format!("{}?limit=1000", transactions())).unwrap();
        assert_eq!(page["next"], Value::Null, "{page}");
        let rows = page["transactions"].as_array().unwrap();
        rows.iter().map(|row| row["transactionId"].as_str().unwrap().to_owned()).collect()
    }

    /// The members that a node knows.
    fn members(&self, pod: &str) -> Result<Vec<Value>, String> {
        let answer = self.get(pod, "/api/members")?;
        answer["members"].as_array().cloned().ok_or_else(|| answer.to_string())
    }

    /// The node's own peer id.
    pub(crate) fn own_peer(&self, pod: &str) -> Result<String, String> {
        let members = self.members(pod)?;
        let own = members.iter().find(|member| member["own"] == true).unwrap();
        Ok(own["id"].as_str().unwrap().to_owned())
    }

    /// Waits until a node holds a member `alive`, `unreachable` and so on.
    pub(crate) fn wait_member(&self, pod: &str, peer: &str, state: &str, limit: Duration) {
        wait_for(&format!("{pod} holds {peer} {state}"), limit, || {
            let members = self.members(pod)?;
            match members.iter().find(|member| member["id"] == peer) {
                Some(member) if member["state"] == state => Ok(()),
                Some(member) => Err(member.to_string()),
                None => Err("not a member".to_owned()),
            }
        });
    }

    /// Waits until a node has banned a peer by itself.
    pub(crate) fn wait_auto_ban(&self, pod: &str, peer: &str, limit: Duration) {
        wait_for(&format!("{pod} bans {peer} by itself"), limit, || {
            let bans = self.get(pod, "/api/bans/automatic")?;
            let is_banned = bans.as_array().unwrap().iter().any(|ban| ban["peerId"] == peer && ban["inForce"] == true);
            if is_banned { Ok(()) } else { Err(bans.to_string()) }
        });
    }

    /// Number of established links of a node.
    pub(crate) fn links(&self, pod: &str) -> Result<u64, String> {
        let answer = self.get(pod, "/api/peers/connected")?;
        answer["count"].as_u64().ok_or_else(|| answer.to_string())
    }

    /// Waits until a node has that many links.
    pub(crate) fn wait_links(&self, pod: &str, count: u64, limit: Duration) {
        wait_for(&format!("{pod} has {count} links"), limit, || match self.links(pod)? {
            links if links == count => Ok(()),
            links => Err(links.to_string()),
        });
    }
}

fn transactions() -> String {
    format!("/api/registers/{REGISTER}/transactions")
}

/// A transaction that carries `text`, as it is handed in.
pub(crate) fn transaction(text: &str) -> String {
    serde_json::json!({"type": "Action", "payloads": [{"text": text, "contentType": "text/plain"}]}).to_string()
}

/// A list of them.
pub(crate) fn list(texts: &[String]) -> String {
    let all: Vec<String> = texts.iter().map(|text| transaction(text)).collect();
    format!("[{}]", all.join(","))
}

/// The ids of a list's transactions that a node has accepted, by its answer.
pub(crate) fn handed_in((status, answer): &(u16, Value)) -> Result<Vec<String>, String> {
    let results = answer["results"].as_array().ok_or_else(|| format!("{status} {answer}"))?;
    let accepted = results.iter().filter(|result| result["accepted"] == true);
    Ok(accepted.map(|result| result["transactionId"].as_str().unwrap().to_owned()).collect())
}

/// What curl printed, as body and status.
fn answer(printed: &str) -> (u16, Value) {
    let (body, status) = printed.trim_end().rsplit_once('\n').unwrap();
    (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

/// The id of a transaction, by an answer that has one of these status codes.
pub(crate) fn id_in((status, answer): &(u16, Value), expected: &[u16]) -> Result<String, String> {
    match answer["transactionId"].as_str() {
        Some(id) if expected.contains(status) => Ok(id.to_owned()),
        _ => Err(format!("{status} {answer}")),
    }
}
