//! `authorization_codes`: what a client redeems for its first token. Single use is decided by one statement.

use rusqlite::{Row, params};

use super::sql::{List, joined};
use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;
use crate::oauth::ids::{ClientId, GrantId, UserId};
use crate::oauth::pkce::PkceChallenge;
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::Scope;
use crate::oauth::secret::SecretHash;

/// So many wrong verifiers kill a code: whoever guesses holds a code that is not theirs.
pub const WRONG_VERIFIERS_MAX: u32 = 5;

/// A code as given out.
#[derive(Clone, Debug)]
pub struct AuthorizationCode {
    /// What the database knows of it.
    pub hash: SecretHash,
    /// Whose it is.
    pub client_id: ClientId,
    /// Who agreed.
    pub user_id: UserId,
    /// Where it was sent.
    pub redirect_uri: String,
    /// Whether the authorization request named that.
    pub redirect_uri_sent: bool,
    /// PKCE.
    pub challenge: PkceChallenge,
    /// What was granted.
    pub scope: Scope,
    /// For which resources, in the registered spelling.
    pub resources: Vec<ResourceUri>,
    /// When the person signed in.
    pub auth_time: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
    /// How many wrong verifiers were tried.
    pub wrong_verifiers: u32,
    /// When it was redeemed, if it was, and for which grant.
    pub redeemed: Option<Redemption>,
}

impl AuthorizationCode {
    /// Whether a right request could still redeem it.
    pub fn is_redeemable(&self, now: UnixTime) -> bool {
        self.redeemed.is_none() && now < self.expires_at && self.wrong_verifiers < WRONG_VERIFIERS_MAX
    }
}

/// That a code was redeemed.
#[derive(Clone, Copy, Debug)]
pub struct Redemption {
    /// When.
    pub at: UnixTime,
    /// What it led to; `None` when that is gone.
    pub grant: Option<GrantId>,
}

/// Proof that this request, and no other, redeemed the code. Only [`redeem`] makes one.
#[derive(Debug)]
pub struct RedeemedCode(AuthorizationCode);

impl RedeemedCode {
    /// The code.
    pub const fn code(&self) -> &AuthorizationCode {
        &self.0
    }
}

const COLUMNS: &str = "hash, client_id, user_id, redirect_uri, redirect_uri_sent, code_challenge, scope, resources, \
                       auth_time, expires_at, wrong_verifiers, redeemed_at, grant_id";

fn read(row: &Row<'_>) -> rusqlite::Result<AuthorizationCode> {
    let grant = row.get(12)?;
    Ok(AuthorizationCode {
        hash: row.get(0)?,
        client_id: row.get(1)?,
        user_id: row.get(2)?,
        redirect_uri: row.get(3)?,
        redirect_uri_sent: row.get(4)?,
        challenge: row.get(5)?,
        scope: row.get(6)?,
        resources: row.get::<_, List<_>>(7)?.0,
        auth_time: row.get(8)?,
        expires_at: row.get(9)?,
        wrong_verifiers: row.get(10)?,
        redeemed: row.get::<_, Option<UnixTime>>(11)?.map(|at| Redemption { at, grant }),
    })
}

/// Stores a new code.
pub fn insert(tx: &WriteTx<'_>, code: &AuthorizationCode) -> Result<(), Fault> {
    tx.execute(
        "store an authorization code",
        "insert into authorization_codes (hash, client_id, user_id, redirect_uri, redirect_uri_sent, code_challenge,
                                          scope, resources, auth_time, expires_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            code.hash,
            code.client_id,
            code.user_id,
            code.redirect_uri,
            code.redirect_uri_sent,
            code.challenge,
            code.scope,
            joined(&code.resources),
            code.auth_time,
            code.expires_at
        ],
    )
    .map(drop)
}

/// The code with that hash, whatever has become of it.
pub fn find(tx: &ReadTx<'_>, hash: &SecretHash) -> Result<Option<AuthorizationCode>, Fault> {
    let sql = format!("select {COLUMNS} from authorization_codes where hash = ?1");
    tx.find("find an authorization code", &sql, params![hash], read)
}

/// Counts a wrong verifier against a code.
pub fn count_wrong_verifier(tx: &WriteTx<'_>, hash: &SecretHash) -> Result<(), Fault> {
    let sql = "update authorization_codes set wrong_verifiers = wrong_verifiers + 1 where hash = ?1";
    tx.execute("count a wrong verifier", sql, params![hash]).map(drop)
}

/// Redeems a code: of any number of requests at once, one gets the proof.
pub fn redeem(
    tx: &WriteTx<'_>,
    code: AuthorizationCode,
    now: UnixTime,
) -> Result<Option<RedeemedCode>, Fault> {
    let redeemed = tx.execute(
        "redeem an authorization code",
        "update authorization_codes set redeemed_at = ?2
         where hash = ?1 and redeemed_at is null and expires_at > ?2 and wrong_verifiers < ?3",
        params![code.hash, now, WRONG_VERIFIERS_MAX],
    )?;
    Ok((redeemed == 1).then_some(RedeemedCode(code)))
}

/// Remembers what a redeemed code led to, so that a replay can revoke it.
pub fn led_to(tx: &WriteTx<'_>, redeemed: &RedeemedCode, grant: GrantId) -> Result<(), Fault> {
    let sql = "update authorization_codes set grant_id = ?2 where hash = ?1";
    tx.execute("remember what a code led to", sql, params![redeemed.0.hash, grant]).map(drop)
}
