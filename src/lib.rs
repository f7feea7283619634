//! Vestibule: an OAuth 2.1 authorization server for a homelab, and this is its map.
//!
//! # Who owns what
//!
//! | module | owns |
//! |---|---|
//! | `main` | argv to command to exit status; the only process exit |
//! | [`server`] | sockets: accept, caps, deadlines, drain; one log line per request |
//! | [`commands`] | the command line, a file per command |
//! | [`routes`] | the whole HTTP surface on one screen |
//! | [`endpoints`] | the protocol's endpoints, a file each; `token/` has a file per grant around one pipeline |
//! | [`pages`] | what a person's browser asks for, a file per page |
//! | [`gateway`] | standing in front of servers that know nothing of OAuth |
//! | [`app`] | all that a handler can reach: settings, store, keys, limits, clock; forms, cookies, problems, offers |
//! | [`audit`] | what is worth remembering, in words that an owner reads |
//! | [`limits`] | how often somebody may try |
//! | [`store`] | SQLite and all SQL text, a file per table |
//! | [`doctor`] | walking an MCP server's URL as clients do, to say why they do not connect |
//! | [`config`] | the settings and where they come from; the only reader of the environment |
//! | [`outgoing`] | connections that the server opens itself, guarded against whoever names where to |
//! | [`oauth`] | the protocol's words and rules: pure, no I/O, no clock |
//! | [`http`] | the little of HTTP that is used; knows nothing of OAuth |
//! | [`view`] | what pages look like: from a view to markup |
//! | [`log`] | where log lines go; never blocks the service |
//! | [`crypto`] | ring, argon2: bytes in, bytes out |
//! | [`clock`] | instants and spans; the only reader of the machine's clock |
//!
//! # Who may import whom
//!
//! A line may use the lines below it, never one above, and no neighbour on its own line:
//!
//! ```text
//! main
//! commands
//! server  routes
//! endpoints  pages  gateway
//! app
//! audit  limits
//! store  config  doctor
//! outgoing
//! oauth  http  view  log
//! crypto  clock
//! ```
//!
//! hyper lives in `http/`, `outgoing/` and `server.rs`, rustls in `outgoing/`, rusqlite and SQL in `store/`, ring and
//! argon2 in `crypto/`, maud in `view/`, clap in `commands/`. `tests/it/tidy.rs` holds all of this, and that this map names every module.
//!
//! # What never happens
//!
//! - `oauth` does no I/O and never asks for the time: `now` is a parameter, always the last.
//! - Nothing is minted but from a `Grant`, and each grant's file makes one only from proofs: `AuthenticatedClient`,
//!   `RedeemedCode`, `RotatedRefresh`. A proof has private fields, and only the file with the check can make it.
//! - Nothing that a client's assertion says is believed before its signature: only a `VerifiedAssertion` tells its client.
//! - Nothing goes on to a guarded server without an `Admitted`, which only `gateway/bearer.rs` makes; and what it sees of a
//!   path is what was decided about.
//! - No error goes to an address that was not checked: only a `Callback` can redirect.
//! - Single use is decided by one conditional statement, in the transaction that issues what it pays for.
//! - A refusal is a value and commits; a fault is an error and rolls back; neither is ever the other.
//! - The database holds no secret that could be used: only SHA-256 of each (its own keys aside).
//! - Paths are never normalised, the issuer is never derived from a request, nothing from a form is believed twice.
//!
//! # Where to add
//!
//! **A grant**: a variant in `oauth/grant_type.rs`; then the compiler leads: its fields in `oauth/token_request.rs`, a
//! file in `endpoints/token/` that makes a `Grant` or a refusal, its reasons in `oauth/refusal.rs`. Discovery and
//! `unsupported_grant_type` follow from the list. Then `tests/it/token_<grant>.rs`.
//!
//! **A page**: a view in `view/`, a handler in `pages/` with `get` and `post`, its path in `routes.rs`. If it is a step of
//! the sign-in, a `Step` in `endpoints/authorize/decide.rs`. Form tokens, headers and escaping come with the types.
//!
//! **A table**: `schema.sql` with a comment per column; after the first release a step in `store/schema.rs`; a file in
//! `store/` with its few verbs (`insert`, `find`, `list`, a domain verb such as `redeem`, `remove`); a line in
//! `store/purge.rs` if it expires.
//!
//! **An endpoint**: a file in `endpoints/`, a line in `routes.rs`, its path in `oauth/metadata.rs`.

pub mod app;
pub mod audit;
pub mod clock;
pub mod commands;
pub mod config;
pub mod crypto;
pub mod doctor;
pub mod endpoints;
pub mod gateway;
pub mod http;
pub mod limits;
pub mod log;
pub mod oauth;
pub mod outgoing;
pub mod pages;
pub mod routes;
pub mod server;
pub mod store;
pub mod view;
