-- SPDX-License-Identifier: Apache-2.0
-- Supervision and the exchange with other installations.

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


CREATE VIEW gate.pub_call AS
    SELECT batch, position, call, grant_id, product, holder, account, purpose, at, subjects, hits, misses,
           outcome, refusal, article, units
    FROM gate.call;
COMMENT ON VIEW gate.pub_call IS 'Metered calls, answered and refused, for packages above.';
GRANT SELECT ON gate.pub_call TO lingqu_app;

CREATE VIEW market.pub_contract AS
    SELECT id, listing, product, registration, seller, buyer, venue, grant_id, state, finalized_at, ended_at
    FROM market.contract;
COMMENT ON VIEW market.pub_contract IS 'Contracts, for packages above.';

CREATE VIEW market.pub_charge_batch AS
    SELECT id, metered, contract, day, calls, counted, units, amount, posted, transfer, charged_at
    FROM market.charge_batch;
COMMENT ON VIEW market.pub_charge_batch IS 'What metering batches were charged, for packages above.';

CREATE VIEW market.pub_late_payment AS SELECT id, contract, day, amount FROM market.late_payment;
COMMENT ON VIEW market.pub_late_payment IS 'What was short and was posted later, for packages above.';

GRANT SELECT ON market.pub_contract, market.pub_charge_batch, market.pub_late_payment TO lingqu_app;

CREATE VIEW market.pub_payout AS
    SELECT p.batch, p.contract, s.venue, s.day, p.share, p.party, p.amount, p.transfer
    FROM market.payout p JOIN market.settlement s ON s.id = p.batch;
COMMENT ON VIEW market.pub_payout IS 'Who received which part of what contracts earned, for packages above.';

CREATE VIEW market.pub_listing AS
    SELECT id, venue, seller, product, form, state, listed_at, ended_at FROM market.listing;
COMMENT ON VIEW market.pub_listing IS 'Products at venues, for packages above.';

CREATE VIEW market.pub_payable AS
    SELECT id, venue, treasury, day, amount, due_on, owed_at, closed_at FROM market.payable;
COMMENT ON VIEW market.pub_payable IS 'What is owed to treasuries, for packages above.';

GRANT SELECT ON market.pub_payout, market.pub_listing, market.pub_payable TO lingqu_app;

CREATE VIEW trust.pub_row AS SELECT table_name, key, version, fact FROM trust.row_version;
COMMENT ON VIEW trust.pub_row IS 'Which fact names which version of which row, for packages above.';
GRANT SELECT ON trust.pub_row TO lingqu_app;

CREATE VIEW gate.pub_product AS SELECT id, grant_id, owner, form, title FROM gate.product;
COMMENT ON VIEW gate.pub_product IS 'Products, for packages above.';
GRANT SELECT ON gate.pub_product TO lingqu_app;

CREATE VIEW ledger.pub_posting AS
    SELECT id, debit, credit, amount, kind, reference, day, at FROM ledger.transfer
    WHERE verdict = 'accepted' AND phase IN ('posted', 'post');
COMMENT ON VIEW ledger.pub_posting IS 'What moved between accounts, for packages above.';
GRANT SELECT ON ledger.pub_posting TO lingqu_app;

CREATE SCHEMA supervision;
GRANT USAGE ON SCHEMA supervision TO lingqu_app;

CREATE TABLE supervision.mention (
    subject  text        NOT NULL,
    fact     text        NOT NULL,
    kind     text        NOT NULL,
    at       timestamptz NOT NULL,
    PRIMARY KEY (subject, fact)
);
COMMENT ON TABLE supervision.mention IS 'Which facts speak of which thing, out of the log; made again from it at any time.';

