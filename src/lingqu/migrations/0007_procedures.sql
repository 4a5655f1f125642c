-- SPDX-License-Identifier: Apache-2.0
-- Procedures: charts as data, what stands where, who takes part, each step and each clock.

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
