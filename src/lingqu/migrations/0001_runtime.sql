-- SPDX-License-Identifier: Apache-2.0
-- What one installation is, for ever. (The schema and the migration table are made by the migrator.)

CREATE TABLE runtime.instance (
    only_row    boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    id          text        NOT NULL,
    origin      text        NOT NULL,
    clock       text        NOT NULL CHECK (clock IN ('real', 'story')),
    created_at  timestamptz NOT NULL
);
COMMENT ON TABLE runtime.instance IS 'One row: the installation, its first log origin and its clock. Never changed.';
COMMENT ON COLUMN runtime.instance.clock IS 'story marks a demonstration clock; such an installation can never become production.';

CREATE TABLE runtime.story_clock (
    only_row  boolean     PRIMARY KEY DEFAULT true CHECK (only_row),
    moment    timestamptz NOT NULL
);
COMMENT ON TABLE runtime.story_clock IS 'The moment a demonstration clock shows; empty on a real one.';

GRANT USAGE ON SCHEMA runtime TO lingqu_app;
GRANT SELECT, INSERT ON runtime.instance TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON runtime.story_clock TO lingqu_app;
GRANT SELECT ON runtime.migration TO lingqu_app;
