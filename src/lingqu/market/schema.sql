-- SPDX-License-Identifier: Apache-2.0
-- 流通: the tables of schema market as they are now; the migrations are how one gets here.

CREATE SCHEMA market;
GRANT USAGE ON SCHEMA market TO lingqu_app;

CREATE TABLE market.venue (
    party      text        PRIMARY KEY REFERENCES trust.party,
    name       text        NOT NULL CHECK (name <> ''),
    bank       text        NOT NULL REFERENCES ledger.account,
    opened_at  timestamptz NOT NULL,
    version    bigint      NOT NULL
);
CREATE INDEX venue_bank ON market.venue (bank);
COMMENT ON TABLE market.venue IS 'A party that runs the trading venue of the region, with the account that mirrors its bank account.';

CREATE TABLE market.member (
    id            text        PRIMARY KEY,
    venue         text        NOT NULL REFERENCES market.venue,
    party         text        NOT NULL REFERENCES trust.party,
    name          text        NOT NULL CHECK (name <> ''),
    code          text        NOT NULL CHECK (code <> ''),
    roles         text[]      NOT NULL CHECK (cardinality(roles) > 0),
    material      bytea       NOT NULL CHECK (length(material) = 32),
    commitment    bytea       NOT NULL CHECK (length(commitment) = 32),
    committed_by  text        NOT NULL,
    committed_at  timestamptz NOT NULL,
    state         text        NOT NULL CHECK (state IN ('applied', 'admitted', 'refused', 'ended')),
    procedure     text        NOT NULL REFERENCES trust.procedure,
    decided_at    timestamptz,
    version       bigint      NOT NULL
);
CREATE INDEX member_party ON market.member (party);
CREATE INDEX member_procedure ON market.member (procedure);
CREATE UNIQUE INDEX member_once ON market.member (venue, party) WHERE state IN ('applied', 'admitted');
COMMENT ON TABLE market.member IS 'Who is admitted to a venue, in which roles, under which signed commitment.';

CREATE TABLE market.price (
    id               text        PRIMARY KEY,
    product          text        NOT NULL CHECK (product <> ''),
    seller           text        NOT NULL REFERENCES trust.party,
    authorizer       text        NOT NULL REFERENCES trust.party,
    authority        text        REFERENCES trust.party,
    basis            text        NOT NULL CHECK (basis IN ('trial', 'formal')),
    operating_since  date        NOT NULL,
    costs            text,
    planned_calls    bigint      CHECK (planned_calls > 0),
    permitted        bigint      CHECK (permitted >= 0),
    ceiling          bigint      CHECK (ceiling >= 0),
    fees             text,
    working          text        NOT NULL,
    state            text        NOT NULL CHECK (state IN
        ('applied', 'permitted', 'capped', 'set', 'published', 'replaced', 'refused')),
    procedure        text        NOT NULL REFERENCES trust.procedure,
    published_at     timestamptz,
    ended_at         timestamptz,
    version          bigint      NOT NULL,
    CONSTRAINT price_formal CHECK (basis = 'trial' OR (costs IS NOT NULL AND planned_calls IS NOT NULL
        AND authority IS NOT NULL))
);
CREATE INDEX price_product ON market.price (product, id);
CREATE INDEX price_seller ON market.price (seller);
CREATE INDEX price_authorizer ON market.price (authorizer);
CREATE INDEX price_authority ON market.price (authority);
CREATE INDEX price_procedure ON market.price (procedure);
CREATE UNIQUE INDEX price_in_force ON market.price (product) WHERE state = 'published';
COMMENT ON TABLE market.price IS 'The fee of a product, from the application to its publication, with the working behind it.';
COMMENT ON COLUMN market.price.working IS 'Canonical JSON of the steps of the computation, each with its rule.';

CREATE TABLE market.listing (
    id             text        PRIMARY KEY,
    venue          text        NOT NULL REFERENCES market.venue,
    seller         text        NOT NULL REFERENCES trust.party,
    product        text        NOT NULL CHECK (product <> ''),
    registration   text        NOT NULL CHECK (registration <> ''),
    code           text        NOT NULL CHECK (code <> ''),
    registered_until timestamptz NOT NULL,
    grant_id       text        NOT NULL REFERENCES rights.grant,
    title          text        NOT NULL CHECK (title <> ''),
    summary        text        NOT NULL CHECK (summary <> ''),
    form           text        NOT NULL CHECK (form <> ''),
    sample         text,
    terms          text        NOT NULL,
    state          text        NOT NULL CHECK (state IN
        ('applied', 'publicized', 'certified', 'listed', 'suspended', 'delisted', 'refused')),
    procedure      text        NOT NULL REFERENCES trust.procedure,
    publicized_until date,
    certificate    text        UNIQUE,
    applied_at     timestamptz NOT NULL,
    certified_at   timestamptz,
    listed_at      timestamptz,
    ended_at       timestamptz,
    version        bigint      NOT NULL
);
CREATE INDEX listing_venue ON market.listing (venue);
CREATE INDEX listing_seller ON market.listing (seller);
CREATE INDEX listing_grant ON market.listing (grant_id);
CREATE INDEX listing_procedure ON market.listing (procedure);
CREATE UNIQUE INDEX listing_once ON market.listing (venue, product)
    WHERE state NOT IN ('delisted', 'refused');
COMMENT ON TABLE market.listing IS 'A product at a venue: from the application through publicity and certificate to the public catalog.';
COMMENT ON COLUMN market.listing.terms IS 'Canonical JSON of the effective terms of the product grant when it was applied for.';

CREATE TABLE market.listing_words (
    listing  text     PRIMARY KEY REFERENCES market.listing,
    words    text[]   NOT NULL
);
CREATE INDEX listing_words_found ON market.listing_words USING gin (words);
COMMENT ON TABLE market.listing_words IS 'Bigrams of title and summary for the search of the catalog; can be computed again.';

