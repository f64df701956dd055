-- +goose Up

-- A client that has packs. It has a number of its own, so that it can leave
-- the catalog at once, and its packs in portions; then Client is null.
CREATE TABLE pack_owners (
    Number  INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    Client  BLOB    UNIQUE REFERENCES clients (ID) ON DELETE SET NULL,
    Next    INTEGER NOT NULL, -- ordinal; none is used twice
    Age     INTEGER NOT NULL, -- nanoseconds that sweepers have been seen to run
    Changes INTEGER NOT NULL, -- counts whatever made packs needed
    Packs   INTEGER NOT NULL, -- those that are not dead
    Bytes   INTEGER NOT NULL,
    Dead    INTEGER NOT NULL,
    Freed   INTEGER NOT NULL
) STRICT;

-- Sets of ordinals here and below are roaring bitmaps.
CREATE TABLE pack_sets (
    Owner INTEGER NOT NULL PRIMARY KEY,
    Gone  BLOB    NOT NULL, -- dead, forgotten, or lost
    Lost  BLOB    NOT NULL  -- snapshots need them, and a rebuilt catalog did not find them
) STRICT;

CREATE TABLE packs (
    Owner    INTEGER NOT NULL,
    Ordinal  INTEGER NOT NULL,
    ID       BLOB    NOT NULL CHECK (length(ID) = 32),
    Size     INTEGER NOT NULL,
    State    INTEGER NOT NULL, -- 0 whole, 1 damaged, 2 dead
    DeadAt   INTEGER NOT NULL, -- the owner's Age
    PathName TEXT    NOT NULL, -- where the blob is
    PRIMARY KEY (Owner, Ordinal)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX packs_by_id ON packs (Owner, ID) WHERE State < 2;
CREATE INDEX packs_dead_by_id ON packs (Owner, ID) WHERE State = 2;
CREATE INDEX packs_dead ON packs (Owner, DeadAt) WHERE State = 2;
CREATE INDEX packs_damaged ON packs (Owner) WHERE State = 1;

-- Snapshots that are being made. What changes with each pack lies apart from
-- the packs of the base, which may take more room.
CREATE TABLE runs (
    Number    INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    Owner     INTEGER NOT NULL,
    ID        BLOB    NOT NULL CHECK (length(ID) = 16),
    Name      TEXT    NOT NULL,
    Base      INTEGER NOT NULL,
    BaseBytes INTEGER NOT NULL,
    Begun     INTEGER NOT NULL,
    Seen      INTEGER NOT NULL,
    SeenAge   INTEGER NOT NULL, -- the owner's Age
    Packs     INTEGER NOT NULL,
    Bytes     INTEGER NOT NULL,
    UNIQUE (Owner, ID)
) STRICT;

CREATE TABLE run_bases (
    Run   INTEGER NOT NULL PRIMARY KEY,
    Packs BLOB    NOT NULL
) STRICT;

-- What else a run pins, a row each time that something came to it: nothing
-- that is there has to be written again. Sweeps join them to one.
CREATE TABLE run_pins (
    Number INTEGER NOT NULL PRIMARY KEY,
    Run    INTEGER NOT NULL,
    Packs  BLOB    NOT NULL
) STRICT;

CREATE INDEX run_pins_by_run ON run_pins (Run);

-- What a file version has that is a snapshot.
CREATE TABLE snapshots (
    Row       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    Owner     INTEGER NOT NULL,
    Name      TEXT    NOT NULL,
    Number    INTEGER NOT NULL,
    Run       BLOB    NOT NULL,
    Packs     INTEGER NOT NULL, -- how many it needs
    PackBytes INTEGER NOT NULL,
    Mends     INTEGER NOT NULL,
    Head      BLOB    NOT NULL,
    Leaving   BLOB, -- those that the next version of the name does not need; null in the newest
    UNIQUE (Owner, Name, Number)
) STRICT;

CREATE INDEX snapshots_by_run ON snapshots (Owner, Run);
CREATE INDEX snapshots_newest ON snapshots (Owner) WHERE Leaving IS NULL;

-- Apart, so that a list of snapshots does not read past it.
CREATE TABLE snapshot_packs (
    Snapshot INTEGER NOT NULL PRIMARY KEY,
    Packs    BLOB    NOT NULL
) STRICT;

CREATE TABLE mends (
    Number   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    Snapshot INTEGER NOT NULL,
    Owner    INTEGER NOT NULL,
    PathName TEXT    NOT NULL,
    Metadata BLOB    NOT NULL, -- JSON
    Packs    BLOB    NOT NULL
) STRICT;

CREATE INDEX mends_by_snapshot ON mends (Snapshot);
CREATE INDEX mends_by_owner ON mends (Owner);
CREATE UNIQUE INDEX mends_by_path ON mends (PathName);
