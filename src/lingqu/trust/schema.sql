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
    language    text        NOT NULL,
    acting_for  text        REFERENCES trust.party
);
CREATE INDEX session_expiry ON trust.session (expires_at);
CREATE INDEX session_account ON trust.session (account);
COMMENT ON TABLE trust.session IS 'Signed-in browsers, by real time; SHA-256 of the cookie''s random token.';
COMMENT ON COLUMN trust.session.acting_for IS 'The one party this browser acts for; NULL: all its account may act for.';

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

-- The rulebook -----------------------------------------------------------------------------------

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

-- Organisations -----------------------------------------------------------------------------------

CREATE TABLE trust.organization (
    party          text        PRIMARY KEY REFERENCES trust.party,
    kind           text        NOT NULL,
    code           text        UNIQUE CHECK (code ~ '^[0-9A-Z]{18}$'),
    region         text        NOT NULL CHECK (region ~ '^([0-9]{6}|[0-9]{9})$'),
    level          text        CHECK (level IN ('national', 'province', 'city', 'county', 'town')),
    demonstration  boolean     NOT NULL,
    described_at   timestamptz NOT NULL,
    version        bigint      NOT NULL
);
CREATE INDEX organization_region ON trust.organization (region);
COMMENT ON TABLE trust.organization IS 'What is known of a party that is an organisation.';
COMMENT ON COLUMN trust.organization.code IS 'Unified social credit code (GB 32100-2015); NULL once erased, or where there is none.';
COMMENT ON COLUMN trust.organization.demonstration IS 'The code lies in the range kept for demonstrations.';

-- Acting for an organisation ----------------------------------------------------------------------

CREATE TABLE trust.mandate (
    id        text        PRIMARY KEY,
    account   text        NOT NULL REFERENCES trust.account,
    party     text        NOT NULL REFERENCES trust.party,
    roles     text[]      NOT NULL CHECK (cardinality(roles) > 0),
    from_at   timestamptz NOT NULL,
    until_at  timestamptz NOT NULL,
    document  text        NOT NULL CHECK (document ~ '^[0-9a-f]{64}$'),
    given_at  timestamptz NOT NULL,
    ended_at  timestamptz,
    version   bigint      NOT NULL,
    CHECK (from_at < until_at)
);
CREATE INDEX mandate_account ON trust.mandate (account) WHERE ended_at IS NULL;
CREATE INDEX mandate_party ON trust.mandate (party);
COMMENT ON TABLE trust.mandate IS 'An account acts for a party in some roles, for a period, by a document.';

-- Signing in --------------------------------------------------------------------------------------

CREATE TABLE trust.sign_in_failure (
    login      bytea       NOT NULL CHECK (octet_length(login) = 32),
    failed_at  timestamptz NOT NULL
);
CREATE INDEX sign_in_failure_login ON trust.sign_in_failure (login, failed_at);
COMMENT ON TABLE trust.sign_in_failure IS 'Failed attempts by SHA-256 of the login, known or not, by real time; old ones are dropped.';