CREATE TABLE supervision.refusal (
    fact      text        NOT NULL REFERENCES trust.fact,
    position  integer     NOT NULL CHECK (position >= 0),
    at        timestamptz NOT NULL,
    account   text        NOT NULL,
    party     text,
    act       text        NOT NULL,
    subject   text,
    grant_id  text,
    channel   text        NOT NULL,
    code      text        NOT NULL,
    article   text,
    rules     text        NOT NULL,
    PRIMARY KEY (fact, position)
);
CREATE INDEX refusal_party ON supervision.refusal (party, fact, position);
CREATE INDEX refusal_code ON supervision.refusal (code, fact, position);
CREATE INDEX refusal_at ON supervision.refusal (at);
COMMENT ON TABLE supervision.refusal IS 'Every refused attempt of somebody known, out of the log: who, what, and by which code and article.';

CREATE TABLE supervision.case (
    id         text        PRIMARY KEY,
    kind       text        NOT NULL CHECK (kind IN ('reconciliation', 'refused_attempts', 'report', 'inspection')),
    subject    text        NOT NULL CHECK (subject <> ''),
    summary    text        NOT NULL CHECK (summary <> ''),
    evidence   text,
    opened_by  text        NOT NULL,
    opened_at  timestamptz NOT NULL,
    hold       text        REFERENCES trust.hold,
    outcome    text,
    closed_at  timestamptz,
    version    bigint      NOT NULL,
    CONSTRAINT case_outcome CHECK ((outcome IS NULL) = (closed_at IS NULL))
);
CREATE INDEX case_subject ON supervision.case (subject);
CREATE INDEX case_hold ON supervision.case (hold);
CREATE INDEX case_open ON supervision.case (id) WHERE closed_at IS NULL;
COMMENT ON TABLE supervision.case IS 'Something a supervisor looks into: about what, on which evidence, what was held, how it ended.';

CREATE TABLE supervision.flow (
    batch     text        PRIMARY KEY,
    fact      text        NOT NULL REFERENCES trust.fact,
    at        timestamptz NOT NULL,
    grant_id  text        NOT NULL,
    product   text        NOT NULL,
    holder    text        NOT NULL,
    contract  text,
    answered  bigint      NOT NULL CHECK (answered >= 0),
    units     bigint      NOT NULL CHECK (units >= 0),
    yes       bigint      NOT NULL,
    no        bigint      NOT NULL,
    once      bigint      NOT NULL,
    unknown   bigint      NOT NULL,
    refused   bigint      NOT NULL CHECK (refused >= 0)
);
CREATE UNIQUE INDEX flow_fact ON supervision.flow (fact);
CREATE INDEX flow_contract ON supervision.flow (contract, fact);
CREATE INDEX flow_product ON supervision.flow (product, fact);
CREATE INDEX flow_holder ON supervision.flow (holder, fact);
CREATE INDEX flow_at ON supervision.flow (at);
COMMENT ON TABLE supervision.flow IS 'Every metered batch of uses, out of the log, with the contract it was made under.';

CREATE TABLE supervision.reconciliation (
    id           text        PRIMARY KEY,
    contract     text        NOT NULL REFERENCES market.contract,
    begins       date        NOT NULL,
    ends         date        NOT NULL,
    batches      bigint      NOT NULL CHECK (batches >= 0),
    calls        bigint      NOT NULL CHECK (calls >= 0),
    metered      bigint      NOT NULL,
    billed       bigint      NOT NULL,
    posted       bigint      NOT NULL,
    short        bigint      NOT NULL,
    differences  text        NOT NULL,
    found        bigint      NOT NULL CHECK (found >= 0),
    case_id      text        REFERENCES supervision.case,
    made_at      timestamptz NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT reconciliation_period CHECK (begins < ends)
);
CREATE INDEX reconciliation_contract ON supervision.reconciliation (contract, id);
CREATE INDEX reconciliation_case ON supervision.reconciliation (case_id);
COMMENT ON TABLE supervision.reconciliation IS 'Meter, bill and ledger of one contract and period compared with each other, in fen, and each difference found.';

