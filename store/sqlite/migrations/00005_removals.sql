-- +goose Up

-- Clients that are being removed, from before they leave the catalog until
-- nothing is left of them beside it.
CREATE TABLE removals (
    ID BLOB NOT NULL PRIMARY KEY CHECK (length(ID) = 16)
) STRICT, WITHOUT ROWID;

-- Earlier they were a setting: a JSON list of ids, each a list of numbers.
INSERT OR IGNORE INTO removals (ID)
    SELECT unhex((SELECT group_concat(printf('%02x', byte.value), '' ORDER BY byte.key) FROM json_each(one.value) AS byte))
    FROM settings, json_each(CAST(settings.Value AS TEXT)) AS one
    WHERE settings.Key = 'removals' AND one.type = 'array';

DELETE FROM settings WHERE Key = 'removals';
