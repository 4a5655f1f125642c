-- SPDX-License-Identifier: Apache-2.0
-- 结算: what was charged, corrected, shared out and owed to the treasury.

CREATE TABLE market.tally (
    contract     text    PRIMARY KEY REFERENCES market.contract,
    units        bigint  NOT NULL CHECK (units >= 0),
    charged      bigint  NOT NULL CHECK (charged >= 0),
    posted       bigint  NOT NULL CHECK (posted >= 0),
    short        bigint  NOT NULL CHECK (short >= 0),
    waived       bigint  NOT NULL CHECK (waived >= 0),
    refunded     bigint  NOT NULL CHECK (refunded >= 0),
    made_up      bigint  NOT NULL CHECK (made_up >= 0),
    distributed  bigint  NOT NULL CHECK (distributed >= 0),
    refunds      text    REFERENCES ledger.account,
    hold         text    REFERENCES trust.hold,
    version      bigint  NOT NULL,
    CONSTRAINT tally_adds_up CHECK (charged = posted + short + waived),
    CONSTRAINT tally_refunds CHECK (made_up <= refunded),
    CONSTRAINT tally_shared CHECK (made_up + distributed <= posted)
);
CREATE INDEX tally_refunds ON market.tally (refunds);
CREATE INDEX tally_hold ON market.tally (hold);
COMMENT ON TABLE market.tally IS 'What one contract was charged to date, what of it was posted, short, given back and shared out, in fen.';

CREATE TABLE market.charge_batch (
    id          text        PRIMARY KEY,
    metered     text        NOT NULL UNIQUE CHECK (metered <> ''),
    contract    text        NOT NULL REFERENCES market.contract,
    day         date        NOT NULL,
    calls       bigint      NOT NULL CHECK (calls >= 0),
    answered    bigint      NOT NULL CHECK (answered >= 0),
    counted     bigint      NOT NULL CHECK (counted >= 0),
    units       bigint      NOT NULL CHECK (units >= 0),
    amount      bigint      NOT NULL CHECK (amount >= 0),
    posted      bigint      NOT NULL CHECK (posted BETWEEN 0 AND amount),
    transfer    text,
    charged_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    CONSTRAINT charge_batch_transfer CHECK ((transfer IS NOT NULL) = (posted > 0))
);
CREATE INDEX charge_batch_contract ON market.charge_batch (contract, day);
COMMENT ON TABLE market.charge_batch IS 'What each metering batch was charged, once, and the ledger transfer that posted it.';

CREATE TABLE market.charge (
    batch     text        NOT NULL,
    position  int         NOT NULL,
    call      text        NOT NULL,
    metered   text        NOT NULL,
    contract  text        NOT NULL,
    at        timestamptz NOT NULL,
    day       date        NOT NULL,
    units     bigint      NOT NULL CHECK (units >= 0),
    free      bigint      NOT NULL CHECK (free BETWEEN 0 AND units),
    rule      text        NOT NULL CHECK (rule IN ('free', 'miss', 'price', 'tiers')),
    amount    bigint      NOT NULL CHECK (amount >= 0),
    PRIMARY KEY (batch, position)
);
CREATE UNIQUE INDEX charge_call ON market.charge (contract, call);
CREATE INDEX charge_day ON market.charge (contract, day);
COMMENT ON TABLE market.charge IS 'One line for each charged or free call. Append-only, batch-audited.';

CREATE TABLE market.late_payment (
    id        text    PRIMARY KEY,
    contract  text    NOT NULL REFERENCES market.contract,
    day       date    NOT NULL,
    amount    bigint  NOT NULL CHECK (amount > 0),
    version   bigint  NOT NULL
);
CREATE INDEX late_payment_contract ON market.late_payment (contract, day);
COMMENT ON TABLE market.late_payment IS 'What was short when it was charged and was posted out of funds frozen later; the id is the transfer''s.';

CREATE TABLE market.correction (
    id            text        PRIMARY KEY,
    contract      text        NOT NULL REFERENCES market.contract,
    call          text        NOT NULL,
    amount        bigint      NOT NULL CHECK (amount > 0),
    waived        bigint      NOT NULL CHECK (waived BETWEEN 0 AND amount),
    transfer      text,
    reason        text        NOT NULL CHECK (reason <> ''),
    reference     text        NOT NULL CHECK (reference <> ''),
    day           date        NOT NULL,
    corrected_by  text        NOT NULL,
    corrected_at  timestamptz NOT NULL,
    version       bigint      NOT NULL,
    CONSTRAINT correction_transfer CHECK ((transfer IS NOT NULL) = (amount > waived))
);
CREATE INDEX correction_call ON market.correction (contract, call);
CREATE INDEX correction_day ON market.correction (contract, day);
COMMENT ON TABLE market.correction IS 'What was taken back of a charge, with its reason and what it refers to; what was paid came back by the transfer.';

