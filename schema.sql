-- The database as it is today. A new file is made from this text; older files are upgraded step by step
-- (src/store/schema.rs), and a test compares the two. Times are seconds since 1970, UTC. Secrets are here as
-- SHA-256 only. A list in a column is separated by spaces: no URI, scope or name in it contains one.

-- What makes this file one server's: exactly one row.
create table instance (
    id integer primary key check (id = 1),
    issuer text not null,                       -- the issuer identifier, byte for byte
    chain_key blob not null check (length(chain_key) = 32), -- derives codes and refresh tokens, and tags these
    created_at integer not null,
    revision integer not null default 0         -- of the resources and the keys; those who keep a copy look at it
) strict;

-- One row while no admin exists: the link with which the first one is made.
create table setup_link (
    id integer primary key check (id = 1),
    hash blob not null check (length(hash) = 32), -- of the link's secret
    expires_at integer not null
) strict;

-- The keys that sign access tokens.
create table signing_keys (
    kid text primary key,                       -- RFC 7638 thumbprint
    algorithm text not null check (algorithm in ('ES256', 'EdDSA')),
    pkcs8 blob not null,                        -- the private key
    created_at integer not null,
    active_from integer not null,               -- published before, signs from then on
    retired_at integer check (retired_at > active_from), -- signs no more from then on
    published_until integer check (published_until >= retired_at) -- in the JWKS until then
) strict, without rowid;

create trigger key_added after insert on signing_keys begin update instance set revision = revision + 1; end;
create trigger key_changed after update on signing_keys begin update instance set revision = revision + 1; end;
create trigger key_removed after delete on signing_keys begin update instance set revision = revision + 1; end;

-- The people.
create table users (
    id text primary key,                        -- sub
    name text not null unique,                  -- what they sign in with, lower case
    email text,
    admin integer not null default 0 check (admin in (0, 1)),
    password_hash text,                         -- argon2id, PHC string; null: cannot sign in
    created_at integer not null,
    disabled_at integer                         -- null: may sign in
) strict, without rowid;

-- Who is signed in where.
create table sessions (
    hash blob primary key check (length(hash) = 32), -- of the cookie
    user_id text not null references users (id) on delete cascade,
    auth_time integer not null,                 -- when the password was given
    expires_at integer not null
) strict, without rowid;
create index sessions_by_user on sessions (user_id);

-- Browsers at hosts that ask this server who somebody is: each has a session of its own there, which ends with the one
-- here.
create table visits (
    hash blob primary key check (length(hash) = 32), -- of the ticket or the cookie
    session_hash blob not null references sessions (hash) on delete cascade,
    host text not null,                         -- where it counts, and nowhere else
    stage text not null check (stage in ('ticket', 'cookie')),
    expires_at integer not null
) strict, without rowid;
create index visits_by_session on visits (session_hash);
create index visits_by_expiry on visits (expires_at);

-- The servers that tokens can be for (RFC 8707).
create table resources (
    id integer primary key,
    uri text not null,                          -- as the owner spelled it: goes into aud
    canonical text not null unique,             -- the form that is compared
    name text not null,
    scopes text not null default '',            -- those it knows
    restricted integer not null default 0 check (restricted in (0, 1)), -- 1: resource_users lists who may
    token_lifetime integer check (token_lifetime > 0), -- seconds; null: the setting's
    upstream text,                              -- where the guard sends its requests; null: not guarded
    created_at integer not null,
    rules text not null default '',             -- which scope a call needs: METHOD:NAME=SCOPE, a rule a line
    identity_token integer not null default 0 check (identity_token in (0, 1)) -- 1: the upstream gets a signed one
) strict;

create trigger resource_added after insert on resources begin update instance set revision = revision + 1; end;
create trigger resource_changed after update on resources begin update instance set revision = revision + 1; end;
create trigger resource_removed after delete on resources begin update instance set revision = revision + 1; end;

-- Who may have tokens for a restricted resource.
create table resource_users (
    resource_id integer not null references resources (id) on delete cascade,
    user_id text not null references users (id) on delete cascade,
    primary key (resource_id, user_id)
) strict, without rowid;
create index resource_users_by_user on resource_users (user_id);

-- The programs that ask for tokens.
create table clients (
    id text primary key,                        -- client_id
    name text not null,
    registered_by text not null check (registered_by in ('owner', 'itself', 'document')),
    auth_method text not null
        check (auth_method in ('none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt')),
    secret_hash blob check (length(secret_hash) = 32),
    jwks text,                                  -- its public keys (RFC 7517 5), JSON
    jwks_uri text,                              -- or where they are
    assertion text check (assertion in ('required', 'offered')), -- offered: it may also come as a public client
    redirect_uris text not null default '',     -- list
    grant_types text not null default '',       -- list
    scope text,                                 -- the owner's limit; null: none
    audience text not null default '',          -- list: resources that it may name without a user
    metadata text not null default '{}',        -- client metadata as granted (RFC 7591), JSON
    created_at integer not null,
    first_used_at integer,                      -- null: never authorized or given a token
    check ((secret_hash is not null) = (auth_method in ('client_secret_basic', 'client_secret_post'))),
    check ((assertion is not null) = (auth_method = 'private_key_jwt')),
    check ((jwks is not null) + (jwks_uri is not null) = (auth_method = 'private_key_jwt'))
) strict, without rowid;
create index clients_never_used on clients (created_at) where first_used_at is null;

