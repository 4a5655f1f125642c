-- SPDX-License-Identifier: Apache-2.0
-- 基础设施: the tables of schema trust as they are now; the migrations are how one gets here.

CREATE SCHEMA trust;
GRANT USAGE ON SCHEMA trust TO lingqu_app;

-- Who -------------------------------------------------------------------------------------------

CREATE TABLE trust.party (
    id          text        PRIMARY KEY,
    kind        text        NOT NULL CHECK (kind IN ('organization', 'person', 'system')),
    name        text        CHECK (name <> ''),
    created_at  timestamptz NOT NULL,
    erased_at   timestamptz,
    version     bigint      NOT NULL
);
COMMENT ON TABLE trust.party IS 'An organisation, a person or the platform itself.';
COMMENT ON COLUMN trust.party.name IS 'Personal data where the party is a person: never in a fact; NULL once erased.';

CREATE TABLE trust.account (
    id             text        PRIMARY KEY,
    party          text        NOT NULL REFERENCES trust.party,
    kind           text        NOT NULL CHECK (kind IN ('person', 'machine', 'system')),
    login          text        UNIQUE CHECK (login <> ''),
    password_hash  text,
    state          text        NOT NULL CHECK (state IN ('active', 'closed')),
    created_at     timestamptz NOT NULL,
    version        bigint      NOT NULL
);
CREATE INDEX account_party ON trust.account (party);
COMMENT ON TABLE trust.account IS 'Something that can act: a person''s login, a machine''s, or the platform''s own.';

CREATE TABLE trust.role_assignment (
    id        text        PRIMARY KEY,
    account   text        NOT NULL REFERENCES trust.account,
    role      text        NOT NULL,
    party     text        NOT NULL REFERENCES trust.party,
    given_at  timestamptz NOT NULL,
    ended_at  timestamptz,
    version   bigint      NOT NULL
);
CREATE UNIQUE INDEX role_assignment_once ON trust.role_assignment (account, role, party) WHERE ended_at IS NULL;
COMMENT ON TABLE trust.role_assignment IS 'A role an account holds for a party; rights scoped to "own" reach that party''s things.';

CREATE TABLE trust.api_key (
    id          text        PRIMARY KEY,
    account     text        NOT NULL REFERENCES trust.account,
    label       text        NOT NULL,
    secret_hash bytea       NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    version     bigint      NOT NULL
);
CREATE INDEX api_key_account ON trust.api_key (account);
COMMENT ON COLUMN trust.api_key.secret_hash IS 'SHA-256 of a 256-bit random secret; the secret itself is shown once.';

CREATE TABLE trust.session (
    token_hash  bytea       PRIMARY KEY,
    account     text        NOT NULL REFERENCES trust.account,
    opened_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    language    text        NOT NULL
);
CREATE INDEX session_expiry ON trust.session (expires_at);
CREATE INDEX session_account ON trust.session (account);
COMMENT ON TABLE trust.session IS 'Signed-in browsers, by real time; SHA-256 of the cookie''s random token.';

-- Did -------------------------------------------------------------------------------------------

CREATE TABLE trust.command (
    id       text        PRIMARY KEY,
    name     text        NOT NULL,
    actor    text        NOT NULL,
    salt     bytea,
    request  bytea       NOT NULL,
    result   text,
    at       timestamptz NOT NULL
);
COMMENT ON TABLE trust.command IS 'Every committed command, remembered for ever: the same id with the same request gives the same result.';
COMMENT ON COLUMN trust.command.request IS 'HMAC-SHA-256 of the canonical request under the salt; the salt is destroyed with the person it concerns.';

CREATE TABLE trust.fact (
    id       text   PRIMARY KEY,
    txid     xid8   NOT NULL DEFAULT pg_current_xact_id(),
    ordinal  int    NOT NULL,
    command  text   NOT NULL REFERENCES trust.command,
    kind     text   NOT NULL,
    at       timestamptz NOT NULL,
    body     text   NOT NULL CHECK (octet_length(body) <= 60000)
);
CREATE INDEX fact_order ON trust.fact (txid, ordinal);
CREATE INDEX fact_command ON trust.fact (command);
CREATE INDEX fact_kind ON trust.fact (kind, id);
COMMENT ON TABLE trust.fact IS 'Evidence, audit entry and message at once. The body is the canonical JSON that becomes a leaf of the log.';
COMMENT ON COLUMN trust.fact.txid IS 'Orders facts before they are sequenced; facts carry no position of their own.';

CREATE TABLE trust.row_version (
    table_name  text   NOT NULL,
    key         text   NOT NULL,
    version     bigint NOT NULL,
    shape       int    NOT NULL,
    salt        bytea,
    content     text,
    fact        text   NOT NULL REFERENCES trust.fact,
    PRIMARY KEY (table_name, key, version)
);
CREATE INDEX row_version_fact ON trust.row_version (fact);
COMMENT ON TABLE trust.row_version IS 'Each version of each audited row, whose salted digest the fact carries. Erasing a person empties salt and content.';

