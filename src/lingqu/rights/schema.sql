-- SPDX-License-Identifier: Apache-2.0
-- 产权: grounds, and the tree of grants that grows from them.

CREATE SCHEMA rights;
GRANT USAGE ON SCHEMA rights TO lingqu_app;

CREATE TABLE rights.code (
    id             text        PRIMARY KEY CHECK (id = tree || '/' || code),
    tree           text        NOT NULL CHECK (tree IN ('purposes', 'territories', 'actions', 'environments')),
    code           text        NOT NULL CHECK (code <> ''),
    parent         text,
    zh             text        NOT NULL CHECK (zh <> ''),
    en             text        NOT NULL CHECK (en <> ''),
    source         text,
    registered_at  timestamptz NOT NULL,
    version        bigint      NOT NULL
);
COMMENT ON TABLE rights.code IS 'Codes added to the built-in trees of purposes, territories, actions and environments.';

CREATE TABLE rights.ground (
    id           text        PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('duty', 'registration', 'contract', 'consent')),
    title        text        NOT NULL CHECK (title <> ''),
    party        text        NOT NULL REFERENCES trust.party,
    evidence     bytea       NOT NULL CHECK (length(evidence) = 32),
    articles     text[]      NOT NULL,
    assessment   bytea       CHECK (length(assessment) = 32),
    recorded_at  timestamptz NOT NULL,
    version      bigint      NOT NULL
);
CREATE INDEX ground_party ON rights.ground (party);
COMMENT ON TABLE rights.ground IS 'Why somebody may have a right at all: a duty, a registration, a contract, a consent.';
COMMENT ON COLUMN rights.ground.assessment IS 'SHA-256 of the assessment that allows use across the border; without it no grant may.';

CREATE TABLE rights.grant (
    id         text        PRIMARY KEY,
    ground     text        NOT NULL REFERENCES rights.ground,
    parent     text        REFERENCES rights.grant,
    root       text        NOT NULL REFERENCES rights.grant,
    ancestors  text[]      NOT NULL,
    watched    text[]      NOT NULL,
    succeeds   text        UNIQUE REFERENCES rights.grant,
    holder     text        NOT NULL REFERENCES trust.party,
    kind       text        NOT NULL CHECK (kind IN ('holding', 'using', 'operating')),
    terms      text        NOT NULL,
    effective  text        NOT NULL,
    issued_at  timestamptz NOT NULL,
    version    bigint      NOT NULL,
    basis      text        REFERENCES rights.ground,
    CONSTRAINT grant_root CHECK ((parent IS NULL) = (root = id)),
    CONSTRAINT grant_path CHECK (
        CASE WHEN parent IS NULL THEN cardinality(ancestors) = 0
             ELSE ancestors[1] = root AND ancestors[cardinality(ancestors)] = parent END
    )
);
CREATE INDEX grant_ground ON rights.grant (ground);
CREATE INDEX grant_parent ON rights.grant (parent);
CREATE INDEX grant_root ON rights.grant (root);
CREATE INDEX grant_holder ON rights.grant (holder);
CREATE INDEX grant_ancestors ON rights.grant USING gin (ancestors);
CREATE INDEX grant_ends ON rights.grant (holder, ((effective::jsonb -> 'valid' ->> 'end')));
CREATE INDEX grant_basis ON rights.grant (basis) WHERE basis IS NOT NULL;
COMMENT ON TABLE rights.grant IS 'One right given to one holder; a row never changes.';
COMMENT ON COLUMN rights.grant.ancestors IS 'From the root down to the parent, fixed when the grant was issued.';
COMMENT ON COLUMN rights.grant.watched IS 'Whatever a hold on suspends the grant: its chain, and what those grants succeeded.';
COMMENT ON COLUMN rights.grant.basis IS 'What this step down rests on: the agreement or contract, beside the ground of the tree.';
COMMENT ON COLUMN rights.grant.effective IS 'The parent''s effective terms met with its own, in codes: computed once.';

