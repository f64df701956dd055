-- +goose Up

ALTER TABLE activities ADD COLUMN Address TEXT NOT NULL DEFAULT ''; -- where it came from
