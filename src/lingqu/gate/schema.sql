-- SPDX-License-Identifier: Apache-2.0
-- 应用: products and their snapshots, and what was asked, answered and refused.

CREATE SCHEMA gate;
GRANT USAGE ON SCHEMA gate TO lingqu_app;

CREATE TABLE gate.product (
    id            text        PRIMARY KEY,
    grant_id      text        NOT NULL REFERENCES rights.grant,
    owner         text        NOT NULL REFERENCES trust.party,
    form          text        NOT NULL CHECK (form IN ('verification', 'count', 'open_file', 'query')),
    title         text        NOT NULL CHECK (title <> ''),
    summary       text        NOT NULL CHECK (summary <> ''),
    territory     text        NOT NULL,
    currency      text        NOT NULL,
    level         int         NOT NULL CHECK (level BETWEEN 1 AND 5),
    policy        text        NOT NULL,
    edition       int         NOT NULL CHECK (edition > 0),
    snapshot      text,
    defined_at    timestamptz NOT NULL,
    withdrawn_at  timestamptz,
    version       bigint      NOT NULL
);
CREATE INDEX product_grant ON gate.product (grant_id);
CREATE INDEX product_owner ON gate.product (owner);
COMMENT ON TABLE gate.product IS 'What is offered from granted columns, under a declared policy.';
COMMENT ON COLUMN gate.product.policy IS 'Canonical JSON of the policy of this edition.';
COMMENT ON COLUMN gate.product.snapshot IS 'What answers calls now; NULL before the first was published.';

CREATE TABLE gate.product_key (
    product  text    PRIMARY KEY REFERENCES gate.product,
    sealed   text    NOT NULL,
    version  bigint  NOT NULL
);
COMMENT ON TABLE gate.product_key IS 'The key subjects of a product are hashed by, sealed by the keyring.';

CREATE TABLE gate.snapshot (
    id            text        PRIMARY KEY,
    product       text        NOT NULL REFERENCES gate.product,
    edition       int         NOT NULL,
    policy        text        NOT NULL,
    digest        text        NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    bytes         bigint      NOT NULL,
    records       bigint      NOT NULL,
    skipped       bigint      NOT NULL,
    sources       text        NOT NULL,
    as_of         timestamptz NOT NULL,
    published_at  timestamptz NOT NULL,
    version       bigint      NOT NULL
);
CREATE INDEX snapshot_product ON gate.snapshot (product);
COMMENT ON TABLE gate.snapshot IS 'A packed file of keyed hashes that answered or answers for a product.';

CREATE TABLE gate.call (
    batch     text        NOT NULL,
    position  int         NOT NULL,
    call      text        NOT NULL,
    grant_id  text        NOT NULL,
    product   text        NOT NULL,
    holder    text        NOT NULL,
    account   text        NOT NULL,
    purpose   text        NOT NULL,
    at        timestamptz NOT NULL,
    subjects  int         NOT NULL,
    hits      int         NOT NULL,
    misses    int         NOT NULL,
    unknowns  int         NOT NULL,
    outcome   text        NOT NULL CHECK (outcome IN (
        'yes', 'no', 'once', 'unknown', 'band', 'several', 'mixed', 'counted', 'refused')),
    refusal   text,
    article   text,
    lease     text,
    units     int         NOT NULL CHECK (units >= 0),
    snapshot  text,
    digest    text        NOT NULL,
    PRIMARY KEY (batch, position),
    CONSTRAINT call_refused CHECK ((outcome = 'refused') = (refusal IS NOT NULL)),
    CONSTRAINT call_paid CHECK ((refusal IS NULL) = (units > 0) AND (units > 0) = (lease IS NOT NULL))
);
CREATE UNIQUE INDEX call_answered_once ON gate.call (grant_id, call) WHERE refusal IS NULL;
COMMENT ON TABLE gate.call IS 'Every call, answered or refused, durable before its answer left. Append-only, batch-audited.';
COMMENT ON COLUMN gate.call.unknowns IS 'How many of the misses were told as unknown, apart from no.';
COMMENT ON COLUMN gate.call.digest IS 'A digest of the call and its answers under the key of the product: the receipt.';

