-- SPDX-License-Identifier: Apache-2.0
-- What a statement finds can undo its transaction, so that nobody has to read it before the commit is sent.

CREATE FUNCTION runtime.refuse(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING MESSAGE = what;
END
$$;
COMMENT ON FUNCTION runtime.refuse IS 'Undoes the transaction; what names the refusal its caller is told.';

GRANT EXECUTE ON FUNCTION runtime.refuse TO lingqu_app;
