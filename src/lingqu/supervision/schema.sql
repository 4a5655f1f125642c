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
    channel   text        NOT NULL,
    code      text        NOT NULL,
    article   text,
    rules     text        NOT NULL,
    count     bigint      NOT NULL CHECK (count > 0),
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

GRANT SELECT, INSERT ON supervision.mention, supervision.refusal TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON supervision.case TO lingqu_app;
