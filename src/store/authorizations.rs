//! `authorizations`: authorization requests that wait for a person. The pages carry the id only, so nothing that a
//! form sends back can change what was checked.

use rusqlite::{Row, params};

use super::sessions::SignedIn;
use super::sql::{List, joined};
use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;
use crate::oauth::authorize_request::Prompt;
use crate::oauth::error::Malformed;
use crate::oauth::ids::{AuthorizationId, ClientId, UserId};
use crate::oauth::pkce::PkceChallenge;
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::Scope;
use crate::oauth::secret::SecretHash;

/// How many may wait at once. Anybody can make one, so the oldest give way.
const PENDING_MAX: i64 = 10_000;

/// An authorization request as checked.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// Its name in URLs.
    pub id: AuthorizationId,
    /// The client.
    pub client_id: ClientId,
    /// The redirect URI as the request spelled it, or the client's only one.
    pub redirect_uri: String,
    /// Whether the request named it.
    pub redirect_uri_sent: bool,
    /// `state` as it arrived, still encoded.
    pub state: Option<String>,
    /// What is asked for.
    pub scope: Option<Scope>,
    /// For which resources, in the registered spelling; empty where the request named none.
    pub resources: Vec<ResourceUri>,
    /// PKCE.
    pub challenge: PkceChallenge,
    /// What the person is to be asked.
    pub prompt: Prompt,
    /// `max_age`: the sign-in may not be older than this.
    pub auth_time_min: Option<UnixTime>,
    /// The session that signed in for this very request.
    pub fresh_session: Option<SecretHash>,
    /// When it came.
    pub created_at: UnixTime,
    /// When it is forgotten.
    pub expires_at: UnixTime,
    /// How far it is.
    pub stage: Stage,
}

/// How far an authorization request is.
#[derive(Clone, Debug)]
pub enum Stage {
    /// Nobody has said anything yet.
    Pending,
    /// Somebody said yes.
    Approved(Approval),
    /// Somebody said no.
    Denied,
    /// The client has its answer.
    Answered,
}

/// Proof that a person agreed, and to what. Only [`approve`] and [`find`] make one.
#[derive(Clone, Debug)]
pub struct Approval {
    user: UserId,
    scope: Scope,
    resources: Vec<ResourceUri>,
}

impl Approval {
    /// Who agreed.
    pub const fn user(&self) -> &UserId {
        &self.user
    }

    /// To which scopes.
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }

    /// For which resources, in the registered spelling.
    pub fn resources(&self) -> &[ResourceUri] {
        &self.resources
    }
}

const COLUMNS: &str = "id, client_id, redirect_uri, redirect_uri_sent, state, scope, resources, code_challenge, prompt, \
                       auth_time_min, fresh_session, created_at, expires_at, stage, approved_by, approved_scope, \
                       approved_resources";

fn read(row: &Row<'_>) -> rusqlite::Result<Authorization> {
    let corrupt = |column, why: &'static str| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(Malformed(why)),
        )
    };
    let approval = match (row.get(14)?, row.get(15)?, row.get::<_, Option<List<ResourceUri>>>(16)?) {
        (Some(user), Some(scope), Some(List(resources))) => Some(Approval { user, scope, resources }),
        _ => None,
    };
    let stage = match (row.get_ref(13)?.as_str()?, approval) {
        ("pending", None) => Stage::Pending,
        ("approved", Some(approval)) => Stage::Approved(approval),
        ("denied", None) => Stage::Denied,
        ("answered", _) => Stage::Answered,
        _ => return Err(corrupt(13, "an authorization is approved by somebody or not at all")),
    };
    Ok(Authorization {
        id: row.get(0)?,
        client_id: row.get(1)?,
        redirect_uri: row.get(2)?,
        redirect_uri_sent: row.get(3)?,
        state: row.get(4)?,
        scope: row.get(5)?,
        resources: row.get::<_, List<_>>(6)?.0,
        challenge: row.get(7)?,
        prompt: Prompt::from_stored(row.get_ref(8)?.as_str()?)
            .ok_or_else(|| corrupt(8, "prompt is unknown"))?,
        auth_time_min: row.get(9)?,
        fresh_session: row.get(10)?,
        created_at: row.get(11)?,
        expires_at: row.get(12)?,
        stage,
    })
}

/// Stores a pending request.
pub fn insert(tx: &WriteTx<'_>, authorization: &Authorization) -> Result<(), Fault> {
    tx.execute(
        "make room for an authorization request",
        "delete from authorizations where id in
           (select id from authorizations order by expires_at
            limit max(0, (select count(*) from authorizations) - ?1))",
        params![PENDING_MAX - 1],
    )?;
    tx.execute(
        "store an authorization request",
        "insert into authorizations (id, client_id, redirect_uri, redirect_uri_sent, state, scope, resources,
                                     code_challenge, prompt, auth_time_min, created_at, expires_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            authorization.id,
            authorization.client_id,
            authorization.redirect_uri,
            authorization.redirect_uri_sent,
            authorization.state,
            authorization.scope,
            joined(&authorization.resources),
            authorization.challenge,
            authorization.prompt.as_str(),
            authorization.auth_time_min,
            authorization.created_at,
            authorization.expires_at
        ],
    )
    .map(drop)
}

/// The request of that id, unless it has expired.
pub fn find(tx: &ReadTx<'_>, id: &AuthorizationId, now: UnixTime) -> Result<Option<Authorization>, Fault> {
    let sql = format!("select {COLUMNS} from authorizations where id = ?1 and expires_at > ?2");
    tx.find("find an authorization request", &sql, params![id, now], read)
}

/// Remembers which session signed in for this request, and gives the person time to read the next page.
pub fn signed_in(
    tx: &WriteTx<'_>,
    id: &AuthorizationId,
    session: &SecretHash,
    expires_at: UnixTime,
) -> Result<(), Fault> {
    let sql = "update authorizations set fresh_session = ?2, expires_at = ?3
               where id = ?1 and stage in ('pending', 'approved')";
    tx.execute("remember a fresh sign-in", sql, params![id, session, expires_at]).map(drop)
}

/// Says yes for a person; `None` if the request was decided already.
pub fn approve(
    tx: &WriteTx<'_>,
    id: &AuthorizationId,
    by: &SignedIn,
    scope: Scope,
    resources: Vec<ResourceUri>,
) -> Result<Option<Approval>, Fault> {
    let approval = Approval { user: by.user().id.clone(), scope, resources };
    let approved = tx.execute(
        "approve an authorization request",
        "update authorizations set stage = 'approved', approved_by = ?2, approved_scope = ?3, approved_resources = ?4
         where id = ?1 and stage = 'pending'",
        params![id, approval.user, approval.scope, joined(&approval.resources)],
    )?;
    Ok((approved == 1).then_some(approval))
}

/// Says no; `false` if the request was decided already.
pub fn deny(tx: &WriteTx<'_>, id: &AuthorizationId) -> Result<bool, Fault> {
    let sql = "update authorizations set stage = 'denied' where id = ?1 and stage = 'pending'";
    Ok(tx.execute("deny an authorization request", sql, params![id])? == 1)
}

/// Answers the client: of any number of requests at once, one gets `true`.
pub fn answer(tx: &WriteTx<'_>, id: &AuthorizationId) -> Result<bool, Fault> {
    let sql = "update authorizations set stage = 'answered' where id = ?1 and stage <> 'answered'";
    Ok(tx.execute("answer an authorization request", sql, params![id])? == 1)
}
