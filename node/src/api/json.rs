//! Reading JSON bodies: bounded in bytes and time, and an unknown field is named.

use super::{
    error::ApiError,
    sizes::{self, MaxBody},
};
use axum::{
    Json,
    body::{Body, Bytes},
    extract::Request,
    http::StatusCode,
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use std::{fmt::Display, str::FromStr, time::Duration};

/// From the head of a call to the end of its body.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// Reads a body, up to the route's limit.
pub(super) async fn read_body(request: Request) -> Result<Bytes, ApiError> {
    let max_body = request.extensions().get::<MaxBody>().map_or(0, |limit| limit.0);
    let body: Limited<Body> = Limited::new(request.into_body(), max_body);
    match tokio::time::timeout(BODY_TIMEOUT, body.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(sizes::body_too_large(max_body)),
        Ok(Err(error)) => Err(ApiError::bad_request("body_incomplete", format!("the body cannot be read: {error}"))),
        Err(_) => Err(ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body took longer than 60 s")),
    }
}

/// Reads a value; what is wrong is told with its place. The content type is not asked for: `curl -d` sends none of ours.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    match Json::<T>::from_bytes(body) {
        Ok(Json(value)) => Ok(value),
        Err(rejection) => Err(ApiError::bad_request("json_invalid", rejection.body_text())),
    }
}

/// Reads an optional value from its text form.
pub(super) fn from_text<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = Option::<String>::deserialize(deserializer)?;
    text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
}

/// Reads a value that is there: `null` is a value, absence is not.
pub(super) fn present<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
