-- SPDX-License-Identifier: Apache-2.0
-- 互联: other installations, listings offered to them, and listings they handed in.

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