-- When a client's metadata document was last fetched; what it said is the client's row.
create table client_documents (
    client_id text primary key references clients (id) on delete cascade, -- its URL
    fetched_at integer not null,
    fresh_until integer not null                -- until then it is not asked for again
) strict, without rowid;

-- What clients' jwks_uri said when they were last fetched.
create table client_key_sets (
    client_id text primary key references clients (id) on delete cascade,
    jwks_uri text not null,                     -- from where; another one makes the row worthless
    jwks text not null,                         -- JSON
    fetched_at integer not null,
    fresh_until integer not null
) strict, without rowid;

-- Client assertions that were used: each counts once (RFC 7523 3).
create table used_assertions (
    hash blob primary key check (length(hash) = 32), -- of client_id and jti
    expires_at integer not null                 -- of the assertion: then the row can go
) strict, without rowid;
create index used_assertions_by_expiry on used_assertions (expires_at);

-- What a person allowed a client, so that it need not be asked again.
create table consents (
    user_id text not null references users (id) on delete cascade,
    client_id text not null references clients (id) on delete cascade,
    resource text not null,                     -- canonical; '' for a token without resource
    scope text not null,                        -- all that was allowed so far
    granted_at integer not null,
    primary key (user_id, client_id, resource)
) strict, without rowid;
create index consents_by_client on consents (client_id);

-- Authorization requests that wait for a person. The pages carry the id only.
create table authorizations (
    id text primary key,
    client_id text not null references clients (id) on delete cascade,
    redirect_uri text not null,                 -- as the request spelled it
    redirect_uri_sent integer not null check (redirect_uri_sent in (0, 1)), -- 0: the client's only one
    state text,                                 -- as it arrived, still encoded
    scope text,                                 -- asked for; null: none
    resources text not null,                    -- list: asked for, in the registered spelling
    code_challenge blob not null check (length(code_challenge) = 32),
    prompt text not null check (prompt in ('', 'none', 'login', 'consent', 'login consent')),
    auth_time_min integer,                      -- max_age: the sign-in may not be older
    fresh_session blob check (length(fresh_session) = 32), -- the session that signed in for this request
    created_at integer not null,
    expires_at integer not null,
    stage text not null default 'pending' check (stage in ('pending', 'approved', 'denied', 'answered')),
    approved_by text references users (id) on delete cascade, -- who said yes
    approved_scope text,                        -- to what
    approved_resources text,                    -- for which resources: list
    check ((stage = 'pending' or stage = 'denied') = (approved_by is null) or stage = 'answered'),
    check ((approved_by is null) = (approved_scope is null)),
    check ((approved_by is null) = (approved_resources is null))
) strict, without rowid;
create index authorizations_by_expiry on authorizations (expires_at);
create index authorizations_by_client on authorizations (client_id);

-- What a person gave to a client. The refresh token is rotated in this row, so the file does not grow by it.
create table grants (
    id integer primary key,                     -- carried in every token of the grant
    client_id text not null references clients (id) on delete cascade,
    user_id text not null references users (id) on delete cascade,
    scope text not null,
    resources text not null,                    -- list, registered spelling; '' for none; only ever gets shorter
    auth_time integer not null,
    created_at integer not null,
    generation integer not null default 0 check (generation >= 0), -- of the current refresh token; 0: none was given
    current_hash blob check (length(current_hash) = 32), -- of the current refresh token
    previous_hash blob check (length(previous_hash) = 32), -- of the one before
    rotated_at integer not null,                -- when the current one was made
    expires_at integer not null,                -- absolute end
    revoked_at integer,
    revoked_why text,
    check ((generation = 0) = (current_hash is null)),
    check ((revoked_at is null) = (revoked_why is null))
) strict;
create index grants_by_user on grants (user_id);
create index grants_by_client on grants (client_id);

-- Authorization codes; kept past their end so that a replay is recognised.
create table authorization_codes (
    hash blob primary key check (length(hash) = 32),
    client_id text not null references clients (id) on delete cascade,
    user_id text not null references users (id) on delete cascade,
    redirect_uri text not null,
    redirect_uri_sent integer not null check (redirect_uri_sent in (0, 1)),
    code_challenge blob not null check (length(code_challenge) = 32),
    scope text not null,
    resources text not null,                    -- list
    auth_time integer not null,
    expires_at integer not null,
    wrong_verifiers integer not null default 0,
    redeemed_at integer,                        -- null: not yet
    grant_id integer references grants (id) on delete set null, -- what it led to
    check (redeemed_at is not null or grant_id is null)
) strict, without rowid;
create index authorization_codes_by_expiry on authorization_codes (expires_at);
create index authorization_codes_by_client on authorization_codes (client_id);
create index authorization_codes_by_user on authorization_codes (user_id);
create index authorization_codes_by_grant on authorization_codes (grant_id);

-- Access tokens that were revoked one by one (RFC 7009).
create table revoked_tokens (
    jti text primary key,
    expires_at integer not null                 -- of the token: then the row can go
) strict, without rowid;
create index revoked_tokens_by_expiry on revoked_tokens (expires_at);

-- What was decided, when, and whom it concerns. No foreign keys: history outlives what it tells of.
create table audit_logs (
    id integer primary key,
    at integer not null,
    event text not null,                        -- such as oauth.token.exchange.success
    user_id text,
    client_id text,
    ip text,
    user_agent text,
    metadata text not null default '{}'         -- JSON: error, resources, ...; never a secret
) strict;
