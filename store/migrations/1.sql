-- Times are milliseconds since 1970, UTC.

CREATE TABLE job (
    id TEXT NOT NULL PRIMARY KEY,
    -- The order in which jobs were handed in.
    seq INTEGER NOT NULL UNIQUE,
    owner TEXT NOT NULL,
    profile TEXT NOT NULL,
    created INTEGER NOT NULL,
    transaction_time INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('accepted', 'running', 'complete', 'failed', 'cancelled', 'expired')),
    -- When it came into this state.
    since INTEGER NOT NULL,
    attempt INTEGER NOT NULL DEFAULT 0,
    -- Attempts whose lease ran out.
    lost INTEGER NOT NULL DEFAULT 0,
    -- Attempts whose folders are deleted: those up to this one.
    purged INTEGER NOT NULL DEFAULT 0,
    -- The order in which jobs were claimed; 0 before that.
    turn INTEGER NOT NULL DEFAULT 0,
    holder TEXT,
    -- When the holder was last heard of, and when it has to be heard of again.
    beat INTEGER,
    lease_until INTEGER,
    bytes_done INTEGER NOT NULL DEFAULT 0,
    bytes_total INTEGER NOT NULL DEFAULT 0,
    expires INTEGER,
    url TEXT NOT NULL,
    failure TEXT,
    CHECK ((holder IS NULL) = (beat IS NULL) AND (holder IS NULL) = (lease_until IS NULL)),
    CHECK (state <> 'running' OR holder IS NOT NULL),
    CHECK (holder IS NULL OR state IN ('running', 'cancelled'))
) STRICT;

CREATE INDEX job_by_state ON job (state, owner, seq);
CREATE INDEX job_by_turn ON job (owner, turn);
CREATE INDEX job_last_turn ON job (turn);
CREATE INDEX job_by_expiry ON job (state, expires);

-- Long texts, apart from the rows that are gone through to find the next job or what is over.
CREATE TABLE document (
    job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    kind TEXT NOT NULL CHECK (kind IN ('kick_off', 'report')),
    text TEXT NOT NULL,
    PRIMARY KEY (job, kind)
) STRICT;

CREATE TABLE file (
    job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    attempt INTEGER NOT NULL,
    -- The order in which the attempt finished them, from 1.
    number INTEGER NOT NULL,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    folder TEXT NOT NULL CHECK (folder IN ('output', 'deleted', 'error')),
    resource_type TEXT,
    continues_in TEXT,
    count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
    PRIMARY KEY (job, attempt, number),
    UNIQUE (job, attempt, folder, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE client (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    jwks TEXT NOT NULL,
    scopes TEXT NOT NULL,
    added INTEGER NOT NULL
) STRICT;

CREATE TABLE jti (
    client TEXT NOT NULL,
    jti TEXT NOT NULL,
    expires INTEGER NOT NULL,
    PRIMARY KEY (client, jti)
) STRICT, WITHOUT ROWID;

CREATE INDEX jti_by_expiry ON jti (expires);

CREATE TABLE secret (
    name TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
