//! The database as somebody else sees and changes it: what it holds, row by row and byte by byte; rows damaged, people
//! shut out, keys taken away.

use std::collections::BTreeMap;

use rusqlite::types::{FromSql, Value};
use rusqlite::{Connection, Params};
use vestibule::oauth::resource::Admission;
use vestibule::store::resources;

use super::Server;
use super::server::resource;

impl Server {
    /// Every row of every table but the audit log, where a refusal belongs: what a refused request leaves as it was
    /// (G6 of the attack catalogue).
    pub fn contents(&self) -> BTreeMap<String, Vec<Vec<Value>>> {
        let connection = self.connection();
        let sql = "select name from sqlite_schema where type = 'table' and name <> 'audit_logs'";
        let mut tables = connection.prepare(sql).expect("the schema");
        let names: Vec<String> = tables
            .query_map([], |row| row.get(0))
            .expect("the tables")
            .map(|name| name.expect("a name"))
            .collect();
        names
            .into_iter()
            .map(|name| {
                let mut rows = connection.prepare(&format!("select * from {name}")).expect("a table");
                let columns = rows.column_count();
                let rows = rows
                    .query_map([], |row| (0..columns).map(|at| row.get(at)).collect())
                    .expect("its rows")
                    .map(|row| row.expect("a row"))
                    .collect();
                (name, rows)
            })
            .collect()
    }

    /// The first value of the first row that a query finds.
    #[track_caller]
    pub fn value<T: FromSql>(&self, sql: &str) -> T {
        self.connection().query_row(sql, [], |row| row.get(0)).unwrap_or_else(|why| panic!("{sql}: {why}"))
    }

    /// A connection to the file that knows nothing of this program.
    pub fn connection(&self) -> Connection {
        Connection::open(self.app.store.path()).expect("the database")
    }

    /// The bytes of the database's file and of its write-ahead log.
    pub fn bytes_at_rest(&self) -> Vec<u8> {
        let path = self.app.store.path();
        let mut bytes = std::fs::read(path).expect("the database");
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        bytes.extend(std::fs::read(log).expect("the write-ahead log"));
        bytes
    }

    /// How many rows each table has; without the audit log.
    pub fn rows(&self) -> BTreeMap<String, i64> {
        self.contents().into_iter().map(|(table, rows)| (table, rows.len() as i64)).collect()
    }

    /// How many rows one table has.
    #[track_caller]
    pub fn count(&self, table: &str) -> usize {
        self.contents().get(table).unwrap_or_else(|| panic!("no table {table}")).len()
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
