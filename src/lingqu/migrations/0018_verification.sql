-- SPDX-License-Identifier: Apache-2.0
-- 核验: batches stand once for what all their calls share, consents of the persons asked about, what a
-- caller asks altogether, and the progress of files.

CREATE TABLE gate.batch (
    id        text  PRIMARY KEY,
    grant_id  text  NOT NULL REFERENCES rights.grant,
    product   text  NOT NULL REFERENCES gate.product,
    lease     text  REFERENCES rights.lease,
    snapshot  text  REFERENCES gate.snapshot
);
CREATE INDEX batch_grant ON gate.batch (grant_id, id);
CREATE INDEX batch_product ON gate.batch (product, id);
CREATE INDEX batch_lease ON gate.batch (lease) WHERE lease IS NOT NULL;
CREATE INDEX batch_snapshot ON gate.batch (snapshot) WHERE snapshot IS NOT NULL;
COMMENT ON TABLE gate.batch IS 'What the calls of a batch share, once, to find them by; computed again from gate.call by every audit.';

INSERT INTO gate.batch (id, grant_id, product, lease, snapshot)
SELECT batch, min(grant_id), min(product), max(lease), max(snapshot) FROM gate.call GROUP BY batch;

-- A call is found by its batch, or by its own id under its grant; four references and four indexes a
-- row were half of what a call cost.
ALTER TABLE gate.call DROP CONSTRAINT call_grant_id_fkey, DROP CONSTRAINT call_product_fkey,
    DROP CONSTRAINT call_lease_fkey, DROP CONSTRAINT call_snapshot_fkey;
DROP INDEX gate.call_grant, gate.call_product, gate.call_lease, gate.call_snapshot;
ALTER TABLE gate.call DROP CONSTRAINT call_outcome_check;
ALTER TABLE gate.call ADD CONSTRAINT call_outcome_check CHECK (outcome IN (
    'yes', 'no', 'once', 'unknown', 'band', 'several', 'mixed', 'counted', 'refused'));

CREATE TABLE gate.asker (
    product   text    NOT NULL,
    holder    text    NOT NULL,
    day       date    NOT NULL,
    subjects  bigint  NOT NULL CHECK (subjects > 0),
    PRIMARY KEY (product, holder, day)
);
COMMENT ON TABLE gate.asker IS 'How many new subjects a party asked about on a day: the limit of what one caller learns.';

CREATE TABLE gate.consent (
    id            text         PRIMARY KEY,
    product       text         NOT NULL REFERENCES gate.product,
    holder        text         NOT NULL REFERENCES trust.party,
    subject       text         NOT NULL CHECK (subject ~ '^[0-9a-f]{32}$'),
    purpose       text         NOT NULL,
    from_at       timestamptz  NOT NULL,
    until_at      timestamptz  NOT NULL CHECK (until_at > from_at),
    evidence      text         NOT NULL CHECK (evidence ~ '^[0-9a-f]{64}$'),
    given_at      timestamptz  NOT NULL,
    withdrawn_at  timestamptz,
    version       bigint       NOT NULL
);
CREATE INDEX consent_subject ON gate.consent (product, holder, subject);
CREATE INDEX consent_holder ON gate.consent (holder, id);
COMMENT ON TABLE gate.consent IS '同意: that a person, named by keyed hash, lets a party ask a product about them for a purpose.';
COMMENT ON COLUMN gate.consent.evidence IS 'SHA-256 of the document the consent was given by.';

ALTER TABLE gate.file_job DROP CONSTRAINT file_job_state_check;
ALTER TABLE gate.file_job ADD CONSTRAINT file_job_state_check CHECK (state IN ('waiting', 'done', 'refused', 'cancelled'));

CREATE TABLE gate.file_progress (
    job       text         PRIMARY KEY REFERENCES gate.file_job,
    rows      int          NOT NULL,
    answered  int          NOT NULL CHECK (answered BETWEEN 0 AND rows),
    at        timestamptz  NOT NULL
);
COMMENT ON TABLE gate.file_progress IS 'How many rows of a waiting file were answered.';

GRANT SELECT, INSERT ON gate.batch TO lingqu_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON gate.asker, gate.file_progress TO lingqu_app;
GRANT SELECT, INSERT, UPDATE ON gate.consent TO lingqu_app;

-- Whoever remembers who a key is, and what it may do, hears at once that this changed.
CREATE FUNCTION trust.tell_access() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('lingqu_access', CASE TG_TABLE_NAME WHEN 'account' THEN to_jsonb(NEW) ->> 'id' ELSE to_jsonb(NEW) ->> 'account' END);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION trust.tell_access() IS 'Notifies listeners of lingqu_access which account was changed.';
CREATE TRIGGER api_key_tells AFTER UPDATE ON trust.api_key FOR EACH ROW EXECUTE FUNCTION trust.tell_access();
CREATE TRIGGER account_tells AFTER UPDATE ON trust.account FOR EACH ROW EXECUTE FUNCTION trust.tell_access();
CREATE TRIGGER role_assignment_tells AFTER INSERT OR UPDATE ON trust.role_assignment FOR EACH ROW EXECUTE FUNCTION trust.tell_access();
CREATE TRIGGER mandate_tells AFTER INSERT OR UPDATE ON trust.mandate FOR EACH ROW EXECUTE FUNCTION trust.tell_access();
