//! What pages of other origins may do (Fetch 3.3): MCP clients that run in a browser are such pages. They show a token and
//! never a cookie, so any origin is allowed, and credentials are not.

use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
    ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use hyper::{Method, StatusCode};

use super::{Request, Response};

/// The headers of an answer that such a page may read.
const EXPOSED: &str = "WWW-Authenticate, Mcp-Session-Id, Retry-After";

impl Response {
    /// Lets a page of any origin read it.
    #[must_use]
    pub fn for_any_origin(self) -> Self {
        self.with_header(ACCESS_CONTROL_ALLOW_ORIGIN.as_str(), "*")
            .with_header(ACCESS_CONTROL_EXPOSE_HEADERS.as_str(), EXPOSED)
    }

    /// What such a page is told of what it may ask: these methods, and whatever headers it wants, because each revision of
    /// MCP adds headers of its own.
    pub fn to_preflight(request: &Request, methods: &str) -> Self {
        let wanted = request.header(ACCESS_CONTROL_REQUEST_HEADERS.as_str());
        Self::new(StatusCode::NO_CONTENT)
            .for_any_origin()
            .with_header(ACCESS_CONTROL_ALLOW_METHODS.as_str(), methods)
            .with_header(
                ACCESS_CONTROL_ALLOW_HEADERS.as_str(),
                wanted.unwrap_or("authorization, content-type"),
            )
            .with_header(ACCESS_CONTROL_MAX_AGE.as_str(), "86400")
            .with_header(VARY.as_str(), ACCESS_CONTROL_REQUEST_HEADERS.as_str())
    }
}

impl Request {
    /// Whether it is what a browser asks before such a page may ask (Fetch 4.8).
    pub fn is_preflight(&self) -> bool {
        *self.method() == Method::OPTIONS
            && self.headers().contains_key(ORIGIN)
            && self.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
    }
}

/// Lets a page of any origin read an answer with these headers, if they do not say who may.
pub fn for_any_origin(headers: &mut HeaderMap) {
    if !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}
