-- Clients by metadata document and by private_key_jwt. A check cannot be changed in place, so the table is made anew;
-- while this runs, foreign keys do not act.
create table clients_v1 (
    id text primary key,
    name text not null,
    registered_by text not null check (registered_by in ('owner', 'itself', 'document')),
    auth_method text not null
        check (auth_method in ('none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt')),
    secret_hash blob check (length(secret_hash) = 32),
    jwks text,
    jwks_uri text,
    assertion text check (assertion in ('required', 'offered')),
    redirect_uris text not null default '',
    grant_types text not null default '',
    scope text,
    audience text not null default '',
    metadata text not null default '{}',
    created_at integer not null,
    first_used_at integer,
    check ((secret_hash is not null) = (auth_method in ('client_secret_basic', 'client_secret_post'))),
    check ((assertion is not null) = (auth_method = 'private_key_jwt')),
    check ((jwks is not null) + (jwks_uri is not null) = (auth_method = 'private_key_jwt'))
) strict, without rowid;
insert into clients_v1 (id, name, registered_by, auth_method, secret_hash, redirect_uris, grant_types, scope, audience,
                        metadata, created_at, first_used_at)
    select id, name, registered_by, auth_method, secret_hash, redirect_uris, grant_types, scope, audience,
           metadata, created_at, first_used_at from clients;
drop table clients;
alter table clients_v1 rename to clients;
create index clients_never_used on clients (created_at) where first_used_at is null;

create table client_documents (
    client_id text primary key references clients (id) on delete cascade,
    fetched_at integer not null,
    fresh_until integer not null
) strict, without rowid;
create table client_key_sets (
    client_id text primary key references clients (id) on delete cascade,
    jwks_uri text not null,
    jwks text not null,
    fetched_at integer not null,
    fresh_until integer not null
) strict, without rowid;
create table used_assertions (
    hash blob primary key check (length(hash) = 32),
    expires_at integer not null
) strict, without rowid;
create index used_assertions_by_expiry on used_assertions (expires_at);
