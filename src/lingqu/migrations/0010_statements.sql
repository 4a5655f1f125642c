-- SPDX-License-Identifier: Apache-2.0
-- Where an account's transfers stand is noted once a posting instead of twice a transfer.

CREATE TABLE ledger.statement (
    account text       NOT NULL,
    block   bigint     NOT NULL,
    places  smallint[] NOT NULL,
    PRIMARY KEY (account, block)
);
COMMENT ON TABLE ledger.statement IS 'Where the accepted transfers of an account stand: a block of 8192 numbers, and the places in it, ascending. A cache, recomputed by the audit.';

INSERT INTO ledger.statement (account, block, places)
SELECT account, number / 8192, array_agg((number % 8192)::smallint ORDER BY number)
FROM (
    SELECT debit AS account, number FROM ledger.transfer WHERE verdict = 'accepted'
    UNION ALL
    SELECT credit, number FROM ledger.transfer WHERE verdict = 'accepted'
) AS side
GROUP BY account, number / 8192;

DROP INDEX ledger.transfer_debit;
DROP INDEX ledger.transfer_credit;

GRANT SELECT, INSERT ON ledger.statement TO lingqu_app;