CREATE TABLE trust.sign_in_step (
    token_hash  bytea       PRIMARY KEY,
    account     text        NOT NULL REFERENCES trust.account,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX sign_in_step_account ON trust.sign_in_step (account);
COMMENT ON TABLE trust.sign_in_step IS 'Half-done sign-ins: the first proof was good, the one-time code is awaited.';

CREATE TABLE trust.second_factor (
    account     text        PRIMARY KEY REFERENCES trust.account,
    sealed      bytea,
    recovery    text[]      NOT NULL,
    enabled_at  timestamptz,
    version     bigint      NOT NULL
);
COMMENT ON TABLE trust.second_factor IS 'The sealed secret of an account''s one-time codes and the SHA-256 of its recovery codes; emptied when switched off.';

CREATE TABLE trust.second_factor_use (
    account  text   PRIMARY KEY REFERENCES trust.account,
    step     bigint NOT NULL
);
COMMENT ON TABLE trust.second_factor_use IS 'The last time step whose code was used, so that no code works twice.';

CREATE TABLE trust.login_link (
    id         text        PRIMARY KEY,
    account    text        NOT NULL REFERENCES trust.account,
    issuer     text        NOT NULL CHECK (issuer <> ''),
    subject    text,
    linked_at  timestamptz NOT NULL,
    ended_at   timestamptz,
    version    bigint      NOT NULL
);
CREATE UNIQUE INDEX login_link_once ON trust.login_link (issuer, subject) WHERE ended_at IS NULL;
CREATE INDEX login_link_account ON trust.login_link (account);
COMMENT ON TABLE trust.login_link IS 'A login at an identity provider, named by issuer and subject, that opens an account here.';
COMMENT ON COLUMN trust.login_link.subject IS 'Personal data: never in a fact; NULL once erased.';

CREATE TABLE trust.openid_attempt (
    state_hash    bytea       PRIMARY KEY,
    browser_hash  bytea       NOT NULL,
    issuer        text        NOT NULL,
    nonce         text        NOT NULL,
    verifier      text        NOT NULL,
    onward        text        NOT NULL,
    account       text        REFERENCES trust.account,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX openid_attempt_account ON trust.openid_attempt (account);
COMMENT ON TABLE trust.openid_attempt IS 'Logins under way at an identity provider; each row is used once. account: who links the login.';

CREATE TABLE trust.certificate (
    id             text        PRIMARY KEY,
    account        text        NOT NULL REFERENCES trust.account,
    fingerprint    text        NOT NULL CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    label          text        NOT NULL,
    expires_at     timestamptz NOT NULL,
    registered_at  timestamptz NOT NULL,
    ended_at       timestamptz,
    version        bigint      NOT NULL
);
CREATE UNIQUE INDEX certificate_once ON trust.certificate (fingerprint) WHERE ended_at IS NULL;
CREATE INDEX certificate_account ON trust.certificate (account);
COMMENT ON TABLE trust.certificate IS 'A client certificate by its SHA-256 that lets a machine act as an account, behind a proxy that checks TLS.';

-- Rights of the application's role: nothing that is evidence can be updated or deleted ------------

GRANT SELECT, INSERT, UPDATE ON trust.party, trust.account, trust.role_assignment, trust.api_key TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON trust.hold TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON trust.organization, trust.mandate, trust.second_factor, trust.login_link, trust.certificate TO lingqu_app;
GRANT SELECT, INSERT, DELETE ON trust.sign_in_failure, trust.sign_in_step, trust.openid_attempt TO lingqu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON trust.second_factor_use TO lingqu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON trust.session TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON trust.log_cursor, trust.subscription TO lingqu_app;
GRANT SELECT, INSERT ON trust.command, trust.fact, trust.row_version, trust.log, trust.log_leaf,
    trust.log_checkpoint, trust.log_cosignature, trust.log_key, trust.refusal TO lingqu_app;
GRANT SELECT, INSERT ON trust.rulebook_adoption TO lingqu_app;

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

-- Procedures ----------------------------------------------------------------------------------------

CREATE TABLE trust.chart (
    id             text        PRIMARY KEY,
    code           text        NOT NULL CHECK (code <> ''),
    edition        bigint      NOT NULL CHECK (edition > 0),
    digest         text        NOT NULL,
    body           text        NOT NULL,
    registered_at  timestamptz NOT NULL,
    version        bigint      NOT NULL,
    UNIQUE (code, edition)
);
COMMENT ON TABLE trust.chart IS 'Each edition of each chart as canonical JSON; a procedure keeps the edition it was opened with.';

CREATE TABLE trust.procedure (
    id         text        PRIMARY KEY,
    chart      text        NOT NULL REFERENCES trust.chart,
    code       text        NOT NULL,
    subject    text        NOT NULL CHECK (subject <> ''),
    title      text        NOT NULL CHECK (title <> ''),
    owner      text        NOT NULL REFERENCES trust.party,
    state      text        NOT NULL,
    turn       text,
    filing     bigint      NOT NULL CHECK (filing > 0),
    opened_at  timestamptz NOT NULL,
    moved_at   timestamptz NOT NULL,
    ended_at   timestamptz,
    version    bigint      NOT NULL
);
CREATE INDEX procedure_chart ON trust.procedure (chart);
CREATE INDEX procedure_code ON trust.procedure (code, state);
CREATE INDEX procedure_owner ON trust.procedure (owner);
CREATE INDEX procedure_subject ON trust.procedure (subject);
COMMENT ON TABLE trust.procedure IS 'One matter and the state it stands in; turn is the role that must act there.';
COMMENT ON COLUMN trust.procedure.title IS 'What it is about, for people: never in a fact.';

CREATE TABLE trust.procedure_participant (
    id         text        PRIMARY KEY,
    procedure  text        NOT NULL REFERENCES trust.procedure,
    role       text        NOT NULL,
    party      text        REFERENCES trust.party,
    account    text,
    named_at   timestamptz NOT NULL,
    ended_at   timestamptz,
    version    bigint      NOT NULL,
    CHECK (party IS NOT NULL OR account IS NOT NULL)
);
CREATE INDEX procedure_participant_procedure ON trust.procedure_participant (procedure);
CREATE INDEX procedure_participant_party ON trust.procedure_participant (party) WHERE ended_at IS NULL;
CREATE INDEX procedure_participant_account ON trust.procedure_participant (account) WHERE ended_at IS NULL;
COMMENT ON TABLE trust.procedure_participant IS 'Who plays a role of a procedure: everybody of a party, or one account.';

CREATE TABLE trust.procedure_step (
    id         text        PRIMARY KEY,
    procedure  text        NOT NULL REFERENCES trust.procedure,
    ordinal    bigint      NOT NULL CHECK (ordinal > 0),
    filing     bigint      NOT NULL,
    move       text        NOT NULL,
    source     text        NOT NULL,
    target     text        NOT NULL,
    role       text        NOT NULL,
    party      text        REFERENCES trust.party,
    account    text        NOT NULL,
    timer      text,
    opinion    text,
    reason     text,
    rules      text        NOT NULL,
    day        date        NOT NULL,
    at         timestamptz NOT NULL,
    version    bigint      NOT NULL,
    UNIQUE (procedure, ordinal)
);
CREATE INDEX procedure_step_party ON trust.procedure_step (party);
COMMENT ON TABLE trust.procedure_step IS 'Each move that was made: by whom, with which opinion, under which rules. Only added to.';
COMMENT ON COLUMN trust.procedure_step.day IS 'The local day on which it takes effect; for a clock the day it fell due, however late it was seen.';

CREATE TABLE trust.procedure_attachment (
    id         text        PRIMARY KEY,
    procedure  text        NOT NULL REFERENCES trust.procedure,
    step       text        NOT NULL REFERENCES trust.procedure_step,
    name       text        NOT NULL CHECK (name <> ''),
    sha256     text        NOT NULL CHECK (length(sha256) = 64),
    size       bigint      NOT NULL CHECK (size >= 0),
    version    bigint      NOT NULL
);
CREATE INDEX procedure_attachment_procedure ON trust.procedure_attachment (procedure);
CREATE INDEX procedure_attachment_step ON trust.procedure_attachment (step);
COMMENT ON TABLE trust.procedure_attachment IS 'Files given with a step: digest and size of a blob. Only added to.';

CREATE TABLE trust.procedure_timer (
    id              text        PRIMARY KEY,
    procedure       text        NOT NULL REFERENCES trust.procedure,
    name            text        NOT NULL,
    standing        text        NOT NULL CHECK (standing IN ('running', 'paused', 'held', 'ended', 'fired')),
    started_on      date        NOT NULL,
    counted_from    date        NOT NULL,
    count           bigint      NOT NULL CHECK (count >= 0),
    due_on          date        NOT NULL,
    fires_at        timestamptz NOT NULL,
    paused_on       date,
    is_extended     boolean     NOT NULL,
    is_provisional  boolean     NOT NULL,
    ended_at        timestamptz,
    version         bigint      NOT NULL
);
CREATE INDEX procedure_timer_procedure ON trust.procedure_timer (procedure);
CREATE INDEX procedure_timer_due ON trust.procedure_timer (fires_at, id) WHERE standing = 'running';
CREATE INDEX procedure_timer_provisional ON trust.procedure_timer (id)
    WHERE is_provisional AND standing IN ('running', 'paused', 'held');
COMMENT ON TABLE trust.procedure_timer IS 'The clocks: due_on is the last day in time, fires_at when its passing has an effect.';
COMMENT ON COLUMN trust.procedure_timer.counted_from IS 'Start of the present stretch of count days or months: the day it started, or went on after a pause.';

GRANT SELECT, INSERT ON trust.chart, trust.procedure_step, trust.procedure_attachment TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON trust.procedure, trust.procedure_participant, trust.procedure_timer
    TO lingqu_app;

-- Seen from above ---------------------------------------------------------------------------------

CREATE VIEW trust.pub_procedure AS
    SELECT id, code, subject, owner, state, turn, moved_at, ended_at, version FROM trust.procedure;
COMMENT ON VIEW trust.pub_procedure IS 'Where procedures stand, for packages above.';

CREATE VIEW trust.pub_step AS
    SELECT procedure, ordinal, move, source, target, role, reason, at FROM trust.procedure_step;
COMMENT ON VIEW trust.pub_step IS 'What happened in procedures, for packages above.';

CREATE VIEW trust.pub_fact AS
    SELECT f.id, f.kind, f.at, f.body, l.origin, l.index
    FROM trust.fact f LEFT JOIN trust.log_leaf l ON l.fact = f.id;
COMMENT ON VIEW trust.pub_fact IS 'Facts with their place in the log, for packages above.';

CREATE VIEW trust.pub_account AS SELECT id, party FROM trust.account;
COMMENT ON VIEW trust.pub_account IS 'Whose account it is, for packages above.';

CREATE VIEW trust.pub_hold AS
    SELECT id, subject, reason, article, placed_at, lifted_at FROM trust.hold;
COMMENT ON VIEW trust.pub_hold IS 'What is and was held, for packages above.';

CREATE VIEW trust.pub_subscription AS SELECT name, origin, next FROM trust.subscription;
COMMENT ON VIEW trust.pub_subscription IS 'How far each subscriber has read, for packages above.';

GRANT SELECT ON trust.pub_procedure, trust.pub_step, trust.pub_fact, trust.pub_account, trust.pub_hold, trust.pub_subscription TO lingqu_app;

CREATE VIEW trust.pub_row AS SELECT table_name, key, version, fact FROM trust.row_version;
COMMENT ON VIEW trust.pub_row IS 'Which fact names which version of which row, for packages above.';
GRANT SELECT ON trust.pub_row TO lingqu_app;
CREATE FUNCTION trust.empty_step(of_step text, from_version bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH emptied AS (
        UPDATE trust.procedure_step SET opinion = NULL, reason = NULL, version = version + 1
        WHERE id = of_step AND version = from_version
        RETURNING 1
    )
    SELECT count(*) FROM emptied;
$$;
REVOKE ALL ON FUNCTION trust.empty_step(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trust.empty_step(text, bigint) TO lingqu_app;

CREATE FUNCTION trust.empty_attachment(of_attachment text, from_version bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH emptied AS (
        UPDATE trust.procedure_attachment SET name = '—', version = version + 1
        WHERE id = of_attachment AND version = from_version
        RETURNING 1
    )
    SELECT count(*) FROM emptied;
$$;
REVOKE ALL ON FUNCTION trust.empty_attachment(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trust.empty_attachment(text, bigint) TO lingqu_app;

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

-- Whoever remembers who a key is, and what it may do, hears at once that this changed.
CREATE FUNCTION trust.tell_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('lingqu_access', CASE TG_TABLE_NAME WHEN 'account' THEN to_jsonb(NEW) ->> 'id' ELSE to_jsonb(NEW) ->> 'account' END);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION trust.tell_access() IS 'Notifies listeners of lingqu_access which account was changed.';
CREATE TRIGGER api_key_tells AFTER UPDATE ON trust.api_key FOR EACH ROW EXECUTE FUNCTION trust.tell_access();
CREATE TRIGGER account_tells AFTER UPDATE ON trust.account FOR EACH ROW EXECUTE FUNCTION trust.tell_access();
CREATE TRIGGER role_assignment_tells AFTER INSERT OR UPDATE ON trust.role_assignment FOR EACH ROW EXECUTE FUNCTION trust.tell_access();
CREATE TRIGGER mandate_tells AFTER INSERT OR UPDATE ON trust.mandate FOR EACH ROW EXECUTE FUNCTION trust.tell_access();

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
