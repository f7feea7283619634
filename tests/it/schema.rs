//! The database's file: what `schema.sql` makes, what upgrades make of older files, and which files are left alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use vestibule::clock::UnixTime;
use vestibule::oauth::issuer::Issuer;
use vestibule::store::{OpenRefusal, Store, resources, schema};

fn new_database(directory: &Path) -> PathBuf {
    let path = directory.join("vestibule.db");
    let issuer = Issuer::parse("https://as.test").expect("an issuer");
    schema::create(&path, &issuer, UnixTime::new(0)).expect("a new database");
    path
}

/// Every table and index as SQLite remembers it, without comments, spacing and the quotes of renamed tables.
fn shape(path: &Path) -> Vec<String> {
    let connection = Connection::open(path).expect("the database");
    let mut statement = connection
        .prepare("select sql from sqlite_schema where sql is not null and name not like '_litestream%' order by name")
        .expect("the schema");
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).expect("the rows");
    rows.map(|sql| {
        let sql = sql.expect("a row");
        let bare: Vec<&str> = sql.lines().map(|line| line.split("--").next().unwrap_or_default()).collect();
        let words = bare.join(" ").replace('"', "").to_lowercase();
        // A column that was added later stands behind a comma on a line of its own.
        words.split_whitespace().collect::<Vec<_>>().join(" ").replace(" ,", ",").replace(" )", ")")
    })
    .collect()
}

#[test]
fn every_released_schema_is_upgraded_to_todays() {
    let directory = tempfile::tempdir().expect("a directory");
    let today = shape(&new_database(directory.path()));
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    for version in 0..=schema::version() {
        let released = fs::read_to_string(vectors.join(format!("schema_v{version}.sql")))
            .unwrap_or_else(|why| panic!("the schema of version {version} is not kept: {why}"));
        let path = directory.path().join(format!("v{version}.db"));
        let connection = Connection::open(&path).expect("a file");
        connection.execute_batch(&released).expect("the released schema");
        connection.pragma_update(None, "application_id", 0x5673_7462).expect("ours");
        connection.pragma_update(None, "user_version", version as i64).expect("its version");
        connection.close().expect("closed");
        drop(Store::open(&path).expect("an upgrade"));
        assert_eq!(shape(&path), today, "version {version} does not become today's schema");
    }
}

#[test]
fn an_upstream_of_before_that_is_none_any_more_closes_its_resource_and_no_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("v1.db");
    let released = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/schema_v1.sql");
    let connection = Connection::open(&path).expect("a file");
    connection.execute_batch(&fs::read_to_string(released).expect("schema 1")).expect("the released schema");
    connection.pragma_update(None, "application_id", 0x5673_7462).expect("ours");
    connection.pragma_update(None, "user_version", 1).expect("its version");
    let kept = [
        "http://127.0.0.1:3000/mcp",
        "HTTPS://Notes.lan/a-b/c_d.e~f/",
        "http://[::1]:3000",
        "http://h:8080/x",
    ];
    let gone = [
        "http://h/x?key=1",
        "http://h/a b",
        "http://h/\u{e4}",
        "http://h/a%2e",
        "http://h/a\\b",
        "http://h/a/../b",
        "http://h/a/.",
        "http:/h/x",
        "http:///h/x",
        "http://h:0",
        "http://h:0/x",
    ];
    for upstream in kept.into_iter().chain(gone) {
        let sql =
            "insert into resources (uri, canonical, name, upstream, created_at) values (?1, ?1, ?1, ?2, 0)";
        let at = format!("https://{}.test", connection.last_insert_rowid());
        connection.execute(sql, [at.as_str(), upstream]).expect("a resource");
    }
    connection.close().expect("closed");
    let all = Store::open(&path).expect("an upgrade").read(resources::list).expect("every resource");
    let mut upstreams: Vec<_> =
        all.iter().filter_map(|one| Some(one.guard.as_ref()?.upstream.as_str())).collect();
    let mut expected = kept.map(|upstream| upstream.strip_suffix('/').unwrap_or(upstream)).to_vec();
    upstreams.sort_unstable();
    expected.sort_unstable();
    assert_eq!((all.len(), upstreams), (kept.len() + gone.len(), expected));
}

