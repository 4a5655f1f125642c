-- SPDX-License-Identifier: Apache-2.0
-- 监管: what supervisors look things up in, their cases, reconciliations and reports.

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