-- The log ---------------------------------------------------------------------------------------

CREATE TABLE trust.log (
    origin       text        PRIMARY KEY,
    number       int         NOT NULL UNIQUE,
    kind         text        NOT NULL CHECK (kind IN ('own', 'foreign')),
    predecessor  text        REFERENCES trust.log,
    verifier_key text        NOT NULL,
    started_at   timestamptz NOT NULL,
    version      bigint      NOT NULL
);
COMMENT ON TABLE trust.log IS 'Logs known here: our own (the highest number is written) and those of gates whose checkpoints we record.';

CREATE TABLE trust.log_leaf (
    origin  text   NOT NULL REFERENCES trust.log,
    index   bigint NOT NULL CHECK (index >= 0),
    fact    text   NOT NULL UNIQUE REFERENCES trust.fact,
    hash    bytea  NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (origin, index)
);
COMMENT ON TABLE trust.log_leaf IS 'Where each fact stands in our log: dense, insert only. hash is the RFC 6962 leaf hash of the body.';

CREATE TABLE trust.log_checkpoint (
    origin     text        NOT NULL REFERENCES trust.log,
    size       bigint      NOT NULL,
    root       bytea       NOT NULL CHECK (octet_length(root) = 32),
    note       text        NOT NULL,
    signed_at  timestamptz NOT NULL,
    PRIMARY KEY (origin, size)
);
COMMENT ON TABLE trust.log_checkpoint IS 'Checkpoints we signed (own) or recorded (foreign), as signed notes.';

CREATE TABLE trust.log_cosignature (
    origin     text        NOT NULL,
    size       bigint      NOT NULL,
    witness    text        NOT NULL,
    line       text        NOT NULL,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (origin, size, witness),
    FOREIGN KEY (origin, size) REFERENCES trust.log_checkpoint
);

CREATE TABLE trust.log_key (
    origin        text        NOT NULL REFERENCES trust.log,
    number        int         NOT NULL CHECK (number >= 2),
    verifier_key  text        NOT NULL,
    statement     text        NOT NULL,
    at            timestamptz NOT NULL,
    PRIMARY KEY (origin, number)
);
COMMENT ON TABLE trust.log_key IS 'Later keys of a log, each with the note by which an older key vouches for it; the first stands in trust.log.';

CREATE TABLE trust.log_cursor (
    origin   text        PRIMARY KEY REFERENCES trust.log,
    system   text        NOT NULL,
    seen     pg_snapshot NOT NULL
);
COMMENT ON TABLE trust.log_cursor IS 'Every fact visible in this snapshot is sequenced; another database system or database means: look at all.';

CREATE TABLE trust.subscription (
    name      text PRIMARY KEY,
    origin    text NOT NULL REFERENCES trust.log,
    next      bigint NOT NULL,
    failure   text,
    failed_at timestamptz
);
COMMENT ON TABLE trust.subscription IS 'How far each subscriber has read; a failing one stops at its fact and says so.';

-- Refused before anyone was known ----------------------------------------------------------------

CREATE TABLE trust.refusal (
    batch     text        NOT NULL,
    position  int         NOT NULL,
    minute    timestamptz NOT NULL,
    source    text        NOT NULL,
    route     text        NOT NULL,
    code      text        NOT NULL,
    count     bigint      NOT NULL CHECK (count > 0),
    PRIMARY KEY (batch, position)
);
COMMENT ON TABLE trust.refusal IS 'Refusals of unknown callers, counted per source (keyed hash), route and minute; batch-audited.';

-- Held -------------------------------------------------------------------------------------------

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

-- Rights of the application's role: nothing that is evidence can be updated or deleted ------------

GRANT SELECT, INSERT, UPDATE ON trust.party, trust.account, trust.role_assignment, trust.api_key TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON trust.hold TO lingqu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON trust.session TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON trust.log_cursor, trust.subscription TO lingqu_app;
GRANT SELECT, INSERT ON trust.command, trust.fact, trust.row_version, trust.log, trust.log_leaf,
    trust.log_checkpoint, trust.log_cosignature, trust.log_key, trust.refusal TO lingqu_app;

-- The one door through which evidence of a person can be emptied; the command that uses it records
-- that it did. Digests stay, so the log still verifies; without salts they say nothing.
CREATE FUNCTION trust.erase_row_versions(of_table text, of_key text, before_version bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH emptied AS (
        UPDATE trust.row_version SET salt = NULL, content = NULL
        WHERE table_name = of_table AND key = of_key AND version < before_version AND salt IS NOT NULL
        RETURNING fact
    ), forgotten AS (
        UPDATE trust.command SET salt = NULL, result = NULL
        WHERE id IN (SELECT f.command FROM trust.fact f JOIN emptied e ON e.fact = f.id) AND salt IS NOT NULL
        RETURNING 1
    )
    SELECT count(*) FROM emptied;
$$;
REVOKE ALL ON FUNCTION trust.erase_row_versions(text, text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trust.erase_row_versions(text, text, bigint) TO lingqu_app;
