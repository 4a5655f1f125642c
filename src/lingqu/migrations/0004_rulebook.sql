-- SPDX-License-Identifier: Apache-2.0
-- Which version of the rulebook this installation decides by, and since when.

CREATE TABLE trust.rulebook_adoption (
    id          text        PRIMARY KEY,
    rules       text        NOT NULL CHECK (rules <> ''),
    profile     text        NOT NULL CHECK (profile <> ''),
    edition     text        NOT NULL CHECK (edition <> ''),
    unverified  text[]      NOT NULL,
    adopted_at  timestamptz NOT NULL,
    version     bigint      NOT NULL
);
CREATE INDEX rulebook_adoption_latest ON trust.rulebook_adoption (adopted_at, id);
COMMENT ON TABLE trust.rulebook_adoption IS 'From adopted_at on, decisions here use these rules; the newest row is in force.';
COMMENT ON COLUMN trust.rulebook_adoption.unverified IS 'Rules known from memory only that were switched on.';

GRANT SELECT, INSERT ON trust.rulebook_adoption TO lingqu_app;