CREATE TABLE gate.batch (
    id        text  PRIMARY KEY,
    grant_id  text  NOT NULL REFERENCES rights.grant,
    product   text  NOT NULL REFERENCES gate.product,
    lease     text  REFERENCES rights.lease,
    snapshot  text  REFERENCES gate.snapshot
);
CREATE INDEX batch_grant ON gate.batch (grant_id, id);
CREATE INDEX batch_product ON gate.batch (product, id);
CREATE INDEX batch_lease ON gate.batch (lease) WHERE lease IS NOT NULL;
CREATE INDEX batch_snapshot ON gate.batch (snapshot) WHERE snapshot IS NOT NULL;
COMMENT ON TABLE gate.batch IS 'What the calls of a batch share, once, to find them by; computed again from gate.call by every audit.';

CREATE TABLE gate.reply (
    grant_id    text        NOT NULL,
    call        text        NOT NULL,
    request     text        NOT NULL,
    answer      text        NOT NULL,
    kept_until  timestamptz NOT NULL,
    PRIMARY KEY (grant_id, call)
);
CREATE INDEX reply_kept ON gate.reply (kept_until);
COMMENT ON TABLE gate.reply IS 'Answers kept for a day, so that a repeated call gets the same one uncharged.';

CREATE TABLE gate.asked (
    product  text        NOT NULL,
    holder   text        NOT NULL,
    subject  bytea       NOT NULL,
    place    int         NOT NULL,
    value    bytea       NOT NULL,
    until    timestamptz NOT NULL,
    PRIMARY KEY (product, holder, subject, place)
);
CREATE INDEX asked_until ON gate.asked (until);
COMMENT ON TABLE gate.asked IS 'Which values a party asked about a subject, as keyed hashes: the limit against enumeration.';

CREATE TABLE gate.asker (
    product   text    NOT NULL,
    holder    text    NOT NULL,
    day       date    NOT NULL,
    subjects  bigint  NOT NULL CHECK (subjects > 0),
    PRIMARY KEY (product, holder, day)
);
COMMENT ON TABLE gate.asker IS 'How many new subjects a party asked about on a day: the limit of what one caller learns.';

CREATE TABLE gate.consent (
    id            text         PRIMARY KEY,
    product       text         NOT NULL REFERENCES gate.product,
    holder        text         NOT NULL REFERENCES trust.party,
    subject       text         NOT NULL CHECK (subject ~ '^[0-9a-f]{32}$'),
    purpose       text         NOT NULL,
    from_at       timestamptz  NOT NULL,
    until_at      timestamptz  NOT NULL CHECK (until_at > from_at),
    evidence      text         NOT NULL CHECK (evidence ~ '^[0-9a-f]{64}$'),
    given_at      timestamptz  NOT NULL,
    withdrawn_at  timestamptz,
    version       bigint       NOT NULL
);
CREATE INDEX consent_subject ON gate.consent (product, holder, subject);
CREATE INDEX consent_holder ON gate.consent (holder, id);
COMMENT ON TABLE gate.consent IS '同意: that a person, named by keyed hash, lets a party ask a product about them for a purpose.';
COMMENT ON COLUMN gate.consent.evidence IS 'SHA-256 of the document the consent was given by.';

CREATE TABLE gate.sample (
    id        text        PRIMARY KEY,
    product   text        NOT NULL REFERENCES gate.product,
    party     text        NOT NULL REFERENCES trust.party,
    account   text        NOT NULL,
    snapshot  text        NOT NULL REFERENCES gate.snapshot,
    rows      int         NOT NULL CHECK (rows > 0),
    hit_rate  int         NOT NULL CHECK (hit_rate BETWEEN 0 AND 100),
    accuracy  int         CHECK (accuracy BETWEEN 0 AND 100),
    as_of     timestamptz NOT NULL,
    tried_at  timestamptz NOT NULL,
    version   bigint      NOT NULL
);
CREATE INDEX sample_product ON gate.sample (product, party);
CREATE INDEX sample_party ON gate.sample (party);
CREATE INDEX sample_snapshot ON gate.sample (snapshot);
COMMENT ON TABLE gate.sample IS 'Free samples that were tried: percents over rows of a party''s own, no single answer.';

