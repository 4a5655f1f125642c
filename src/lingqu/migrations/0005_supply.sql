-- SPDX-License-Identifier: Apache-2.0
-- 供给: the duties of bodies, and the catalog of their resources.

CREATE SCHEMA supply;
GRANT USAGE ON SCHEMA supply TO lingqu_app;

CREATE TABLE supply.duty (
    id             text        PRIMARY KEY,
    body           text        NOT NULL REFERENCES trust.party,
    item           text        NOT NULL CHECK (item <> ''),
    basis          text        NOT NULL CHECK (basis <> ''),
    territory      text        NOT NULL CHECK (territory ~ '^[0-9]{2,12}$'),
    registered_at  timestamptz NOT NULL,
    ended_at       timestamptz,
    version        bigint      NOT NULL
);
CREATE INDEX duty_body ON supply.duty (body);
CREATE UNIQUE INDEX duty_one_source ON supply.duty (item, territory) WHERE ended_at IS NULL;
COMMENT ON TABLE supply.duty IS 'One item of data a body answers for; each has one open duty in a territory.';

CREATE TABLE supply.resource (
    id            text        PRIMARY KEY,
    duty          text        NOT NULL REFERENCES supply.duty,
    body          text        NOT NULL REFERENCES trust.party,
    title         text        NOT NULL CHECK (title <> ''),
    summary       text        NOT NULL CHECK (summary <> ''),
    frequency     text        NOT NULL CHECK (frequency ~ '^00[1-9]$'),
    mode          text        NOT NULL CHECK (mode IN ('physical', 'logical')),
    sharing       text        NOT NULL CHECK (sharing IN ('unconditional', 'conditional', 'none')),
    opening       text        NOT NULL CHECK (opening IN ('unconditional', 'conditional', 'none')),
    reason        text        NOT NULL,
    fields        text        NOT NULL,
    level         int         CHECK (level BETWEEN 1 AND 5),
    level_reason  text,
    level_by      text,
    described_at  timestamptz NOT NULL,
    withdrawn_at  timestamptz,
    version       bigint      NOT NULL,
    CONSTRAINT resource_level CHECK ((level IS NULL) = (level_by IS NULL)),
    CONSTRAINT resource_reason CHECK (reason <> '' OR (sharing = 'unconditional' AND opening = 'unconditional'))
);
CREATE INDEX resource_duty ON supply.resource (duty);
CREATE INDEX resource_body ON supply.resource (body);
COMMENT ON TABLE supply.resource IS 'A catalogued resource as it is described now; earlier descriptions are its row versions.';
COMMENT ON COLUMN supply.resource.fields IS 'Canonical JSON of its fields, in their order.';
COMMENT ON COLUMN supply.resource.level IS 'The security level a person confirmed for this description; NULL until then.';

GRANT SELECT, INSERT, UPDATE ON supply.duty, supply.resource TO lingqu_app;
