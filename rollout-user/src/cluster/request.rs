//! Requests and their answers: URLs of lists and watches, whole bodies with their time of arrival.
//!
//! In: paths and selectors. Out: bytes stamped with `CLOCK_MONOTONIC`, or a [`Failure`].

use super::failure::Failure;
use super::lines::Lines;
use crate::timeline::monotonic_ns;
use futures::{AsyncBufRead, AsyncBufReadExt};
use http::Request;
use std::fmt::Write;
use std::pin::Pin;
use std::time::Duration;

/// Objects on one page of a list.
const PAGE: u32 = 500;
/// Largest answer that is read.
const LARGEST: usize = 512 * 1024 * 1024;

/// What one watch asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// E.g. `/api/v1/pods`.
    pub path: String,
    /// `fieldSelector`, empty = all.
    pub fields: String,
    /// `labelSelector`, empty = all.
    pub labels: String,
}

impl Query {
    /// One page of a list; the first without a token. No resource version: the answer is consistent, never older than
    /// the request.
    pub(crate) fn page(&self, token: &str) -> String {
        let mut url = format!("{}?limit={PAGE}", self.path);
        self.select(&mut url);
        parameter(&mut url, "continue", token);
        url
    }

    /// A watch from a resource version on.
    pub(crate) fn watch(&self, version: &str, open: Duration) -> String {
        let mut url = format!(
            "{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={}",
            self.path,
            open.as_secs().max(1)
        );
        self.select(&mut url);
        parameter(&mut url, "resourceVersion", version);
        url
    }

    fn select(&self, url: &mut String) {
        parameter(url, "fieldSelector", &self.fields);
        parameter(url, "labelSelector", &self.labels);
    }
}

fn parameter(url: &mut String, name: &str, value: &str) {
    if !value.is_empty() {
        url.push('&');
        url.push_str(name);
        url.push('=');
        url.push_str(&encoded(value));
    }
}

/// Percent-encodes everything but unreserved characters (RFC 3986).
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A whole answer.
pub(crate) struct Answer {
    /// When its last byte came.
    pub stamp_ns: u64,
    /// The body.
    pub body: Vec<u8>,
}

type Reader = Pin<Box<dyn AsyncBufRead + Send>>;

/// GET, whole body.
pub(crate) async fn get(
    client: &kube::Client,
    url: &str,
    patience: Duration,
) -> Result<Answer, Failure> {
    whole(open(client, Request::get(url).body(Vec::new()), patience).await?, patience).await
}

/// POST of a JSON value, whole body.
pub(crate) async fn post(
    client: &kube::Client,
    url: &str,
    json: &serde_json::Value,
    patience: Duration,
) -> Result<Answer, Failure> {
    let request = Request::post(url)
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(json.to_string().into_bytes());
    whole(open(client, request, patience).await?, patience).await
}

/// PATCH (strategic merge) with a JSON value, whole body.
pub(crate) async fn patch(
    client: &kube::Client,
    url: &str,
    json: &serde_json::Value,
    patience: Duration,
) -> Result<Answer, Failure> {
    let request = Request::patch(url)
        .header(http::header::CONTENT_TYPE, "application/strategic-merge-patch+json")
        .body(json.to_string().into_bytes());
    whole(open(client, request, patience).await?, patience).await
}

/// GET, line by line. Only the answer's head is waited for.
pub(crate) async fn stream(
    client: &kube::Client,
    url: &str,
    patience: Duration,
) -> Result<Lines<Reader>, Failure> {
    Ok(Lines::new(open(client, Request::get(url).body(Vec::new()), patience).await?))
}

async fn open(
    client: &kube::Client,
    request: http::Result<Request<Vec<u8>>>,
    patience: Duration,
) -> Result<Reader, Failure> {
    let request = request.map_err(|error| Failure::Malformed(error.to_string()))?;
    match tokio::time::timeout(patience, client.request_stream(request)).await {
        Ok(Ok(reader)) => Ok(Box::pin(reader)),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Failure::Silent(patience)),
    }
}

async fn whole(mut reader: Reader, patience: Duration) -> Result<Answer, Failure> {
    let mut body = Vec::new();
    loop {
        let chunk = match tokio::time::timeout(patience, reader.fill_buf()).await {
            Ok(chunk) => chunk?,
            Err(_) => return Err(Failure::Silent(patience)),
        };
        if chunk.is_empty() {
            return Ok(Answer { stamp_ns: monotonic_ns(), body });
        }
        let length = chunk.len();
        body.extend_from_slice(chunk);
        reader.consume_unpin(length);
        if body.len() > LARGEST {
            return Err(Failure::Malformed(format!("an answer is larger than {LARGEST} bytes")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_carry_selectors_version_and_token_encoded() {
        let query = Query {
            path: "/api/v1/pods".into(),
            fields: "spec.nodeName=node1".into(),
            labels: "app in (a,b)".into(),
        };
        assert_eq!(
            query.page("a+/="),
            "/api/v1/pods?limit=500&fieldSelector=spec.nodeName%3Dnode1\
             &labelSelector=app%20in%20%28a%2Cb%29&continue=a%2B%2F%3D"
        );
        assert_eq!(
            Query { path: "/api/v1/services".into(), ..Query::default() }
                .watch("7", Duration::from_secs(120)),
            "/api/v1/services?watch=true&allowWatchBookmarks=true&timeoutSeconds=120&resourceVersion=7"
        );
    }
}
