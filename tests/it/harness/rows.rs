//! What is in the database, counted: a refused request changes nothing (G6 of the attack catalogue).

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::Server;

impl Server {
    /// How many rows each table has. The audit log is left out: a refusal belongs there.
    pub fn rows(&self) -> BTreeMap<String, i64> {
        let connection = Connection::open(self.app.store.path()).expect("the database");
        let sql = "select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'";
        let mut tables = connection.prepare(sql).expect("the schema");
        let names = tables.query_map([], |row| row.get::<_, String>(0)).expect("the tables");
        names
            .map(|name| name.expect("a name"))
            .filter(|name| name != "audit_logs")
            .map(|name| {
                let count =
                    connection.query_row(&format!("select count(*) from {name}"), [], |row| row.get(0));
                (name, count.expect("a count"))
            })
            .collect()
    }
}
