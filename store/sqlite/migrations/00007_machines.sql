-- +goose Up

-- Machines that back up into an account with keys of their own.
CREATE TABLE machines (
    ID        BLOB    NOT NULL PRIMARY KEY CHECK (length(ID) = 16),
    Client    BLOB    NOT NULL REFERENCES clients (ID) ON DELETE CASCADE,
    Name      TEXT    NOT NULL,
    PublicKey BLOB    NOT NULL,
    OAEPHash  TEXT    NOT NULL,
    Rights    INTEGER NOT NULL, -- bits: 1 send
    Created   INTEGER NOT NULL,
    Used      INTEGER NOT NULL, -- 0: never
    Removed   INTEGER NOT NULL, -- 0: not
    UNIQUE (Client, Name)
) STRICT, WITHOUT ROWID;

-- Which machine began a label, for as long as the account lasts.
CREATE TABLE machine_labels (
    Client  BLOB NOT NULL REFERENCES clients (ID) ON DELETE CASCADE,
    Label   TEXT NOT NULL,
    Machine BLOB NOT NULL REFERENCES machines (ID) ON DELETE CASCADE,
    PRIMARY KEY (Client, Label)
) STRICT, WITHOUT ROWID;

CREATE INDEX machine_labels_by_machine ON machine_labels (Machine);
