-- SPDX-License-Identifier: Apache-2.0
-- Parties and access in full: holds, organisations, mandates, second factors, other ways to sign in.

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

ALTER TABLE trust.session ADD COLUMN acting_for text REFERENCES trust.party;
COMMENT ON COLUMN trust.session.acting_for IS 'The one party this browser acts for; NULL: all its account may act for.';

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

GRANT SELECT, INSERT, UPDATE ON trust.organization, trust.mandate, trust.second_factor, trust.login_link, trust.certificate TO lingqu_app;
GRANT SELECT, INSERT, DELETE ON trust.sign_in_failure, trust.sign_in_step, trust.openid_attempt TO lingqu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON trust.second_factor_use TO lingqu_app;