#[test]
fn an_upgrade_keeps_every_row_and_what_refers_to_it() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("v0.db");
    let released = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/schema_v0.sql");
    let connection = Connection::open(&path).expect("a file");
    connection
        .execute_batch(&fs::read_to_string(released).expect("the schema"))
        .expect("the released schema");
    connection
        .execute_batch(
            "pragma application_id = 0x56737462;
             insert into users (id, name, created_at) values ('usr_AAAAAAAAAAAAAAAAAAAAAA', 'alice', 1);
             insert into clients (id, name, registered_by, auth_method, secret_hash, redirect_uris, created_at)
                values ('c_1', 'One', 'itself', 'none', null, 'https://app.test/cb', 1),
                       ('c_2', 'Two', 'owner', 'client_secret_post', zeroblob(32), '', 2);
             insert into consents values ('usr_AAAAAAAAAAAAAAAAAAAAAA', 'c_1', 'https://r1.test/mcp', 'a b', 3);
             insert into grants (client_id, user_id, scope, resources, auth_time, created_at, rotated_at, expires_at)
                values ('c_1', 'usr_AAAAAAAAAAAAAAAAAAAAAA', 'a', 'https://r1.test/mcp', 1, 2, 3, 4);",
        )
        .expect("rows");
    connection.close().expect("closed");
    drop(Store::open(&path).expect("an upgrade"));
    let connection = Connection::open(&path).expect("the file");
    let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).expect("a count");
    assert_eq!(count("select count(*) from clients where secret_hash is null and name = 'One'"), 1);
    assert_eq!(count("select count(*) from clients where length(secret_hash) = 32 and created_at = 2"), 1);
    assert_eq!(count("select count(*) from grants join clients on clients.id = client_id"), 1);
    assert_eq!(count("select count(*) from consents join clients on clients.id = client_id"), 1);
    assert_eq!(count("pragma user_version"), schema::version() as i64);
    connection.pragma_update(None, "foreign_keys", true).expect("foreign keys");
    connection.execute("delete from clients where id = 'c_1'", []).expect("removed");
    assert_eq!(count("select count(*) from grants"), 0, "what refers to a client still goes with it");
}

#[test]
fn a_file_01_only_its_owner_can_read_the_database_and_its_log() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = new_database(directory.path());
    let store = Store::open(&path).expect("the database");
    store.write_and_wait(vestibule::store::setup_link::remove).expect("a write");
    for name in ["vestibule.db", "vestibule.db-wal", "vestibule.db-shm"] {
        let mode = fs::metadata(directory.path().join(name)).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_file_that_others_could_read_is_closed_to_them() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = new_database(directory.path());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("opened");
    drop(Store::open(&path).expect("the database"));
    assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o600);
}

#[test]
fn a_db_18_an_empty_a_foreign_and_a_newer_file_are_left_alone() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    fs::write(at("empty.db"), "").expect("a file");
    fs::write(
        at("text.db"),
        "Not a database, but a text that is long enough to be taken for a header.".repeat(20),
    )
    .expect("a file");
    Connection::open(at("foreign.db")).expect("a file").execute_batch("create table t (x)").expect("a table");
    let newer = new_database(directory.path());
    Connection::open(&newer).expect("the file").pragma_update(None, "user_version", 999).expect("a version");
    type Expected = fn(&OpenRefusal) -> bool;
    let cases: [(PathBuf, Expected); 4] = [
        (at("empty.db"), |refusal| matches!(refusal, OpenRefusal::Empty(_))),
        (at("text.db"), |refusal| matches!(refusal, OpenRefusal::Foreign(_))),
        (at("foreign.db"), |refusal| matches!(refusal, OpenRefusal::Foreign(_))),
        (newer, |refusal| matches!(refusal, OpenRefusal::Newer(_))),
    ];
    for (path, expected) in cases {
        let before = fs::read(&path).expect("the file");
        let Err(refusal) = Store::open(&path) else { panic!("{} was opened", path.display()) };
        assert!(expected(&refusal), "{refusal:?}");
        assert_eq!(fs::read(&path).expect("the file"), before, "{} was changed", path.display());
    }
    assert!(matches!(Store::open(&at("absent.db")), Err(OpenRefusal::Missing(_))));
    assert!(!at("absent.db").exists());
}

#[test]
fn a_database_is_never_made_over_another_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = new_database(directory.path());
    let before = fs::read(&path).expect("the file");
    let issuer = Issuer::parse("https://other.test").expect("an issuer");
    assert!(matches!(schema::create(&path, &issuer, UnixTime::new(0)), Err(OpenRefusal::Exists(_))));
    assert_eq!(fs::read(&path).expect("the file"), before);
    assert_eq!(
        fs::read_dir(directory.path()).expect("the directory").count(),
        1,
        "nothing unfinished is left"
    );
}
