-- +goose Up

ALTER TABLE usage ADD COLUMN Verified INTEGER NOT NULL DEFAULT 0; -- versions

UPDATE usage SET Verified = (SELECT count(*) FROM files WHERE files.ID = usage.ID AND files.Verified);

CREATE INDEX clients_suspended ON clients (ID) WHERE Suspended;

-- What happened, as far back as the history is kept. Rows are only added at
-- one end and removed at the other. The client may be gone since. There is no
-- index by what is looked for: reading all of a bounded history takes some
-- milliseconds, and an index would have every upload write another page.
CREATE TABLE activities (
    ID      INTEGER NOT NULL PRIMARY KEY,
    At      INTEGER NOT NULL,
    Kind    TEXT    NOT NULL,
    Outcome TEXT    NOT NULL,
    Client  BLOB,
    Name    TEXT    NOT NULL,
    File    TEXT    NOT NULL,
    Version INTEGER NOT NULL,
    Bytes   INTEGER NOT NULL,
    Took    INTEGER NOT NULL, -- nanoseconds
    Detail  TEXT    NOT NULL
) STRICT;