CREATE TABLE rights.ending (
    grant_id   text        PRIMARY KEY REFERENCES rights.grant,
    kind       text        NOT NULL CHECK (kind IN ('revoked', 'narrowed', 'adopted')),
    cause      text,
    article    text,
    successor  text        REFERENCES rights.grant,
    ended_at   timestamptz NOT NULL,
    version    bigint      NOT NULL
);
CREATE INDEX ending_successor ON rights.ending (successor);
COMMENT ON TABLE rights.ending IS 'A grant ended, and with it everything below; one row for the whole subtree.';

CREATE TABLE rights.tree (
    root   text   PRIMARY KEY REFERENCES rights.grant,
    epoch  bigint NOT NULL CHECK (epoch > 0)
);
COMMENT ON TABLE rights.tree IS 'The lock of each tree of grants, and how often the tree changed.';

CREATE TABLE rights.quota (
    account   text    PRIMARY KEY REFERENCES ledger.account,
    ground    text    NOT NULL REFERENCES rights.ground,
    grant_id  text    REFERENCES rights.grant,
    currency  text    NOT NULL,
    role      text    NOT NULL CHECK (role IN ('issued', 'consumed', 'granted')),
    version   bigint  NOT NULL,
    CONSTRAINT quota_role CHECK ((grant_id IS NULL) = (role <> 'granted'))
);
CREATE UNIQUE INDEX quota_of_grant ON rights.quota (grant_id, currency) WHERE grant_id IS NOT NULL;
CREATE UNIQUE INDEX quota_of_ground ON rights.quota (ground, currency, role) WHERE grant_id IS NULL;
CREATE INDEX quota_ground ON rights.quota (ground);
COMMENT ON TABLE rights.quota IS 'Which account of the ledger holds what of a grant, or of the ground all of it came from.';

CREATE TABLE rights.lease (
    id          text        PRIMARY KEY,
    grant_id    text        NOT NULL REFERENCES rights.grant,
    currency    text        NOT NULL,
    amount      bigint      NOT NULL CHECK (amount > 0),
    taker       text        NOT NULL,
    pending     text        NOT NULL,
    debit       text        NOT NULL REFERENCES ledger.account,
    credit      text        NOT NULL REFERENCES ledger.account,
    taken_at    timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL CHECK (expires_at > taken_at),
    used        bigint      CHECK (used BETWEEN 0 AND amount),
    closed_at   timestamptz,
    CHECK ((used IS NULL) = (closed_at IS NULL))
);
CREATE INDEX lease_grant ON rights.lease (grant_id);
CREATE INDEX lease_debit ON rights.lease (debit);
CREATE INDEX lease_credit ON rights.lease (credit);
CREATE INDEX lease_open ON rights.lease (expires_at) WHERE closed_at IS NULL;
COMMENT ON TABLE rights.lease IS 'Quantities reserved for local use until an expiry by real time; the ledger is the evidence.';

CREATE TABLE rights.obligation (
    id         text        PRIMARY KEY,
    grant_id   text        NOT NULL REFERENCES rights.grant,
    kind       text        NOT NULL CHECK (kind IN ('delete', 'report', 'pay')),
    days       integer     NOT NULL CHECK (days BETWEEN 1 AND 3650),
    starts     text        NOT NULL CHECK (starts IN ('issued', 'ended')),
    issued_at  timestamptz NOT NULL,
    article    text,
    state      text        NOT NULL CHECK (state IN ('open', 'overdue', 'fulfilled', 'succeeded')),
    evidence   bytea       CHECK (length(evidence) = 32),
    version    bigint      NOT NULL,
    procedure  text        REFERENCES trust.procedure,
    CONSTRAINT obligation_shown CHECK ((state = 'fulfilled') = (evidence IS NOT NULL))
);
CREATE INDEX obligation_grant ON rights.obligation (grant_id);
CREATE INDEX obligation_procedure ON rights.obligation (procedure);
CREATE INDEX obligation_open ON rights.obligation (id) WHERE state = 'open';
COMMENT ON TABLE rights.obligation IS 'What the holder of a grant owes within so many days of its issue or its end.';
COMMENT ON COLUMN rights.obligation.procedure IS 'Its clock and its moves; a successor takes it over.';