CREATE TABLE market.objection (
    id          text        PRIMARY KEY,
    listing     text        NOT NULL REFERENCES market.listing,
    party       text        NOT NULL REFERENCES trust.party,
    reason      text        NOT NULL CHECK (reason <> ''),
    evidence    bytea       CHECK (length(evidence) = 32),
    state       text        NOT NULL CHECK (state IN ('open', 'upheld', 'dismissed')),
    answer      text,
    filed_at    timestamptz NOT NULL,
    decided_at  timestamptz,
    version     bigint      NOT NULL
);
CREATE INDEX objection_listing ON market.objection (listing);
CREATE INDEX objection_party ON market.objection (party);
COMMENT ON TABLE market.objection IS 'Somebody objects to a listing while it is publicized; it is decided before a certificate is issued.';

CREATE TABLE market.fund (
    account    text        PRIMARY KEY REFERENCES ledger.account,
    venue      text        NOT NULL REFERENCES market.venue,
    owner      text        NOT NULL,
    purpose    text        NOT NULL CHECK (purpose <> ''),
    version    bigint      NOT NULL,
    UNIQUE (venue, owner, purpose)
);
COMMENT ON TABLE market.fund IS 'Which account of the ledger holds what of a party or a contract at a venue.';

CREATE TABLE market.deposit (
    id            text        PRIMARY KEY,
    venue         text        NOT NULL REFERENCES market.venue,
    party         text        NOT NULL REFERENCES trust.party,
    direction     text        NOT NULL CHECK (direction IN ('in', 'out')),
    amount        bigint      NOT NULL CHECK (amount > 0),
    reference     text        NOT NULL CHECK (reference <> ''),
    paid_on       date        NOT NULL,
    transfer      text        NOT NULL,
    recorded_at   timestamptz NOT NULL,
    version       bigint      NOT NULL,
    UNIQUE (venue, reference)
);
CREATE INDEX deposit_party ON market.deposit (party);
COMMENT ON TABLE market.deposit IS 'A payment into or out of a venue''s bank account, as its staff recorded it, with the bank''s reference.';

CREATE TABLE market.contract (
    id            text        PRIMARY KEY,
    listing       text        NOT NULL REFERENCES market.listing,
    product       text        NOT NULL,
    registration  text        NOT NULL,
    seller        text        NOT NULL REFERENCES trust.party,
    buyer         text        NOT NULL REFERENCES trust.party,
    venue         text        NOT NULL REFERENCES market.venue,
    grant_id      text        REFERENCES rights.grant,
    purposes      text[]      NOT NULL CHECK (cardinality(purposes) > 0),
    quota         bigint      NOT NULL CHECK (quota > 0),
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL,
    fees          text        NOT NULL,
    duties        text        NOT NULL,
    sample        text,
    commitment    bytea       NOT NULL CHECK (length(commitment) = 32),
    text          text        NOT NULL,
    digest        text        NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    edition       int         NOT NULL CHECK (edition > 0),
    deposit       bigint      NOT NULL CHECK (deposit >= 0),
    state         text        NOT NULL CHECK (state IN
        ('requested', 'offered', 'accepted', 'performing', 'failed', 'ended')),
    funds         text        REFERENCES ledger.account,
    charged       text        REFERENCES ledger.account,
    held          text,
    held_minor    bigint      NOT NULL CHECK (held_minor >= 0),
    proposed_at   timestamptz NOT NULL,
    finalized_at  timestamptz,
    ended_at      timestamptz,
    ending        text        CHECK (ending IN ('due', 'early', 'declined', 'withdrawn')),
    version       bigint      NOT NULL,
    CONSTRAINT contract_period CHECK (starts_at < ends_at),
    CONSTRAINT contract_grant CHECK ((grant_id IS NOT NULL) = (finalized_at IS NOT NULL)),
    CONSTRAINT contract_held CHECK ((held IS NOT NULL) = (held_minor > 0))
);
CREATE INDEX contract_listing ON market.contract (listing);
CREATE INDEX contract_seller ON market.contract (seller);
CREATE INDEX contract_buyer ON market.contract (buyer);
CREATE INDEX contract_venue ON market.contract (venue);
CREATE UNIQUE INDEX contract_grant_once ON market.contract (grant_id);
CREATE INDEX contract_funds ON market.contract (funds);
CREATE INDEX contract_charged ON market.contract (charged);
CREATE INDEX contract_performing ON market.contract (ends_at) WHERE state = 'performing';
COMMENT ON TABLE market.contract IS 'A contract from the proposal to its end; its text is canonical JSON and both sign the digest of it.';
COMMENT ON COLUMN market.contract.held IS 'The pending transfer of the ledger that freezes the buyer''s funds; held_minor is what it still holds.';

CREATE TABLE market.signature (
    id         text        PRIMARY KEY,
    contract   text        NOT NULL REFERENCES market.contract,
    party      text        NOT NULL REFERENCES trust.party,
    account    text        NOT NULL,
    digest     text        NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    signed_at  timestamptz NOT NULL,
    version    bigint      NOT NULL,
    UNIQUE (contract, party, digest)
);
CREATE INDEX signature_party ON market.signature (party);
COMMENT ON TABLE market.signature IS 'Who signed which digest of a contract, by which account.';

GRANT SELECT, INSERT ON market.fund, market.deposit, market.signature TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON
    market.venue, market.member, market.price, market.listing, market.objection, market.contract
    TO lingqu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON market.listing_words TO lingqu_app;

-- 结算 --------------------------------------------------------------------------------------------

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


-- Seen from above ---------------------------------------------------------------------------------

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
