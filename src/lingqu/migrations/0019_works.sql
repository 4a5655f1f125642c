-- SPDX-License-Identifier: Apache-2.0
-- Long work that somebody asked for: how far it is, and whether it should stop. It is no evidence.

CREATE TABLE trust.work (
    id text PRIMARY KEY,
    kind text NOT NULL,
    subject text NOT NULL,
    owner text NOT NULL REFERENCES trust.party,
    account text NOT NULL,
    title text NOT NULL,
    state text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'running', 'done', 'refused', 'cancelled')),
    done bigint NOT NULL DEFAULT 0,
    total bigint NOT NULL DEFAULT 0,
    result text NOT NULL DEFAULT '',
    code text NOT NULL DEFAULT '',
    parameters text NOT NULL DEFAULT '{}',
    asked_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    stop_at timestamptz
);
CREATE INDEX work_account ON trust.work (account, id);
COMMENT ON TABLE trust.work IS 'Long work that somebody waits for; what it makes true is a command.';
GRANT SELECT, INSERT, UPDATE ON trust.work TO lingqu_app;

CREATE INDEX party_name ON trust.party (name) WHERE kind = 'organization';

CREATE TABLE supply.delivery (
    work text PRIMARY KEY REFERENCES trust.work,
    resource text NOT NULL REFERENCES supply.resource,
    source text REFERENCES supply.source,
    mode text NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL
);
COMMENT ON TABLE supply.delivery IS 'What was handed over and waits to be loaded by its work.';
GRANT SELECT, INSERT ON supply.delivery TO lingqu_app;
