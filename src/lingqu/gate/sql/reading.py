# SPDX-License-Identifier: Apache-2.0
"""From a text to the one value of what it means, or to a refusal: the only way a query comes in.

Nothing here looks at data, so a refusal says nothing of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from lingqu.gate.governance import QueryPolicy
from lingqu.gate.queries import Query
from lingqu.gate.sql.canonical import canonical
from lingqu.gate.sql.diagrams import TooComplex
from lingqu.gate.sql.lowering import Reader, RowsRefused, lower
from lingqu.gate.syntax import Block, Bound, Printed, read_text

PRINTED_LONGEST = 250_000
PRINTED_DEEPEST = 150


def read(text: str, policy: QueryPolicy, values: Sequence[Bound] = ()) -> Query:
    """This will give what a text asks, in its one form, `values` being bound to `$1`, `$2` ...

    Raises TextRefused, ConstructRefused, SeveralQuestions, ReadingsDiffer, FunctionRefused,
    FunctionUnreviewed, NameUnknown, NameAmbiguous, NameTaken, JoinRefused, TooManyJoins,
    TypeRefused, RowsRefused, TooComplex or TooWide, each from the text and the policy alone.
    """
    block = read_text(text, longest=policy.text_max, deepest=policy.depth_max)
    return _lowered(block, policy, values, Reader.BUYER)


def read_printed(printed: Printed, policy: QueryPolicy) -> Query:
    """This will read what `print_query` printed for the engine, to compare it with the query.

    Bands and clamped measures are known again here, which nobody else may write. Raises what
    `read` raises.
    """
    block = read_text(
        printed.sql, longest=PRINTED_LONGEST, deepest=PRINTED_DEEPEST, words=PRINTED_LONGEST
    )
    return _lowered(block, policy, printed.values, Reader.OURSELVES)


def _lowered(block: Block, policy: QueryPolicy, values: Sequence[Bound], reader: Reader) -> Query:
    try:
        query = canonical(lower(block, policy, values, reader), policy)
    except RecursionError:
        raise TooComplex(reason="depth") from None
    if not query.groups and not query.aggregates:
        raise RowsRefused
    return query
