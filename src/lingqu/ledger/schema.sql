-- SPDX-License-Identifier: Apache-2.0
-- ledger: the tables of schema ledger as they are now; the migrations are how one gets here.

CREATE SCHEMA ledger;
GRANT USAGE ON SCHEMA ledger TO lingqu_app;

CREATE TABLE ledger.currency (
    id            text        PRIMARY KEY CHECK (id ~ '^[A-Za-z][A-Za-z0-9_-]{0,30}$' AND id <> 'CNY'),
    scale         int         NOT NULL CHECK (scale BETWEEN 0 AND 12),
    name_zh       text        NOT NULL CHECK (name_zh <> ''),
    name_en       text        NOT NULL CHECK (name_en <> ''),
    registered_at timestamptz NOT NULL,
    version       bigint      NOT NULL
);
COMMENT ON TABLE ledger.currency IS 'Units that are conserved, beside CNY, which is built in.';

CREATE TABLE ledger.account (
    id         text        PRIMARY KEY,
    owner      text        NOT NULL,
    currency   text        NOT NULL,
    kind       text        NOT NULL,
    hot        boolean     NOT NULL,
    floor      bigint,
    ceiling    bigint,
    opened_at  timestamptz NOT NULL,
    closed_at  timestamptz,
    version    bigint      NOT NULL
);
CREATE INDEX account_owner ON ledger.account (owner, id);
COMMENT ON TABLE ledger.account IS 'What an owner (a party, a grant, ...) may hold of one currency, and within which limits; null is no limit.';

CREATE TABLE ledger.balance (
    account     text    PRIMARY KEY REFERENCES ledger.account,
    currency    text    NOT NULL,
    floor       bigint  NOT NULL CHECK (floor >= -9007199254740991),
    ceiling     bigint  NOT NULL CHECK (ceiling <= 9007199254740991),
    hot         boolean NOT NULL,
    open        boolean NOT NULL DEFAULT true,
    posted      bigint  NOT NULL DEFAULT 0,
    pending_out bigint  NOT NULL DEFAULT 0 CHECK (pending_out >= 0),
    pending_in  bigint  NOT NULL DEFAULT 0 CHECK (pending_in >= 0),
    CONSTRAINT balance_floor CHECK (posted - pending_out >= floor),
    CONSTRAINT balance_ceiling CHECK (posted + pending_in <= ceiling)
) WITH (fillfactor = 50);
COMMENT ON TABLE ledger.balance IS 'What each account holds now: a cache of its transfers, recomputed by the audit; no limit is +-(2^53 - 1).';

CREATE FUNCTION ledger.check_zero_sum() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM (
            SELECT currency, posted, pending_in - pending_out AS reserved FROM moved_to
            UNION ALL
            SELECT currency, -posted, pending_out - pending_in FROM moved_from
        ) AS moved
        GROUP BY currency HAVING sum(posted) <> 0 OR sum(reserved) <> 0
    ) THEN
        RAISE EXCEPTION 'the balances of a currency would not add up to zero'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'balance_zero_sum';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER zero_sum AFTER UPDATE ON ledger.balance
    REFERENCING OLD TABLE AS moved_from NEW TABLE AS moved_to
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_zero_sum();

CREATE SEQUENCE ledger.transfer_number INCREMENT BY 8192 MINVALUE 0 START WITH 0;
COMMENT ON SEQUENCE ledger.transfer_number IS 'Each posting takes a block of numbers while it holds its accounts, so that numbers grow along every account.';

CREATE TABLE ledger.transfer (
    number       bigint      PRIMARY KEY,
    batch        text        NOT NULL,
    position     int         NOT NULL,
    id           text        NOT NULL UNIQUE,
    debit        text        NOT NULL,
    credit       text        NOT NULL CHECK (credit <> debit),
    amount       bigint      NOT NULL CHECK (amount BETWEEN 1 AND 9007199254740991),
    kind         text        NOT NULL,
    phase        text        NOT NULL CHECK (phase IN ('posted', 'pending', 'post', 'void')),
    pending      text,
    linked       text,
    reference    text        NOT NULL,
    day          date        NOT NULL,
    at           timestamptz NOT NULL,
    verdict      text        NOT NULL,
    debit_after  bigint,
    credit_after bigint,
    CHECK ((phase IN ('post', 'void')) = (pending IS NOT NULL)),
    CHECK ((verdict = 'accepted') = (debit_after IS NOT NULL)),
    CHECK ((debit_after IS NULL) = (credit_after IS NULL))
);
CREATE UNIQUE INDEX transfer_settled_once ON ledger.transfer (pending) WHERE pending IS NOT NULL AND verdict = 'accepted';
CREATE INDEX transfer_day ON ledger.transfer USING brin (day);
COMMENT ON TABLE ledger.transfer IS 'Every transfer that was decided, with its verdict; a refused one moved nothing. Append-only, batch-audited.';
COMMENT ON COLUMN ledger.transfer.debit IS 'The account the amount leaves.';
COMMENT ON COLUMN ledger.transfer.debit_after IS 'What that account had posted right after this transfer; null where it was refused.';

CREATE TABLE ledger.statement (
    account text       NOT NULL,
    block   bigint     NOT NULL,
    places  smallint[] NOT NULL,
    PRIMARY KEY (account, block)
);
COMMENT ON TABLE ledger.statement IS 'Where the accepted transfers of an account stand: a block of 8192 numbers, and the places in it, ascending. A cache, recomputed by the audit.';

CREATE TABLE ledger.queue (
    place     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    count     int         NOT NULL CHECK (count BETWEEN 1 AND 8190),
    body      text        NOT NULL,
    queued_at timestamptz NOT NULL
);
ALTER TABLE ledger.queue ALTER body SET STORAGE EXTERNAL;
COMMENT ON TABLE ledger.queue IS 'Submissions of transfers that wait for the next batch, in their order; taken out when they are decided.';

CREATE TABLE ledger.day_close (
    id        text        PRIMARY KEY,
    day       date        NOT NULL,
    currency  text        NOT NULL,
    accounts  bigint      NOT NULL,
    transfers bigint      NOT NULL,
    turnover  text        NOT NULL,
    digest    text        NOT NULL,
    closed_at timestamptz NOT NULL,
    version   bigint      NOT NULL
);
CREATE INDEX day_close_day ON ledger.day_close (day);
COMMENT ON TABLE ledger.day_close IS 'Closed days, one row a currency: how much moved, and the digest of all balances at the end of the day.';

-- Books only grow: nothing here can be deleted, no transfer changed, and balances only moved. ------

GRANT SELECT, INSERT, UPDATE ON ledger.account TO lingqu_app;
GRANT SELECT, INSERT ON ledger.currency, ledger.transfer, ledger.statement, ledger.day_close TO lingqu_app;
GRANT SELECT, INSERT (account, currency, floor, ceiling, hot),
    UPDATE (floor, ceiling, open, posted, pending_out, pending_in) ON ledger.balance TO lingqu_app;
GRANT SELECT, INSERT, DELETE ON ledger.queue TO lingqu_app;
GRANT USAGE ON SEQUENCE ledger.transfer_number TO lingqu_app;

-- Seen from above ---------------------------------------------------------------------------------

CREATE VIEW ledger.pub_posting AS
    SELECT id, debit, credit, amount, kind, reference, day, at FROM ledger.transfer
    WHERE verdict = 'accepted' AND phase IN ('posted', 'post');
COMMENT ON VIEW ledger.pub_posting IS 'What moved between accounts, for packages above.';
GRANT SELECT ON ledger.pub_posting TO lingqu_app;
