-- SPDX-License-Identifier: Apache-2.0
-- 授权运营 and 登记: schemes, selections and agreements; registrars and registrations; what a grant
-- rests on beside the ground of its tree.

ALTER TABLE rights.grant ADD COLUMN basis text REFERENCES rights.ground;
CREATE INDEX grant_basis ON rights.grant (basis) WHERE basis IS NOT NULL;
COMMENT ON COLUMN rights.grant.basis IS 'What this step down rests on: the agreement or contract, beside the ground of the tree.';

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

GRANT SELECT, INSERT, UPDATE ON rights.scheme, rights.selection, rights.agreement, rights.registrar,
    rights.registration, rights.registration_change TO lingqu_app;
