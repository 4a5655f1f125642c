-- SPDX-License-Identifier: Apache-2.0
-- 供给: the tables of schema supply as they are now; the migrations are how one gets here.

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

CREATE TABLE supply.source (
    id             text        PRIMARY KEY,
    resource       text        NOT NULL REFERENCES supply.resource,
    body           text        NOT NULL REFERENCES trust.party,
    title          text        NOT NULL CHECK (title <> ''),
    kind           text        NOT NULL CHECK (kind IN ('file', 'postgres')),
    mode           text        NOT NULL CHECK (mode IN ('physical', 'logical')),
    schema_name    text        NOT NULL,
    table_name     text        NOT NULL,
    registered_at  timestamptz NOT NULL,
    ended_at       timestamptz,
    version        bigint      NOT NULL,
    CONSTRAINT source_place CHECK ((kind = 'postgres') = (schema_name <> '' AND table_name <> '')),
    CONSTRAINT source_mode CHECK (kind = 'postgres' OR mode = 'physical')
);
CREATE INDEX source_resource ON supply.source (resource);
CREATE INDEX source_body ON supply.source (body);
COMMENT ON TABLE supply.source IS 'Where a resource comes from; how to sign in there is never in the database.';

CREATE TABLE supply.load (
    id             text        PRIMARY KEY,
    resource       text        NOT NULL REFERENCES supply.resource,
    body           text        NOT NULL REFERENCES trust.party,
    source         text        REFERENCES supply.source,
    delivery       text        NOT NULL,
    content        text        NOT NULL CHECK (content ~ '^[0-9a-f]{64}$'),
    size_bytes     bigint      NOT NULL CHECK (size_bytes >= 0),
    encoding       text        NOT NULL,
    mode           text        NOT NULL CHECK (mode IN ('replace', 'append')),
    edition        int         NOT NULL CHECK (edition > 0),
    place          text        NOT NULL CHECK (place <> ''),
    table_version  bigint      NOT NULL,
    columns        text        NOT NULL,
    rows           bigint      NOT NULL CHECK (rows > 0),
    rejected       bigint      NOT NULL CHECK (rejected >= 0),
    rejects        text        NOT NULL CHECK ((rejects = '') = (rejected = 0)),
    loaded_by      text        NOT NULL,
    loaded_at      timestamptz NOT NULL,
    version        bigint      NOT NULL,
    CONSTRAINT load_edition UNIQUE (resource, edition)
);
CREATE INDEX load_body ON supply.load (body);
CREATE INDEX load_source ON supply.load (source);
COMMENT ON TABLE supply.load IS 'One delivery as it was loaded; a table is its newest replacing load and those added since.';
COMMENT ON COLUMN supply.load.content IS 'SHA-256 of what was delivered, in hex.';
COMMENT ON COLUMN supply.load.rejects IS 'SHA-256 of the rows that were set aside; empty for none.';

CREATE TABLE supply.table_file (
    batch       text    NOT NULL REFERENCES supply.load,
    position    int     NOT NULL,
    name        text    NOT NULL CHECK (name <> ''),
    digest      text    NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    size_bytes  bigint  NOT NULL,
    rows        bigint  NOT NULL,
    state       text    NOT NULL,
    entity      text    NOT NULL,
    PRIMARY KEY (batch, position)
);
COMMENT ON TABLE supply.table_file IS 'The immutable files of each load, below the folder of all tables.';
COMMENT ON COLUMN supply.table_file.state IS 'Canonical JSON of its quality figures: rows, and filled and distinct cells of each column.';
COMMENT ON COLUMN supply.table_file.entity IS 'The column of its entity byte, empty where rows are about nobody in particular.';

CREATE TABLE supply.rejection (
    load        text    NOT NULL REFERENCES supply.load,
    row_number  bigint  NOT NULL,
    field       text    NOT NULL,
    reason      text    NOT NULL CHECK (reason <> ''),
    cells       text    NOT NULL
);
CREATE INDEX rejection_load ON supply.rejection (load, row_number);
COMMENT ON TABLE supply.rejection IS 'Quarantine: the rows of a load that were not accepted, for the body that delivered them.';

GRANT SELECT, INSERT, UPDATE ON supply.source TO lingqu_app;
GRANT SELECT, INSERT ON supply.load, supply.table_file, supply.rejection TO lingqu_app;
