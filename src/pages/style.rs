//! The style sheet.

use std::sync::Arc;

use crate::app::App;
use crate::clock::UnixTime;
use crate::http::{Request, Response, Status};
use crate::view::html::style_sheet;

/// The style sheet, kept by browsers for an hour.
pub async fn get(_app: &Arc<App>, _request: Request, _now: UnixTime) -> Response {
    Response::bytes(Status::OK, "text/css; charset=utf-8", style_sheet())
        .with_header("cache-control", "public, max-age=3600")
}
