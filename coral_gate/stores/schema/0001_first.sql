-- The first tables. Each name starts with base_: the names without it are the views through which all rows are reached.
-- Times are whole microseconds since 1970, digests are SHA-256 of tokens that are kept nowhere.

CREATE TABLE base_users (
    id TEXT NOT NULL PRIMARY KEY,
    iss TEXT NOT NULL,
    sub TEXT NOT NULL,
    email TEXT,
    name TEXT,
    role TEXT NOT NULL CHECK (role IN ('user', 'administrator')),
    disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    allowed_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_sign_in_at INTEGER,
    UNIQUE (iss, sub)
) STRICT;

CREATE TABLE base_sessions (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL REFERENCES base_users (id),
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    absolute_expires_at INTEGER NOT NULL,
    idle_s INTEGER NOT NULL,
    auth_time INTEGER NOT NULL,
    agent TEXT NOT NULL,
    address TEXT NOT NULL
) STRICT;

CREATE INDEX base_sessions_user ON base_sessions (user_id);

CREATE TABLE base_sandbox_sessions (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    id TEXT NOT NULL UNIQUE,
    parent BLOB NOT NULL REFERENCES base_sessions (digest),
    user_id TEXT NOT NULL REFERENCES base_users (id),
    sandbox TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
) STRICT;

CREATE INDEX base_sandbox_sessions_parent ON base_sandbox_sessions (parent);
CREATE INDEX base_sandbox_sessions_user ON base_sandbox_sessions (user_id);

CREATE TABLE base_handoffs (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    user_id TEXT NOT NULL REFERENCES base_users (id),
    session BLOB NOT NULL REFERENCES base_sessions (digest),
    sandbox TEXT NOT NULL,
    browser BLOB NOT NULL CHECK (length(browser) = 32),
    path TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX base_handoffs_session ON base_handoffs (session);
CREATE INDEX base_handoffs_user ON base_handoffs (user_id);
CREATE INDEX base_handoffs_expires_at ON base_handoffs (expires_at);

-- owner refers to no row: a tombstone outlives its owner.
CREATE TABLE base_sandboxes (
    id TEXT NOT NULL PRIMARY KEY,
    owner TEXT NOT NULL,
    name TEXT NOT NULL,
    driver TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    destroyed_at INTEGER
) STRICT;

CREATE INDEX base_sandboxes_owner ON base_sandboxes (owner);

-- owner is issuer and subject, as the sealed value is bound to them.
CREATE TABLE base_credentials (
    sandbox TEXT NOT NULL,
    service TEXT NOT NULL,
    owner TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version > 0),
    sealed BLOB NOT NULL,
    changed_at INTEGER NOT NULL,
    PRIMARY KEY (sandbox, service)
) STRICT;

CREATE INDEX base_credentials_owner ON base_credentials (owner);

-- AUTOINCREMENT: a number is never given twice, even after rows were forgotten.
CREATE TABLE base_revocations (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id TEXT NOT NULL,
    reason TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

CREATE INDEX base_revocations_user ON base_revocations (user_id);
