-- +goose Up

CREATE TABLE clients (
    ID           BLOB    NOT NULL PRIMARY KEY CHECK (length(ID) = 16),
    Name         TEXT    NOT NULL UNIQUE,
    PublicKey    BLOB,             -- DER SubjectPublicKeyInfo
    LastSeen     INTEGER NOT NULL, -- all times: nanoseconds since 1970 UTC, 0 for never
    AESKey       BLOB,             -- the live session key, sealed with the master key
    Kind         TEXT    NOT NULL,
    OAEPHash     TEXT    NOT NULL,
    PasswordHash TEXT    NOT NULL,
    Suspended    INTEGER NOT NULL,
    Created      INTEGER NOT NULL
) STRICT;

CREATE INDEX clients_in_session ON clients (ID) WHERE AESKey IS NOT NULL;

-- What changes with every commit lies in rows of its own, small enough that
-- those of many clients share a page.
CREATE TABLE usage (
    ID       BLOB    NOT NULL PRIMARY KEY REFERENCES clients (ID) ON DELETE CASCADE,
    Files    INTEGER NOT NULL,
    Versions INTEGER NOT NULL,
    Bytes    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE key_bundles (
    ID     BLOB NOT NULL PRIMARY KEY REFERENCES clients (ID) ON DELETE CASCADE,
    Bundle BLOB NOT NULL
) STRICT;

-- The primary key is the order of every listing: by name, newest first.
CREATE TABLE files (
    ID             BLOB    NOT NULL REFERENCES clients (ID),
    FileName       TEXT    NOT NULL,
    Version        INTEGER NOT NULL CHECK (Version BETWEEN 1 AND 4294967295),
    PathName       TEXT    NOT NULL, -- where the blob is
    Verified       INTEGER NOT NULL,
    Upload         BLOB    NOT NULL,
    ByID           INTEGER NOT NULL,
    WireName       BLOB,
    WrappedKey     BLOB,
    KeyFingerprint BLOB    NOT NULL,
    OAEPHash       TEXT    NOT NULL,
    Format         INTEGER NOT NULL,
    Size           INTEGER NOT NULL,
    OriginalSize   INTEGER NOT NULL,
    Cksum          INTEGER NOT NULL,
    SHA256         BLOB    NOT NULL,
    Received       INTEGER NOT NULL,
    Created        INTEGER NOT NULL,
    PRIMARY KEY (ID, FileName, Version DESC)
) STRICT;

CREATE UNIQUE INDEX files_by_path ON files (PathName);

CREATE TABLE settings (
    Key   TEXT NOT NULL PRIMARY KEY,
    Value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
