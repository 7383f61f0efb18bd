//! An API server in memory, for tests of what reads and writes records: names, resourceVersions and conflicts are real,
//! everything else is left out.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::{Client, client::Body};
use serde_json::{Value, json};

/// Objects by path, and what was asked.
#[derive(Clone, Default)]
pub(crate) struct FakeApi {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Value>,
    documents: BTreeMap<String, String>,
    tokens: BTreeMap<String, Value>,
    revision: u64,
    calls: Vec<String>,
    broken: bool,
}

impl FakeApi {
    pub(crate) fn client(&self) -> Client {
        let state = self.state.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let state = state.clone();
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.expect("a body").to_bytes();
                let answer = state.lock().expect("no panic").answer(&parts.method, parts.uri.path(), &body);
                Ok::<_, Infallible>(answer)
            }
        });
        Client::new(service, "default")
    }

    /// Puts an object in place, as if somebody else had written it.
    pub(crate) fn put(&self, collection: &str, object: Value) {
        let mut state = self.state.lock().expect("no panic");
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        state.store(&format!("{collection}/{name}"), object);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.state.lock().expect("no panic").objects.get(path).cloned()
    }

    pub(crate) fn remove(&self, path: &str) {
        self.state.lock().expect("no panic").objects.remove(path);
    }

    /// What a path that is no object answers.
    pub(crate) fn document(&self, path: &str, text: &str) {
        self.state.lock().expect("no panic").documents.insert(path.to_owned(), text.to_owned());
    }

    /// What a review of this token finds.
    pub(crate) fn token(&self, token: &str, status: Value) {
        self.state.lock().expect("no panic").tokens.insert(token.to_owned(), status);
    }

    /// Answers every call with an internal error from now on, or not any more.
    pub(crate) fn break_down(&self, broken: bool) {
        self.state.lock().expect("no panic").broken = broken;
    }

    /// The calls since this was last asked, as `METHOD path`.
    pub(crate) fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().expect("no panic").calls)
    }
}

impl State {
    fn answer(&mut self, method: &Method, path: &str, body: &[u8]) -> Response<Body> {
        self.calls.push(format!("{method} {path}"));
        if self.broken {
            return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
        }
        let sent: Value = serde_json::from_slice(body).unwrap_or_default();
        if path.ends_with("/tokenreviews") {
            return success(&self.review(sent));
        }
        if let Some(document) = self.documents.get(path) {
            return Response::new(Body::from(document.clone().into_bytes()));
        }
        match *method {
            Method::GET => match self.objects.get(path) {
                Some(object) => success(object),
                None if path.rsplit('/').next().is_some_and(|last| last.ends_with('s') && !last.contains('-')) => {
                    success(&self.list(path))
                }
                None => failure(StatusCode::NOT_FOUND, "NotFound"),
            },
            Method::POST => {
                let path = format!("{path}/{}", sent["metadata"]["name"].as_str().unwrap_or_default());
                if self.objects.contains_key(&path) {
                    return failure(StatusCode::CONFLICT, "AlreadyExists");
                }
                success(&self.store(&path, sent))
            }
            Method::PUT => {
                let Some(live) = self.objects.get(path) else {
                    return failure(StatusCode::NOT_FOUND, "NotFound");
                };
                if live["metadata"]["resourceVersion"] != sent["metadata"]["resourceVersion"] {
                    return failure(StatusCode::CONFLICT, "Conflict");
                }
                success(&self.store(path, sent))
            }
            Method::DELETE => match self.objects.remove(path) {
                Some(_) => success(&json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" })),
                None => failure(StatusCode::NOT_FOUND, "NotFound"),
            },
            _ => failure(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
        }
    }

    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.revision += 1;
        object["metadata"]["resourceVersion"] = json!(self.revision.to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn list(&self, collection: &str) -> Value {
        let prefix = format!("{collection}/");
        let items: Vec<&Value> =
            self.objects.iter().filter(|(path, _)| path.starts_with(&prefix)).map(|(_, object)| object).collect();
        json!({ "apiVersion": "v1", "kind": "List", "metadata": {}, "items": items })
    }

    fn review(&self, mut review: Value) -> Value {
        let token = review["spec"]["token"].as_str().unwrap_or_default();
        let mut status = self.tokens.get(token).cloned().unwrap_or(json!({ "authenticated": false }));
        let asked = review["spec"]["audiences"].as_array().cloned().unwrap_or_default();
        let has = status["audiences"].as_array().cloned().unwrap_or_default();
        let both: Vec<Value> = has.into_iter().filter(|audience| asked.contains(audience)).collect();
        if both.is_empty() {
            status = json!({ "authenticated": false });
        } else {
            status["audiences"] = both.into();
        }
        review["status"] = status;
        review
    }
}

fn success(object: &Value) -> Response<Body> {
    Response::new(Body::from(object.to_string().into_bytes()))
}

fn failure(code: StatusCode, reason: &str) -> Response<Body> {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": reason, "reason": reason, "code": code.as_u16(),
    });
    let mut response = success(&status);
    *response.status_mut() = code;
    response
}
