//! Whether the server works: for whoever restarts it when it does not.

use super::fault;
use crate::app::App;
use crate::http::{Response, Status};
use crate::store::instance;

/// `/healthz`: 200 when the database can be read.
pub fn get(app: &App) -> Response {
    match app.store.read(instance::find) {
        Ok(_) => Response::text(Status::OK, "ok\n").no_store(),
        Err(why) => fault(&why),
    }
}