CREATE TABLE supervision.report (
    id         text        PRIMARY KEY,
    month      date        NOT NULL CHECK (extract(day FROM month) = 1),
    ends       date        NOT NULL CHECK (ends > month),
    issuer     text        NOT NULL REFERENCES trust.party,
    figures    text        NOT NULL,
    digest     text        NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    due_on     date,
    rule       text,
    made_at    timestamptz NOT NULL,
    version    bigint      NOT NULL
);
CREATE INDEX report_month ON supervision.report (month, id);
CREATE INDEX report_issuer ON supervision.report (issuer);
COMMENT ON TABLE supervision.report IS 'Monthly reports: the figures as they were computed, each with where it comes from.';

GRANT SELECT, INSERT ON supervision.mention, supervision.refusal, supervision.flow, supervision.reconciliation, supervision.report
    TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON supervision.case TO lingqu_app;


CREATE SCHEMA interop;
GRANT USAGE ON SCHEMA interop TO lingqu_app;

CREATE TABLE interop.peer (
    id             text        PRIMARY KEY,
    origin         text        NOT NULL CHECK (origin <> ''),
    name           text        NOT NULL CHECK (name <> ''),
    verifier_key   text        NOT NULL,
    party          text        NOT NULL REFERENCES trust.party,
    url            text        CHECK (url ~ '^https?://'),
    handler        text        REFERENCES trust.party,
    registered_at  timestamptz NOT NULL,
    ended_at       timestamptz,
    version        bigint      NOT NULL
);
CREATE UNIQUE INDEX peer_living ON interop.peer (origin) WHERE ended_at IS NULL;
CREATE INDEX peer_party ON interop.peer (party);
CREATE INDEX peer_handler ON interop.peer (handler);
COMMENT ON TABLE interop.peer IS 'Another installation, known by its origin and key.';
COMMENT ON COLUMN interop.peer.handler IS 'Who examines here what it hands in; NULL: it may hand in nothing.';

CREATE TABLE interop.offer (
    id             text        PRIMARY KEY,
    peer           text        NOT NULL REFERENCES interop.peer,
    party          text        NOT NULL REFERENCES trust.party,
    registration   text        NOT NULL CHECK (registration <> ''),
    content        text        NOT NULL,
    prepared_at    timestamptz NOT NULL,
    digest         text        CHECK (digest ~ '^[0-9a-f]{64}$'),
    reference      text,
    delivered_at   timestamptz,
    state          text        CHECK (state IN ('submitted', 'published', 'certifying', 'listed', 'refused', 'withdrawn', 'delisted')),
    step           integer     NOT NULL,
    reason         text,
    reconciled_at  timestamptz,
    closed_at      timestamptz,
    version        bigint      NOT NULL,
    CONSTRAINT offer_delivered CHECK ((digest IS NULL) = (delivered_at IS NULL) AND (digest IS NULL) = (state IS NULL))
);
CREATE INDEX offer_peer ON interop.offer (peer);
CREATE INDEX offer_party ON interop.offer (party);
COMMENT ON TABLE interop.offer IS 'A listing for a venue elsewhere, and what that venue said of it last.';

CREATE TABLE interop.received_listing (
    id           text        PRIMARY KEY,
    peer         text        NOT NULL REFERENCES interop.peer,
    offer        text        NOT NULL,
    owner        text        NOT NULL REFERENCES trust.party,
    handler      text        NOT NULL REFERENCES trust.party,
    title        text        NOT NULL CHECK (title <> ''),
    document     text        NOT NULL,
    digest       text        NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    procedure    text        NOT NULL,
    received_at  timestamptz NOT NULL,
    version      bigint      NOT NULL,
    CONSTRAINT received_once UNIQUE (peer, offer)
);
CREATE INDEX received_listing_owner ON interop.received_listing (owner);
CREATE INDEX received_listing_handler ON interop.received_listing (handler);
CREATE INDEX received_listing_offer ON interop.received_listing (offer);
COMMENT ON TABLE interop.received_listing IS 'A signed listing that another installation handed in, as it came.';

GRANT SELECT, INSERT, UPDATE ON interop.peer, interop.offer TO lingqu_app;
GRANT SELECT, INSERT ON interop.received_listing TO lingqu_app;
