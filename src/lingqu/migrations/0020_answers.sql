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

CREATE TABLE gate.noisy_answer (
    resource     text        NOT NULL REFERENCES gate.dataset,
    holder       text        NOT NULL,
    question     text        NOT NULL,
    rho          bigint      NOT NULL CHECK (rho > 0),
    answer       text,
    reserved_at  timestamptz NOT NULL,
    PRIMARY KEY (resource, holder, question)
);
COMMENT ON TABLE gate.noisy_answer IS 'Answers under noise: the budget each one was given for, and the answer, so that a repeat costs nothing.';
COMMENT ON COLUMN gate.noisy_answer.answer IS 'NULL while it is computed, or where computing failed; the budget is gone all the same.';

GRANT SELECT, INSERT, UPDATE ON gate.dataset TO lingqu_app;
GRANT SELECT, INSERT ON gate.told_set TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON gate.noisy_answer TO lingqu_app;
