-- SPDX-License-Identifier: Apache-2.0
-- Parties and access in full: holds on any subject.

CREATE TABLE trust.hold (
    id         text        PRIMARY KEY,
    subject    text        NOT NULL CHECK (subject <> ''),
    reason     text        NOT NULL,
    article    text        NOT NULL CHECK (article <> ''),
    evidence   text        CHECK (evidence ~ '^[0-9a-f]{64}$'),
    placed_by  text        NOT NULL,
    placed_at  timestamptz NOT NULL,
    lifted_by  text,
    lifted_at  timestamptz,
    version    bigint      NOT NULL,
    CHECK ((lifted_at IS NULL) = (lifted_by IS NULL))
);
CREATE INDEX hold_subject ON trust.hold (subject) WHERE lifted_at IS NULL;
COMMENT ON TABLE trust.hold IS 'A stop on one thing of any domain, named by its typed id, with its reason and ground.';

GRANT SELECT, INSERT, UPDATE ON trust.hold TO lingqu_app;
