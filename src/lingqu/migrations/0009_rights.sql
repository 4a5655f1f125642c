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
COMMENT ON TABLE rights.grant IS 'One right given to one holder; a row never changes.';
COMMENT ON COLUMN rights.grant.ancestors IS 'From the root down to the parent, fixed when the grant was issued.';
COMMENT ON COLUMN rights.grant.watched IS 'Whatever a hold on suspends the grant: its chain, and what those grants succeeded.';
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
    CONSTRAINT obligation_shown CHECK ((state = 'fulfilled') = (evidence IS NOT NULL))
);
CREATE INDEX obligation_grant ON rights.obligation (grant_id);
CREATE INDEX obligation_open ON rights.obligation (id) WHERE state = 'open';
COMMENT ON TABLE rights.obligation IS 'What the holder of a grant owes within so many days of its issue or its end.';

GRANT SELECT, INSERT ON rights.code, rights.ground, rights.grant, rights.ending, rights.quota TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON rights.tree, rights.lease, rights.obligation TO lingqu_app;
