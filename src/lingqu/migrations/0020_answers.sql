-- SPDX-License-Identifier: Apache-2.0
-- Governed queries: what is published of a dataset, what was told of it to whom, and what answers
-- under noise were given for a part of its budget.

ALTER TABLE gate.product DROP CONSTRAINT product_form_check;
ALTER TABLE gate.product ADD CONSTRAINT product_form_check
    CHECK (form IN ('verification', 'count', 'open_file', 'query'));

CREATE TABLE gate.dataset (
    resource       text    PRIMARY KEY REFERENCES supply.resource,
    grid           text    NOT NULL,
    cube           text    NOT NULL CHECK (cube ~ '^[0-9a-f]{64}$'),
    table_version  bigint  NOT NULL,
    sealed         text    NOT NULL,
    version        bigint  NOT NULL
);
COMMENT ON TABLE gate.dataset IS 'What is published of a resource, once for all products: one grid, one chain of cubes, one sealed key.';

CREATE TABLE gate.told_set (
    position  bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    resource  text        NOT NULL REFERENCES gate.dataset,
    holder    text        NOT NULL,
    question  text        NOT NULL,
    whole     bigint      NOT NULL,
    sets      text        NOT NULL,
    told_at   timestamptz NOT NULL
);
CREATE UNIQUE INDEX told_set_once ON gate.told_set (resource, holder, whole, question);
COMMENT ON TABLE gate.told_set IS 'Which sets of cells an organisation may have been answered about ad hoc: what overlap control is decided on. Append-only.';

CREATE TABLE gate.noise_spent (
    resource     text        NOT NULL REFERENCES gate.dataset,
    holder       text        NOT NULL,
    question     text        NOT NULL,
    rho          bigint      NOT NULL CHECK (rho > 0),
    reserved_at  timestamptz NOT NULL,
    PRIMARY KEY (resource, holder, question)
);
COMMENT ON TABLE gate.noise_spent IS 'Which questions under noise an organisation spent budget on, before they were computed. Append-only.';

CREATE TABLE gate.noisy_answer (
    resource  text        NOT NULL,
    holder    text        NOT NULL,
    question  text        NOT NULL,
    answer    text        NOT NULL,
    told_at   timestamptz NOT NULL,
    PRIMARY KEY (resource, holder, question),
    FOREIGN KEY (resource, holder, question) REFERENCES gate.noise_spent
);
COMMENT ON TABLE gate.noisy_answer IS 'Answers under noise, so that a repeat gets the same one and costs nothing. Append-only.';

GRANT SELECT, INSERT, UPDATE ON gate.dataset TO lingqu_app;
GRANT SELECT, INSERT ON gate.told_set, gate.noise_spent, gate.noisy_answer TO lingqu_app;