CREATE TABLE market.plan (
    id             text        PRIMARY KEY,
    listing        text        NOT NULL REFERENCES market.listing,
    venue          text        NOT NULL REFERENCES market.venue,
    steps          text        NOT NULL,
    remittance     text,
    source         text        NOT NULL CHECK (source <> ''),
    registered_at  timestamptz NOT NULL,
    ended_at       timestamptz,
    version        bigint      NOT NULL
);
CREATE UNIQUE INDEX plan_in_force ON market.plan (listing) WHERE ended_at IS NULL;
CREATE INDEX plan_listing ON market.plan (listing);
CREATE INDEX plan_venue ON market.plan (venue);
COMMENT ON TABLE market.plan IS 'How the earnings of a listing are shared, and where that is agreed; configuration of the venue and the agreement.';
COMMENT ON COLUMN market.plan.steps IS 'Canonical JSON of the payees in their order: for what, who, and which basis points of what reaches the step.';

CREATE TABLE market.settlement (
    id          text        PRIMARY KEY,
    venue       text        NOT NULL REFERENCES market.venue,
    day         date        NOT NULL,
    contracts   bigint      NOT NULL CHECK (contracts >= 0),
    made_up     bigint      NOT NULL CHECK (made_up >= 0),
    shared      bigint      NOT NULL CHECK (shared >= 0),
    settled_at  timestamptz NOT NULL,
    version     bigint      NOT NULL,
    UNIQUE (venue, day)
);
COMMENT ON TABLE market.settlement IS 'Settled days of a venue: what was made up for refunds, and what was shared out.';

CREATE TABLE market.payout (
    batch     text    NOT NULL REFERENCES market.settlement,
    position  int     NOT NULL,
    contract  text    NOT NULL,
    plan      text    NOT NULL,
    share     text    NOT NULL CHECK (share IN ('venue_fee', 'service_fee', 'government', 'partner')),
    party     text    NOT NULL,
    account   text    NOT NULL,
    rate      int     NOT NULL CHECK (rate BETWEEN 0 AND 10000),
    before    bigint  NOT NULL CHECK (before >= 0),
    amount    bigint  NOT NULL CHECK (amount >= 0),
    transfer  text,
    PRIMARY KEY (batch, position)
);
CREATE INDEX payout_contract ON market.payout (contract, plan);
COMMENT ON TABLE market.payout IS 'Every part of what a contract earned, and the ledger transfer that paid it. Append-only, batch-audited.';
COMMENT ON COLUMN market.payout.before IS 'What the same plan had shared for the contract before this settlement.';

CREATE TABLE market.payable (
    id          text        PRIMARY KEY,
    number      text        NOT NULL CHECK (number <> ''),
    venue       text        NOT NULL REFERENCES market.venue,
    treasury    text        NOT NULL REFERENCES trust.party,
    plan        text        NOT NULL REFERENCES market.plan,
    settlement  text        NOT NULL REFERENCES market.settlement,
    day         date        NOT NULL,
    amount      bigint      NOT NULL CHECK (amount > 0),
    account     text        NOT NULL REFERENCES ledger.account,
    due_on      date        NOT NULL,
    owed_at     timestamptz NOT NULL,
    receipt     text,
    paid_on     date,
    transfer    text,
    closed_at   timestamptz,
    version     bigint      NOT NULL,
    UNIQUE (venue, number),
    UNIQUE (treasury, receipt),
    CONSTRAINT payable_closed CHECK ((closed_at IS NULL) = (receipt IS NULL)
        AND (closed_at IS NULL) = (paid_on IS NULL) AND (closed_at IS NULL) = (transfer IS NULL))
);
CREATE INDEX payable_plan ON market.payable (plan);
CREATE INDEX payable_settlement ON market.payable (settlement);
CREATE INDEX payable_account ON market.payable (account);
COMMENT ON TABLE market.payable IS 'What a venue owes a treasury for a settled day, and the receipt it was closed on.';

GRANT SELECT, INSERT, UPDATE ON market.tally, market.plan, market.payable TO lingqu_app;
GRANT SELECT, INSERT ON
    market.charge_batch, market.charge, market.late_payment, market.correction, market.settlement, market.payout
    TO lingqu_app;
