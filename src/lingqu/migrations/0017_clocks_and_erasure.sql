-- SPDX-License-Identifier: Apache-2.0
-- Steps of procedures are only added to. What a person wrote of their own can be emptied, by the
-- command that erases the person; who moved what, when and under which rules stays.

CREATE FUNCTION trust.empty_step(of_step text, from_version bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH emptied AS (
        UPDATE trust.procedure_step SET opinion = NULL, reason = NULL, version = version + 1
        WHERE id = of_step AND version = from_version
        RETURNING 1
    )
    SELECT count(*) FROM emptied;
$$;
REVOKE ALL ON FUNCTION trust.empty_step(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trust.empty_step(text, bigint) TO lingqu_app;

CREATE FUNCTION trust.empty_attachment(of_attachment text, from_version bigint) RETURNS bigint
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH emptied AS (
        UPDATE trust.procedure_attachment SET name = '—', version = version + 1
        WHERE id = of_attachment AND version = from_version
        RETURNING 1
    )
    SELECT count(*) FROM emptied;
$$;
REVOKE ALL ON FUNCTION trust.empty_attachment(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION trust.empty_attachment(text, bigint) TO lingqu_app;

-- Obligations run on procedures; those that were made before get theirs by the job that begins
-- clocks. Whether one is overdue is said by its procedure.

ALTER TABLE rights.obligation ADD COLUMN procedure text REFERENCES trust.procedure;
CREATE INDEX obligation_procedure ON rights.obligation (procedure);
COMMENT ON COLUMN rights.obligation.procedure IS 'Its clock and its moves; a successor takes it over.';
