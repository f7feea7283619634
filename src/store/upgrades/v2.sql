-- The guard: which scope a call needs, who calls in a token, browsers at other hosts, and whether what every request looks at
-- has changed.
alter table resources add column rules text not null default '';
alter table resources add column identity_token integer not null default 0 check (identity_token in (0, 1));
-- An upstream went nowhere before, so anything that looked like a URL was one. What is none any more (a query, characters
-- that are written otherwise, dot segments, port 0) would keep the whole registry from being read.
update resources set upstream = null
 where (lower(upstream) not glob 'http://[a-z0-9[]*' and lower(upstream) not glob 'https://[a-z0-9[]*')
    or upstream glob '*[^]a-zA-Z0-9:/._~[-]*' or upstream || '/' like '%/./%' or upstream || '/' like '%/../%'
    or upstream || '/' like '%:0/%' or length(upstream) > 2048;
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
