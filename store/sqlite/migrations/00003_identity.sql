-- +goose Up

-- Whether base requests (1026, 1028 to 1031) are refused, which the client id
-- alone would otherwise authorize.
ALTER TABLE clients ADD COLUMN BaseClosed INTEGER NOT NULL DEFAULT 0;

-- The id that the account has over HTTP; the other one travels in the clear.
ALTER TABLE clients ADD COLUMN APIID BLOB CHECK (length(APIID) = 16);

CREATE UNIQUE INDEX clients_by_api_id ON clients (APIID) WHERE APIID IS NOT NULL;

-- Who registered over HTTP has no other id than this one, and never sent it
-- over the wire. A cpp_client may as well have come from an earlier server,
-- whose clients know nothing but base requests: unless it has a password, or
-- its registration is remembered, it is left as such a client needs it.
UPDATE clients SET APIID = ID WHERE Kind IN ('web_client', 'api_client')
    OR Kind = 'cpp_client' AND (PasswordHash <> '' OR ID IN (
        SELECT Client FROM activities WHERE Kind = 'registration' AND Detail = 'cpp_client'));

-- Whoever signs in with a password gets an id that was never on the wire.
UPDATE clients SET APIID = randomblob(16) WHERE APIID IS NULL AND PasswordHash <> '';

-- Formats 2 and 4 are sealed: base clients do not make them.
UPDATE clients SET BaseClosed = 1 WHERE APIID IS NOT NULL OR PasswordHash <> ''
    OR ID IN (SELECT ID FROM key_bundles)
    OR ID IN (SELECT ID FROM files WHERE Format IN (2, 4));

-- Public keys and key bundles that others have replaced, for a way back.
CREATE TABLE former_keys (
    ID           BLOB    NOT NULL REFERENCES clients (ID) ON DELETE CASCADE,
    Kind         TEXT    NOT NULL, -- public_key or bundle
    Until        INTEGER NOT NULL, -- when it was replaced
    Since        INTEGER NOT NULL, -- when it took the place of the one before, or of none
    Value        BLOB    NOT NULL,
    OAEPHash     TEXT    NOT NULL, -- of a public key
    PasswordHash TEXT    NOT NULL, -- that signed in to a bundle
    PRIMARY KEY (ID, Kind, Until)
) STRICT;

CREATE INDEX former_keys_by_age ON former_keys (Until);

-- Session tokens of the gateway's that died before they expire: one by one, or
-- all of an account's that were issued until a moment.
CREATE TABLE revoked_tokens (
    Token   BLOB    NOT NULL PRIMARY KEY CHECK (length(Token) = 16),
    Expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX revoked_tokens_by_expiry ON revoked_tokens (Expires);

CREATE TABLE revoked_accounts (
    Account TEXT    NOT NULL PRIMARY KEY,
    Until   INTEGER NOT NULL,
    Expires INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
