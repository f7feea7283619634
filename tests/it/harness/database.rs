//! The database as somebody else may change it: rows damaged, people shut out, keys taken away.

use rusqlite::{Connection, Params};
use vestibule::oauth::resource::Admission;
use vestibule::store::resources;

use super::Server;
use super::server::resource;

impl Server {
    /// A connection of another program to the same file.
    pub fn connection(&self) -> Connection {
        Connection::open(self.app.store.path()).expect("the database")
    }

    /// Runs one statement over a connection of its own, and says how many rows it changed.
    pub fn sql(&self, sql: &str, params: impl Params) -> usize {
        self.connection().execute(sql, params).expect("the statement")
    }

    /// How many audit rows there are, whatever is in them.
    pub fn audit_count(&self) -> i64 {
        let sql = "select count(*) from audit_logs";
        self.connection().query_row(sql, [], |row| row.get(0)).expect("the audit log")
    }

    /// The registered resource admits these people only.
    pub fn admit_only(&self, uri: &str, names: &[&str]) {
        let users: Vec<_> = names.iter().map(|name| self.user(name).id).collect();
        let uri = resource(uri, "").uri;
        self.command(move |tx| {
            let mut resource = resources::find(tx, &uri)?.expect("a registered resource");
            resource.admission = Admission::Listed;
            resources::update(tx, &resource)?;
            resources::set_admitted(tx, &uri, &users)
        });
    }

    /// Takes a resource out of the registry.
    pub fn forget_resource(&self, uri: &str) {
        let uri = resource(uri, "").uri;
        assert!(self.command(move |tx| resources::remove(tx, &uri)));
    }
}
