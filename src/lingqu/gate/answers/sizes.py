# SPDX-License-Identifier: Apache-2.0
"""How large a question would be, told from what is published, before anything runs.

Rows are those the published cubes count for the tables that are read; groups are the product of the
published steps of the dimensions that are grouped by. Neither looks at a row, so a refusal tells
nothing that is not published.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from lingqu.gate.datasets import OpenCube
from lingqu.gate.governance import Mode, QueryPolicy
from lingqu.gate.queries import Query
from lingqu.kernel import errors

USAGE_CONTROL = "《广西加快数据要素市场化改革实施方案》任务7"
"""探索建立数据用途和用量控制制度，实现数据使用“可控可计量”."""


class TooManyRows(errors.Forbidden):
    """The tables a question reads have more published rows than the policy lets one read."""

    code = "gate.query.rows_most"
    article = USAGE_CONTROL


class TooManyGroups(errors.Forbidden):
    """The dimensions a question groups by have more steps together than the policy allows."""

    code = "gate.query.groups_most"
    article = USAGE_CONTROL


def estimate_rows(query: Query, cubes: Mapping[str, OpenCube]) -> int:
    """This will give how many rows the tables of a question have, as their cubes publish them."""
    return sum(cubes[one.table].rows for one in query.scans)


def count_groups(query: Query, cubes: Mapping[str, OpenCube]) -> int:
    """This will give how many groups there can be: the steps of each dimension, multiplied."""
    return math.prod(len(set(cubes[one.column.scan.table].groups((one,)))) for one in query.groups)


def refuse_size(
    query: Query, policy: QueryPolicy, mode: Mode, cubes: Mapping[str, OpenCube]
) -> None:
    """This will refuse a question that is too large; `cubes` by table. A cube reads no rows.

    Raises TooManyRows, TooManyGroups, NotOnGrid.
    """
    rows = 0 if mode is Mode.CUBE else estimate_rows(query, cubes)
    if rows > policy.rows_max:
        raise TooManyRows(rows=rows, most=policy.rows_max)
    groups = count_groups(query, cubes)
    if groups > policy.groups_max:
        raise TooManyGroups(groups=groups, most=policy.groups_max)
