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

CREATE TABLE supply.finding (
    id             text        PRIMARY KEY,
    kind           text        NOT NULL CHECK (kind IN ('comparison', 'one_value', 'filled', 'unique')),
    resource       text        NOT NULL REFERENCES supply.resource,
    edition        int         NOT NULL,
    other          text        REFERENCES supply.resource,
    other_edition  int,
    column_name    text        NOT NULL,
    within         text        NOT NULL,
    faults         bigint      NOT NULL CHECK (faults > 0),
    figures        text        NOT NULL,
    examples       text        NOT NULL,
    title          text        NOT NULL CHECK (title <> ''),
    inspector      text        NOT NULL REFERENCES trust.party,
    responsible    text        NOT NULL REFERENCES trust.party,
    procedure      text        NOT NULL REFERENCES trust.procedure,
    opened_at      timestamptz NOT NULL,
    version        bigint      NOT NULL,
    CONSTRAINT finding_other CHECK ((kind = 'comparison') = (other IS NOT NULL AND other_edition IS NOT NULL))
);
CREATE INDEX finding_resource ON supply.finding (resource);
CREATE INDEX finding_other ON supply.finding (other);
CREATE INDEX finding_inspector ON supply.finding (inspector);
CREATE INDEX finding_responsible ON supply.finding (responsible);
CREATE INDEX finding_procedure ON supply.finding (procedure);
COMMENT ON TABLE supply.finding IS 'What is wrong with loaded tables, and who has to mend it; how far that is, its procedure says.';

CREATE TABLE supply.open_entry (
    id            text        PRIMARY KEY,
    year          int         NOT NULL CHECK (year BETWEEN 2000 AND 2999),
    territory     text        NOT NULL CHECK (territory ~ '^[0-9]{2,12}$'),
    resource      text        NOT NULL REFERENCES supply.resource,
    body          text        NOT NULL REFERENCES trust.party,
    title         text        NOT NULL CHECK (title <> ''),
    criteria      text[]      NOT NULL CHECK (cardinality(criteria) > 0),
    due_on        date        NOT NULL,
    state         text        NOT NULL CHECK (state IN ('proposed', 'confirmed', 'published')),
    proposed_at   timestamptz NOT NULL,
    confirmed_at  timestamptz,
    published_at  timestamptz,
    version       bigint      NOT NULL,
    CONSTRAINT open_entry_once UNIQUE (year, territory, resource),
    CONSTRAINT open_entry_state CHECK (
        (state = 'proposed') = (confirmed_at IS NULL) AND (state = 'published') = (published_at IS NOT NULL)
    )
);
CREATE INDEX open_entry_resource ON supply.open_entry (resource);
CREATE INDEX open_entry_body ON supply.open_entry (body);
COMMENT ON TABLE supply.open_entry IS 'One line of a yearly list of key open data, on at least one of the criteria of priority.';

CREATE TABLE supply.open_file (
    id            text        PRIMARY KEY,
    entry         text        NOT NULL REFERENCES supply.open_entry,
    body          text        NOT NULL REFERENCES trust.party,
    title         text        NOT NULL CHECK (title <> ''),
    summary       text        NOT NULL CHECK (summary <> ''),
    terms         text        NOT NULL CHECK (terms <> ''),
    name          text        NOT NULL CHECK (name <> ''),
    sha256        text        NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes    bigint      NOT NULL CHECK (size_bytes > 0),
    rows          bigint      NOT NULL CHECK (rows > 0),
    recipe        text        NOT NULL CHECK (recipe IN ('table', 'crosswalk')),
    lineage       text        NOT NULL,
    published_at  timestamptz NOT NULL,
    withdrawn_at  timestamptz,
    version       bigint      NOT NULL
);
CREATE INDEX open_file_entry ON supply.open_file (entry);
CREATE INDEX open_file_body ON supply.open_file (body);
COMMENT ON TABLE supply.open_file IS 'A file that anyone may download, with its terms, its digest and the loads it was made from.';
COMMENT ON COLUMN supply.open_file.lineage IS 'Canonical JSON: the resources and editions it was made from, with the digests of their files.';

CREATE TABLE supply.open_catalog (
    id             text        PRIMARY KEY,
    title          text        NOT NULL CHECK (title <> ''),
    operator       text        NOT NULL CHECK (operator <> ''),
    registered_at  timestamptz NOT NULL,
    version        bigint      NOT NULL
);
COMMENT ON TABLE supply.open_catalog IS 'A catalog elsewhere in which open files are listed, such as that of the region.';

CREATE TABLE supply.catalog_entry (
    id           text        PRIMARY KEY,
    catalog      text        NOT NULL REFERENCES supply.open_catalog,
    file         text        NOT NULL REFERENCES supply.open_file,
    status       text        NOT NULL CHECK (status IN ('written', 'acknowledged', 'rejected', 'missing')),
    reason       text        NOT NULL,
    document     text        NOT NULL CHECK (document ~ '^[0-9a-f]{64}$'),
    written_at   timestamptz NOT NULL,
    reported_at  timestamptz,
    version      bigint      NOT NULL,
    CONSTRAINT catalog_entry_once UNIQUE (catalog, file)
);
CREATE INDEX catalog_entry_file ON supply.catalog_entry (file);
COMMENT ON TABLE supply.catalog_entry IS 'How an open file stands in a catalog elsewhere: as written there, and as that catalog reports it.';
COMMENT ON COLUMN supply.catalog_entry.document IS 'SHA-256 of the DCAT document in which it was last written.';

GRANT SELECT, INSERT ON supply.finding TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON supply.open_entry, supply.open_file, supply.open_catalog, supply.catalog_entry TO lingqu_app;

CREATE TABLE supply.delivery (
    work text PRIMARY KEY REFERENCES trust.work,
    resource text NOT NULL REFERENCES supply.resource,
    source text REFERENCES supply.source,
    mode text NOT NULL,
    name text NOT NULL,
    sha256 text NOT NULL,
    size_bytes bigint NOT NULL
);
COMMENT ON TABLE supply.delivery IS 'What was handed over and waits to be loaded by its work.';
GRANT SELECT, INSERT ON supply.delivery TO lingqu_app;
