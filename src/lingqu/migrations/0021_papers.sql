-- SPDX-License-Identifier: Apache-2.0
-- Scans of papers that were sealed by hand, and what is told to the parties a fact concerns.

CREATE TABLE trust.sealed_copy (
    id           text        PRIMARY KEY,
    paper        text        NOT NULL CHECK (paper ~ '^[0-9a-f]{64}$'),
    template     text        NOT NULL,
    subject      text        NOT NULL,
    party        text        NOT NULL REFERENCES trust.party,
    sha256       text        NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes   bigint      NOT NULL CHECK (size_bytes > 0),
    media_type   text        NOT NULL,
    attached_at  timestamptz NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT sealed_copy_once UNIQUE (paper, party, sha256)
);
CREATE INDEX sealed_copy_subject ON trust.sealed_copy (subject, id);
CREATE INDEX sealed_copy_party ON trust.sealed_copy (party);
COMMENT ON TABLE trust.sealed_copy IS 'A scan of a paper with the physical seal on it, by the digest of what the paper says.';

CREATE TABLE trust.notice (
    party    text        NOT NULL REFERENCES trust.party,
    fact     text        NOT NULL,
    kind     text        NOT NULL,
    subject  text        NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (party, fact, kind, subject)
);
CREATE INDEX notice_newest ON trust.notice (party, at);
COMMENT ON TABLE trust.notice IS 'What a fact of the log tells a party it concerns; made again from the log.';

GRANT SELECT, INSERT ON trust.sealed_copy, trust.notice TO lingqu_app;

CREATE INDEX grant_ends ON rights.grant (holder, ((effective::jsonb -> 'valid' ->> 'end')));
