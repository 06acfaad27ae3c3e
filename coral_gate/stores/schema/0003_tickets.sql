-- Tickets: the right to open one channel to one sandbox once. The digest is an HMAC under a key that is not in this file.

CREATE TABLE base_tickets (
    digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    user_id TEXT NOT NULL REFERENCES base_users (id),
    session BLOB NOT NULL REFERENCES base_sessions (digest),
    sandbox TEXT NOT NULL,
    channel TEXT NOT NULL,
    origin TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE INDEX base_tickets_session ON base_tickets (session);
CREATE INDEX base_tickets_user ON base_tickets (user_id);
CREATE INDEX base_tickets_expires_at ON base_tickets (expires_at);
