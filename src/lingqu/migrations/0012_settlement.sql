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

GRANT SELECT, INSERT, UPDATE ON market.tally TO lingqu_app;
GRANT SELECT, INSERT ON market.charge_batch, market.charge, market.late_payment TO lingqu_app;
