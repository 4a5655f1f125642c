# SPDX-License-Identifier: Apache-2.0
"""Documents of many parts (schemes, agreements, applications): which parts a rule demands.

Which there are, in which order and what they are called is a list of the rulebook; a draft may
leave some open, what is decided upon has them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lingqu.kernel import canon, errors
from lingqu.kernel.values import from_plain, to_plain
from lingqu.rights.texts import check_prose
from lingqu.runtime import Tx
from lingqu.trust import rulebook

STATEMENT_MAX = 20_000


class StatementUnknown(errors.Rejected):
    """The rule's list has no such part, or it was given twice."""

    code = "rights.statement.unknown"


class StatementMissing(errors.Rejected):
    """A part the rule demands is not there."""

    code = "rights.statement.missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is said about one part, named by its code in the rulebook's list."""

    item: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statements:
    """All parts, as they are stored."""

    items: tuple[Statement, ...]


def check_statements(tx: Tx, rule: str, given: Sequence[Statement]) -> tuple[Statement, ...]:
    """This will give the parts in the order of the rule, some perhaps absent.

    Raises StatementUnknown, BadText.
    """
    listed = rulebook.of(tx).items(rule)
    said: dict[str, str] = {}
    codes = {one.code for one in listed}
    for one in given:
        if one.item not in codes or one.item in said:
            raise StatementUnknown(item=one.item[:60]).grounded_in(cite(tx, rule))
        said[one.item] = check_prose(one.text, where=one.item, most=STATEMENT_MAX)
    return tuple(
        Statement(item=one.code, text=said[one.code]) for one in listed if one.code in said
    )


def demand_all(tx: Tx, rule: str, given: Sequence[Statement]) -> None:
    """This will let go on with every part the rule lists. Raises StatementMissing."""
    said = {one.item for one in given}
    missing = [one for one in rulebook.of(tx).items(rule) if one.code not in said]
    if missing:
        raise StatementMissing(
            item=missing[0].code, title=missing[0].zh, missing=len(missing)
        ).grounded_in(cite(tx, rule))


def state_all(tx: Tx, rule: str, given: Sequence[Statement]) -> str:
    """This will give the canonical JSON of parts that are all there.

    Raises StatementMissing, StatementUnknown, BadText.
    """
    stated = check_statements(tx, rule, given)
    demand_all(tx, rule, stated)
    return write_statements(stated)


def cite(tx: Tx, rule: str) -> str:
    """This will give document and article of a rule as it is today."""
    return rulebook.of(tx).rule(rule).citation


def write_statements(given: tuple[Statement, ...]) -> str:
    """This will give the canonical JSON of the parts."""
    return canon.encode(to_plain(Statements(items=given))).decode()


def read_statements(text: str) -> tuple[Statement, ...]:
    """This will read the canonical JSON of the parts."""
    return from_plain(Statements, canon.decode(text.encode())).items


def headed(tx: Tx, rule: str, given: Sequence[Statement]) -> tuple[tuple[str, str], ...]:
    """This will give the parts with the words of the rule above them, for a document."""
    words = {one.code: one.zh for one in rulebook.of(tx).items(rule)}
    return tuple((words[one.item], one.text) for one in given)