CREATE TABLE gate.file_job (
    id            text        PRIMARY KEY,
    grant_id      text        NOT NULL REFERENCES rights.grant,
    product       text        NOT NULL REFERENCES gate.product,
    holder        text        NOT NULL REFERENCES trust.party,
    account       text        NOT NULL,
    purpose       text        NOT NULL,
    predicate     text        NOT NULL,
    format        text        NOT NULL CHECK (format IN ('csv', 'xlsx')),
    key_column    text        NOT NULL,
    value_column  text        NOT NULL,
    digest        text        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('waiting', 'done', 'refused', 'cancelled')),
    rows          int         NOT NULL,
    refusal       text,
    submitted_at  timestamptz NOT NULL,
    ended_at      timestamptz,
    version       bigint      NOT NULL,
    CONSTRAINT file_refused CHECK ((state = 'refused') = (refusal IS NOT NULL))
);
CREATE INDEX file_job_grant ON gate.file_job (grant_id, id);
CREATE INDEX file_job_product ON gate.file_job (product);
CREATE INDEX file_job_holder ON gate.file_job (holder);
COMMENT ON TABLE gate.file_job IS 'Tables of subjects handed in to be answered later; the tables themselves are files.';

CREATE TABLE gate.file_progress (
    job       text         PRIMARY KEY REFERENCES gate.file_job,
    rows      int          NOT NULL,
    answered  int          NOT NULL CHECK (answered BETWEEN 0 AND rows),
    at        timestamptz  NOT NULL
);
COMMENT ON TABLE gate.file_progress IS 'How many rows of a waiting file were answered.';

CREATE TABLE gate.dataset (
    resource       text    PRIMARY KEY REFERENCES supply.resource,
    grid           text    NOT NULL,
    cube           text    NOT NULL CHECK (cube ~ '^[0-9a-f]{64}$'),
    table_version  bigint  NOT NULL,
    sealed         text    NOT NULL,
    version        bigint  NOT NULL
);
COMMENT ON TABLE gate.dataset IS 'What is published of a resource, once for all products: one grid, one chain of cubes, one sealed key.';

CREATE TABLE gate.told_set (
    position  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource  text        NOT NULL REFERENCES gate.dataset,
    holder    text        NOT NULL,
    question  text        NOT NULL,
    whole     bigint      NOT NULL,
    sets      text        NOT NULL,
    told_at   timestamptz NOT NULL
);
CREATE UNIQUE INDEX told_set_once ON gate.told_set (resource, holder, whole, question);
COMMENT ON TABLE gate.told_set IS 'Which sets of cells an organisation may have been answered about ad hoc: what overlap control is decided on. Append-only.';

CREATE TABLE gate.noise_spent (
    resource     text        NOT NULL REFERENCES gate.dataset,
    holder       text        NOT NULL,
    question     text        NOT NULL,
    rho          bigint      NOT NULL CHECK (rho > 0),
    reserved_at  timestamptz NOT NULL,
    PRIMARY KEY (resource, holder, question)
);
COMMENT ON TABLE gate.noise_spent IS 'Which questions under noise an organisation spent budget on, before they were computed. Append-only.';

CREATE TABLE gate.noisy_answer (
    resource  text        NOT NULL,
    holder    text        NOT NULL,
    question  text        NOT NULL,
    answer    text        NOT NULL,
    told_at   timestamptz NOT NULL,
    PRIMARY KEY (resource, holder, question),
    FOREIGN KEY (resource, holder, question) REFERENCES gate.noise_spent
);
COMMENT ON TABLE gate.noisy_answer IS 'Answers under noise, so that a repeat gets the same one and costs nothing. Append-only.';

GRANT SELECT, INSERT, UPDATE ON gate.product, gate.file_job, gate.consent, gate.dataset TO lingqu_app;
GRANT SELECT, INSERT ON gate.product_key, gate.snapshot, gate.call, gate.batch, gate.sample, gate.told_set, gate.noise_spent, gate.noisy_answer TO lingqu_app;
GRANT SELECT, INSERT, DELETE ON gate.reply TO lingqu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON gate.asked, gate.asker, gate.file_progress TO lingqu_app;

-- Seen from above ---------------------------------------------------------------------------------

CREATE VIEW gate.pub_call AS
    SELECT batch, position, call, grant_id, product, holder, account, purpose, at, subjects, hits, misses,
           outcome, refusal, article, units
    FROM gate.call;
COMMENT ON VIEW gate.pub_call IS 'Metered calls, answered and refused, for packages above.';
GRANT SELECT ON gate.pub_call TO lingqu_app;

CREATE VIEW gate.pub_product AS SELECT id, grant_id, owner, form, title FROM gate.product;
COMMENT ON VIEW gate.pub_product IS 'Products, for packages above.';
GRANT SELECT ON gate.pub_product TO lingqu_app;