CREATE TABLE rights.scheme (
    id           text        PRIMARY KEY,
    body         text        NOT NULL REFERENCES trust.party,
    authority    text        NOT NULL REFERENCES trust.party,
    department   text        NOT NULL REFERENCES trust.party,
    root         text        NOT NULL REFERENCES rights.grant,
    title        text        NOT NULL CHECK (title <> ''),
    mode         text        NOT NULL CHECK (mode IN ('whole', 'by_field', 'by_scenario')),
    term_months  integer     NOT NULL CHECK (term_months > 0),
    resources    text[]      NOT NULL CHECK (cardinality(resources) > 0),
    items        text        NOT NULL,
    consents     text        NOT NULL,
    digest       bytea       NOT NULL CHECK (length(digest) = 32),
    edition      integer     NOT NULL CHECK (edition > 0),
    procedure    text        NOT NULL REFERENCES trust.procedure,
    drafted_at   timestamptz NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT scheme_roles CHECK (body <> authority)
);
CREATE INDEX scheme_body ON rights.scheme (body);
CREATE INDEX scheme_authority ON rights.scheme (authority);
CREATE INDEX scheme_department ON rights.scheme (department);
CREATE INDEX scheme_root ON rights.scheme (root);
CREATE UNIQUE INDEX scheme_procedure ON rights.scheme (procedure);
COMMENT ON TABLE rights.scheme IS 'An implementation scheme of authorised operation, with its twelve items.';

CREATE TABLE rights.selection (
    id         text        PRIMARY KEY,
    scheme     text        NOT NULL REFERENCES rights.scheme,
    way        text        NOT NULL CHECK (way IN ('open_tender', 'invited_tender', 'negotiation')),
    operator   text        REFERENCES trust.party,
    procedure  text        NOT NULL REFERENCES trust.procedure,
    opened_at  timestamptz NOT NULL,
    version    bigint      NOT NULL
);
CREATE INDEX selection_scheme ON rights.selection (scheme);
CREATE INDEX selection_operator ON rights.selection (operator);
CREATE UNIQUE INDEX selection_procedure ON rights.selection (procedure);
COMMENT ON TABLE rights.selection IS 'How the operator of a scheme was chosen, and who it is.';

CREATE TABLE rights.agreement (
    id            text        PRIMARY KEY,
    scheme        text        NOT NULL REFERENCES rights.scheme,
    selection     text        NOT NULL REFERENCES rights.selection,
    body          text        NOT NULL REFERENCES trust.party,
    operator      text        NOT NULL REFERENCES trust.party,
    title         text        NOT NULL CHECK (title <> ''),
    term_months   integer     NOT NULL CHECK (term_months > 0),
    resources     text[]      NOT NULL CHECK (cardinality(resources) > 0),
    terms         text        NOT NULL,
    quotas        text        NOT NULL,
    duties        text        NOT NULL,
    items         text        NOT NULL,
    digest        bytea       NOT NULL CHECK (length(digest) = 32),
    signatures    text        NOT NULL,
    ground        text        REFERENCES rights.ground,
    grant_id      text        REFERENCES rights.grant,
    effective_at  timestamptz,
    ends_at       timestamptz,
    procedure     text        NOT NULL REFERENCES trust.procedure,
    drafted_at    timestamptz NOT NULL,
    version       bigint      NOT NULL,
    CONSTRAINT agreement_roles CHECK (body <> operator),
    CONSTRAINT agreement_effect CHECK (
        num_nonnulls(ground, grant_id, effective_at, ends_at) IN (0, 4)
    )
);
CREATE INDEX agreement_scheme ON rights.agreement (scheme);
CREATE INDEX agreement_selection ON rights.agreement (selection);
CREATE INDEX agreement_body ON rights.agreement (body);
CREATE INDEX agreement_operator ON rights.agreement (operator);
CREATE INDEX agreement_ground ON rights.agreement (ground);
CREATE UNIQUE INDEX agreement_grant ON rights.agreement (grant_id);
CREATE UNIQUE INDEX agreement_procedure ON rights.agreement (procedure);
COMMENT ON TABLE rights.agreement IS 'An agreement of authorised operation, its thirteen items, and the grant it made.';
COMMENT ON COLUMN rights.agreement.digest IS 'SHA-256 of the canonical text both parties sign.';

