# SPDX-License-Identifier: Apache-2.0
"""Every way in which the engine can refuse. None carries a word of the engine's: it may be data."""

from __future__ import annotations

from lingqu.kernel import errors


class QueryFailed(errors.Rejected):
    """The worker could not answer; why is in the operator's log, never in the answer."""

    code = "runtime.engine.query_failed"


class TimeLimitReached(errors.Rejected):
    """The answer was not there in the time it was given; its worker was killed."""

    code = "runtime.engine.time_limit"


class AnswerTooLarge(errors.Rejected):
    """The answer has more rows or bytes than it may have; its worker was killed."""

    code = "runtime.engine.answer_too_large"


class QueryCancelled(errors.Conflict):
    """The query was cancelled, as a revocation does; its worker was killed."""

    code = "runtime.engine.cancelled"


class EngineBusy(errors.Unavailable):
    """All workers answer others, and none got free in time."""

    code = "runtime.engine.busy"


class EngineUnavailable(errors.Unavailable):
    """No worker could be started on this machine."""

    code = "runtime.engine.unavailable"


class ConfinementIncomplete(errors.Unavailable):
    """Workers would run with less around them than asked for."""

    code = "runtime.engine.confinement_incomplete"


class UnsupportedType(errors.Rejected):
    """A column has a type that the engine does not carry."""

    code = "runtime.engine.unsupported_type"


class BadDeclaration(errors.Rejected):
    """What was declared about a table, file, column or value cannot be."""

    code = "runtime.engine.bad_declaration"


class FileChanged(errors.Conflict):
    """A file is missing, unreadable or not the one whose digest was declared."""

    code = "runtime.engine.file_changed"


class NotOneQuery(errors.Rejected):
    """The text is not exactly one SELECT that the engine can read."""

    code = "runtime.engine.not_one_query"


class TableMissing(errors.NotFound):
    """There is no such table, or it never had this version."""

    code = "runtime.engine.table_missing"


class SchemaDiffers(errors.Conflict):
    """A load has other columns than the table."""

    code = "runtime.engine.schema_differs"


class LoadDiffers(errors.Conflict):
    """A load of this id was committed before with other content."""

    code = "runtime.engine.load_differs"


class LoadConflict(errors.Unavailable):
    """Others kept writing to the table at the same time."""

    code = "runtime.engine.load_conflict"


class LoadFailed(errors.Rejected):
    """The delivered file cannot be read as it was declared."""

    code = "runtime.engine.load_failed"


class SourceUnavailable(errors.Unavailable):
    """The source's database does not answer, or refused what the broker asked of it."""

    code = "runtime.engine.source_unavailable"


class SourceDiffers(errors.Conflict):
    """The source has no such table or column, or one of a type that cannot be carried."""

    code = "runtime.engine.source_differs"


class SourceTooLarge(errors.Rejected):
    """The source gives more rows than were allowed."""

    code = "runtime.engine.source_too_large"
