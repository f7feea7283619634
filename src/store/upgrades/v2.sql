-- The guard: which scope a call needs, who calls in a token, browsers at other hosts, and whether what every request looks at
-- has changed.
alter table resources add column rules text not null default '';
alter table resources add column identity_token integer not null default 0 check (identity_token in (0, 1));
create table visits (
    hash blob primary key check (length(hash) = 32),
    session_hash blob not null references sessions (hash) on delete cascade,
    host text not null,
    stage text not null check (stage in ('ticket', 'cookie')),
    expires_at integer not null
) strict, without rowid;
create index visits_by_session on visits (session_hash);
create index visits_by_expiry on visits (expires_at);
alter table instance add column revision integer not null default 0;
create trigger resource_added after insert on resources begin update instance set revision = revision + 1; end;
create trigger resource_changed after update on resources begin update instance set revision = revision + 1; end;
create trigger resource_removed after delete on resources begin update instance set revision = revision + 1; end;
create trigger key_added after insert on signing_keys begin update instance set revision = revision + 1; end;
create trigger key_changed after update on signing_keys begin update instance set revision = revision + 1; end;
create trigger key_removed after delete on signing_keys begin update instance set revision = revision + 1; end;