CREATE TABLE rights.registrar (
    id        text        PRIMARY KEY,
    party     text        NOT NULL REFERENCES trust.party,
    registry  text        NOT NULL CHECK (registry IN ('public', 'property')),
    area      text        NOT NULL CHECK (area ~ '^[0-9]{2}$'),
    number    integer     NOT NULL CHECK (number BETWEEN 0 AND 9),
    named_at  timestamptz NOT NULL,
    ended_at  timestamptz,
    version   bigint      NOT NULL
);
CREATE INDEX registrar_party ON rights.registrar (party);
CREATE UNIQUE INDEX registrar_living ON rights.registrar (party, registry) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX registrar_number ON rights.registrar (registry, area, number) WHERE ended_at IS NULL;
COMMENT ON TABLE rights.registrar IS 'Who keeps a registry, and the number its certificates carry.';

CREATE TABLE rights.registration (
    id           text        PRIMARY KEY,
    kind         text        NOT NULL CHECK (kind IN ('resource', 'product', 'property')),
    subject      text        NOT NULL CHECK (subject <> ''),
    applicant    text        NOT NULL REFERENCES trust.party,
    registrar    text        NOT NULL REFERENCES rights.registrar,
    grant_id     text        REFERENCES rights.grant,
    title        text        NOT NULL CHECK (title <> ''),
    summary      text        NOT NULL CHECK (summary <> ''),
    materials    text        NOT NULL,
    evidence     bytea       NOT NULL CHECK (length(evidence) = 32),
    procedure    text        NOT NULL REFERENCES trust.procedure,
    code         text        UNIQUE,
    coded_at     timestamptz,
    valid_until  timestamptz,
    applied_at   timestamptz NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT registration_coded CHECK (num_nonnulls(code, coded_at, valid_until) IN (0, 3))
);
CREATE INDEX registration_subject ON rights.registration (subject);
CREATE INDEX registration_applicant ON rights.registration (applicant);
CREATE INDEX registration_registrar ON rights.registration (registrar);
CREATE INDEX registration_grant ON rights.registration (grant_id);
CREATE UNIQUE INDEX registration_procedure ON rights.registration (procedure);
COMMENT ON TABLE rights.registration IS 'A public data resource, product or data property in its registry.';

CREATE TABLE rights.registration_change (
    id            text        PRIMARY KEY,
    registration  text        NOT NULL REFERENCES rights.registration,
    kind          text        NOT NULL CHECK (kind IN ('change', 'correction')),
    party         text        NOT NULL REFERENCES trust.party,
    title         text        NOT NULL CHECK (title <> ''),
    summary       text        NOT NULL CHECK (summary <> ''),
    materials     text        NOT NULL,
    evidence      bytea       NOT NULL CHECK (length(evidence) = 32),
    proof         bytea       CHECK (length(proof) = 32),
    procedure     text        NOT NULL REFERENCES trust.procedure,
    applied_at    timestamptz NOT NULL,
    made_at       timestamptz,
    version       bigint      NOT NULL
);
CREATE INDEX registration_change_registration ON rights.registration_change (registration);
CREATE INDEX registration_change_party ON rights.registration_change (party);
CREATE UNIQUE INDEX registration_change_procedure ON rights.registration_change (procedure);
COMMENT ON TABLE rights.registration_change IS 'What a change or correction of a registration would make of it.';

GRANT SELECT, INSERT ON rights.code, rights.ground, rights.grant, rights.ending, rights.quota TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON rights.tree, rights.lease, rights.obligation TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON rights.scheme, rights.selection, rights.agreement, rights.registrar,
    rights.registration, rights.registration_change TO lingqu_app;
