//! The style sheet.

use crate::http::{Response, Status};
use crate::view::html::style_sheet;

/// The style sheet, kept by browsers for an hour.
pub fn get() -> Response {
    Response::bytes(Status::OK, "text/css; charset=utf-8", style_sheet())
        .with_header("cache-control", "public, max-age=3600")
}
