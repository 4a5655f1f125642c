# SPDX-License-Identifier: Apache-2.0
"""统计查询 query policies: what a query product may be asked, as closed values and their checks.

A policy names tables as buyers write them, the role of every column, the one grid on which a
dimension is published, the bounds of every measure, and the joins there are. Nothing else can be
named by a query. Of several policies the strictest holds in every part (`strictest`).
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from lingqu.gate.syntax import is_identifier

TABLES_MOST = 16
COLUMNS_MOST = 200
JOINS_MOST = 64
EDGES_MOST = 1_000
LISTED_MOST = 5_000
THRESHOLD_LEAST = 2
THRESHOLD_MOST = 10_000
OWN_PREFIX = "lingqu_"
"""What names begin with that the platform prints; no policy can give such a one."""
DIGITS_MOST = 38
"""Digits of the widest exact number an engine holds."""
_INTEGERS = {
    "TINYINT": (-(2**7), 2**7 - 1), "SMALLINT": (-(2**15), 2**15 - 1),
    "INTEGER": (-(2**31), 2**31 - 1), "BIGINT": (-(2**63), 2**63 - 1),
    "UTINYINT": (0, 2**8 - 1), "USMALLINT": (0, 2**16 - 1), "UINTEGER": (0, 2**32 - 1),
}  # fmt: skip
_DECIMAL = re.compile(r"DECIMAL\((\d{1,2}),(\d{1,2})\)\Z")


class Role(enum.Enum):
    """What a column is to the people it is about."""

    KEY = "key"
    """Names an entity or a row: joined by and counted, never shown, grouped or filtered."""
    QUASI = "quasi"
    """Tells somebody apart together with others: on its grid only."""
    SENSITIVE = "sensitive"
    """What must not be learned of anybody: never grouped; filtered under noise only."""
    MEASURE = "measure"
    """A figure that is added up."""
    FREE = "free"
    """Says nothing of anybody: filtered under noise, on its grid anywhere."""
    DIMENSION = "dimension"
    """What answers are grouped and filtered by, on its grid."""


class Mode(enum.Enum):
    """How a question is answered."""

    CUBE = "cube"
    """From published cells: exact, without limit."""
    AD_HOC = "ad_hoc"
    """From the table on the grid: thresholds, dominance, rounding, overlap control."""
    DP = "dp"
    """Any filter, bounded contributions, calibrated noise, a budget."""


class GridKind(enum.Enum):
    """How fine a dimension is published."""

    EXACT = "exact"
    """Its values themselves."""
    BANDS = "bands"
    """Bands between declared edges; what lies outside the outermost edges is no band's."""
    MONTH = "month"
    """Days by their month."""
    YEAR = "year"
    """Days by their year."""


class Function(enum.Enum):
    """What is computed of the rows of a group, each one exact."""

    SUM = "sum"
    COUNT = "count"
    """Rows, or rows in which a column is not missing."""
    ENTITIES = "entities"
    """Different entities."""
    MIN = "min"
    MAX = "max"


class Cardinality(enum.Enum):
    """How many rows of the right side one row of the left side meets, and the reverse."""

    ONE_ONE = "one_one"
    MANY_ONE = "many_one"
    MANY_MANY = "many_many"


class Kind(enum.Enum):
    """What the values of a column are, for comparing: ordered ones are counted in units."""

    INTEGER = "integer"
    DECIMAL = "decimal"
    DATE = "date"
    TEXT = "text"
    BOOLEAN = "boolean"
    OTHER = "other"
    """Not compared at all: instants, floating numbers, bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The published steps of a dimension. `edges` of BANDS ascend, written as the column's type.

    `values` lists what an EXACT text may be, where that is fixed; then patterns over it are sets.
    """

    kind: GridKind
    edges: tuple[str, ...] = ()
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """How a figure is added up: in units of 10 to the minus `scale`, clamped to its bounds.

    `lower` and `upper` are in those units; a value outside counts as the bound it passed. A
    missing value adds nothing. `functions` are SUM, COUNT, MIN and MAX as far as permitted.
    """

    scale: int
    lower: int
    upper: int
    functions: tuple[Function, ...] = (Function.SUM, Function.COUNT)

    @property
    def digits(self) -> int:
        """Digits of the widest number, those behind the point among them."""
        return max(len(str(max(abs(self.lower), abs(self.upper)))), self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernedColumn:
    """One column a query may name; `type` as the engine writes it."""

    name: str
    role: Role
    type: str
    grid: Grid | None = None
    measure: Measure | None = None

    @property
    def kind(self) -> Kind:
        """What its values are."""
        return kind_of(self.type)[0]

    @property
    def unit_scale(self) -> int:
        """Decimal places of one unit of an ordered column; 0 for whole numbers and days."""
        return kind_of(self.type)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class GovernedTable:
    """One table as buyers write it, over a resource. At least `threshold` entities per answer.

    `entity` is the column that names whom a row is about; None where rows are about nobody.
    """

    name: str
    resource: str
    columns: tuple[GovernedColumn, ...]
    entity: str | None = None
    threshold: int = THRESHOLD_LEAST

    def column(self, name: str) -> GovernedColumn | None:
        """This will give a column by its name, in whichever case it was written."""
        folded = name.lower()
        return next((one for one in self.columns if one.name.lower() == folded), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """A permitted inner join: pairs of columns that must be equal, all of them."""

    left: str
    right: str
    keys: tuple[tuple[str, ...], ...]
    cardinality: Cardinality = Cardinality.MANY_ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class DpTerms:
    """What answers under noise may cost, in millionths of rho; rows that count of one entity."""

    contribution: int
    rho_least: int
    rho_most: int
    organization_ceiling: int
    dataset_ceiling: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryPolicy:
    """What a query product may be asked.

    `rounding` is the step answers are rounded to in ad hoc mode; a group is withheld where one
    entity's part of a sum could be estimated within `dominance` percent by the next largest.
    """

    tables: tuple[GovernedTable, ...]
    joins: tuple[Join, ...] = ()
    modes: tuple[Mode, ...] = (Mode.CUBE,)
    rounding: int = 1
    dominance: int = 10
    dp: DpTerms | None = None
    text_max: int = 20_000
    depth_max: int = 16
    joins_max: int = 8
    rows_max: int = 1_000_000_000
    groups_max: int = 10_000

    def table(self, name: str) -> GovernedTable | None:
        """This will give a table by its name, in whichever case it was written."""
        folded = name.lower()
        return next((one for one in self.tables if one.name.lower() == folded), None)


def kind_of(type_: str) -> tuple[Kind, int]:
    """This will say what a column of an engine's type holds, and the decimal places of a unit."""
    if type_ in _INTEGERS:
        return Kind.INTEGER, 0
    if found := _DECIMAL.match(type_):
        return Kind.DECIMAL, int(found[2])
    plain = {"DATE": Kind.DATE, "VARCHAR": Kind.TEXT, "BOOLEAN": Kind.BOOLEAN}
    return plain.get(type_, Kind.OTHER), 0


def extremes_of(column: GovernedColumn) -> tuple[int, int]:
    """This will give the least and the most units an ordered column's type can hold."""
    if found := _DECIMAL.match(column.type):
        most = 10 ** int(found[1]) - 1
        return -most, most
    return _INTEGERS.get(column.type, (1, date.max.toordinal()))


def units_of(column: GovernedColumn, text: str) -> int | None:
    """This will read an edge as units of a column: whole numbers, scaled ones, days; else None."""
    try:
        if column.kind is Kind.DATE:
            return date.fromisoformat(text).toordinal()
        if column.kind in {Kind.INTEGER, Kind.DECIMAL}:
            scaled = Decimal(text).scaleb(column.unit_scale)
            return int(scaled) if scaled == int(scaled) else None
    except (ValueError, InvalidOperation, OverflowError):
        return None
    return None


def edges_of(column: GovernedColumn) -> tuple[int, ...]:
    """This will give the edges of a banded column in its units."""
    assert column.grid is not None
    found = [units_of(column, edge) for edge in column.grid.edges]
    return tuple(one for one in found if one is not None)


def find_query_columns(policy: QueryPolicy) -> Iterator[tuple[str, str]]:
    """This will name every column a policy can read, as (resource, column)."""
    for table in policy.tables:
        for column in table.columns:
            yield table.resource, column.name


def find_fault(policy: QueryPolicy) -> str | None:
    """This will name the first part of a policy that is not well formed; None where all is."""
    if not 0 < len(policy.tables) <= TABLES_MOST or _repeats(one.name for one in policy.tables):
        return "tables"
    for table in policy.tables:
        if (fault := _table_fault(table)) is not None:
            return fault
    if len(policy.joins) > JOINS_MOST:
        return "joins"
    for join in policy.joins:
        if not _is_join(policy, join):
            return f"joins.{join.left}.{join.right}"
    if not policy.modes or len(set(policy.modes)) != len(policy.modes):
        return "modes"
    return _bounds_fault(policy)


def _bounds_fault(policy: QueryPolicy) -> str | None:
    bounds = {
        "rounding": 1 <= policy.rounding <= 1_000_000,
        "dominance": 0 < policy.dominance <= 100,
        "text_max": 0 < policy.text_max <= 100_000,
        "depth_max": 0 < policy.depth_max <= 64,
        "joins_max": 0 <= policy.joins_max <= TABLES_MOST,
        "rows_max": 0 < policy.rows_max <= 10**12,
        "groups_max": 0 < policy.groups_max <= 1_000_000,
    }
    for part, is_good in bounds.items():
        if not is_good:
            return part
    if (policy.dp is None) == (Mode.DP in policy.modes):
        return "dp"
    if policy.dp is not None and not _are_dp_terms(policy.dp):
        return "dp"
    if Mode.CUBE in policy.modes and not any(
        column.grid is not None for table in policy.tables for column in table.columns
    ):
        return "modes"
    return None


def _are_dp_terms(terms: DpTerms) -> bool:
    return (
        1 <= terms.contribution <= 1_000_000
        and 1 <= terms.rho_least <= terms.rho_most <= terms.organization_ceiling
        and terms.organization_ceiling <= terms.dataset_ceiling <= 10**12
    )


def _table_fault(table: GovernedTable) -> str | None:
    where = f"tables.{table.name[:40]}"
    names = [column.name for column in table.columns]
    if not is_given_name(table.name) or not table.resource.isprintable():
        return where
    if not 0 < len(names) <= COLUMNS_MOST or _repeats(names):
        return f"{where}.columns"
    if not THRESHOLD_LEAST <= table.threshold <= THRESHOLD_MOST:
        return f"{where}.threshold"
    if table.entity is not None:
        entity = table.column(table.entity)
        if entity is None or entity.name != table.entity or entity.role is not Role.KEY:
            return f"{where}.entity"
    for column in table.columns:
        if (part := _column_fault(column)) is not None:
            return f"{where}.{column.name[:40]}.{part}"
    return None


def _column_fault(column: GovernedColumn) -> str | None:
    if not is_given_name(column.name):
        return "name"
    if not 0 < len(column.type) <= 40:
        return "type"
    if column.grid is not None and not _is_grid(column, column.grid):
        return "grid"
    if column.role is Role.DIMENSION and column.grid is None:
        return "grid"
    if (column.role is Role.MEASURE) != (column.measure is not None):
        return "measure"
    if column.measure is not None and not _is_measure(column.measure):
        return "measure"
    return None


def _is_grid(column: GovernedColumn, grid: Grid) -> bool:
    if column.role in {Role.KEY, Role.SENSITIVE} or column.kind is Kind.OTHER:
        return False
    if grid.kind is not GridKind.BANDS and grid.edges:
        return False
    if grid.values and (grid.kind is not GridKind.EXACT or column.kind is not Kind.TEXT):
        return False
    if len(grid.values) > LISTED_MOST or len(set(grid.values)) != len(grid.values):
        return False
    if grid.kind is GridKind.BANDS:
        units = edges_of(column)
        ascending = all(left < right for left, right in pairwise(units))
        return len(units) == len(grid.edges) and 2 <= len(units) <= EDGES_MOST and ascending
    return grid.kind is GridKind.EXACT or column.kind is Kind.DATE


def _is_measure(measure: Measure) -> bool:
    allowed = {Function.SUM, Function.COUNT, Function.MIN, Function.MAX}
    return (
        0 <= measure.scale <= 12
        and measure.lower <= measure.upper
        and measure.digits <= DIGITS_MOST // 2
        and bool(measure.functions)
        and set(measure.functions) <= allowed
    )


def _is_join(policy: QueryPolicy, join: Join) -> bool:
    left, right = policy.table(join.left), policy.table(join.right)
    if left is None or right is None or left is right or not 0 < len(join.keys) <= 4:
        return False
    for pair in join.keys:
        if len(pair) != 2:
            return False
        one, other = left.column(pair[0]), right.column(pair[1])
        if one is None or other is None or kind_of(one.type) != kind_of(other.type):
            return False
        if one.kind is Kind.OTHER or (one.name, other.name) != tuple(pair):
            return False
    return (left.name, right.name) == (join.left, join.right)


def is_given_name(text: str) -> bool:
    """Whether a policy may call a table or column so: an identifier none of ours begins like."""
    return is_identifier(text) and not text.lower().startswith(OWN_PREFIX)


def _repeats(names: Iterator[str] | list[str]) -> bool:
    folded = [name.lower() for name in names]
    return len(set(folded)) != len(folded)


def strictest(first: QueryPolicy, *others: QueryPolicy) -> QueryPolicy:
    """This will give the policy that permits only what every one of these permits.

    Where nothing is left of a part (no table, no mode), what it gives is not well formed, and
    every question to it is refused.
    """
    found = first
    for other in others:
        found = _meet(found, other)
    return found


def _meet(one: QueryPolicy, other: QueryPolicy) -> QueryPolicy:
    modes = tuple(mode for mode in one.modes if mode in other.modes)
    dp = _meet_dp(one.dp, other.dp) if Mode.DP in modes else None
    tables = tuple(
        _meet_tables(table, twin)
        for table in one.tables
        if (twin := other.table(table.name)) is not None
        and (twin.name, twin.resource, twin.entity) == (table.name, table.resource, table.entity)
    )
    return QueryPolicy(
        tables=tables,
        joins=tuple(join for join in one.joins if join in other.joins),
        modes=modes,
        rounding=math.lcm(one.rounding, other.rounding),
        dominance=max(one.dominance, other.dominance),
        dp=dp,
        text_max=min(one.text_max, other.text_max),
        depth_max=min(one.depth_max, other.depth_max),
        joins_max=min(one.joins_max, other.joins_max),
        rows_max=min(one.rows_max, other.rows_max),
        groups_max=min(one.groups_max, other.groups_max),
    )


def _meet_dp(one: DpTerms | None, other: DpTerms | None) -> DpTerms | None:
    if one is None or other is None:
        return None
    return DpTerms(
        contribution=min(one.contribution, other.contribution),
        rho_least=max(one.rho_least, other.rho_least),
        rho_most=min(one.rho_most, other.rho_most),
        organization_ceiling=min(one.organization_ceiling, other.organization_ceiling),
        dataset_ceiling=min(one.dataset_ceiling, other.dataset_ceiling),
    )


def _meet_tables(one: GovernedTable, other: GovernedTable) -> GovernedTable:
    columns = tuple(
        _meet_columns(column, twin)
        for column in one.columns
        if (twin := other.column(column.name)) is not None
        and (twin.name, twin.type, twin.role) == (column.name, column.type, column.role)
    )
    return replace(one, columns=columns, threshold=max(one.threshold, other.threshold))


def _meet_columns(one: GovernedColumn, other: GovernedColumn) -> GovernedColumn:
    return replace(
        one,
        grid=_meet_grids(one, other),
        measure=_meet_measures(one.measure, other.measure),
    )


def _meet_grids(one: GovernedColumn, other: GovernedColumn) -> Grid | None:
    """The coarser of two grids; none where neither is made of whole steps of the other."""
    left, right = one.grid, other.grid
    if left is None or right is None:
        return None
    if left == right:
        return left
    if left.kind is GridKind.EXACT and right.kind is GridKind.EXACT:
        return replace(left, values=())
    if left.kind is GridKind.EXACT:
        return right
    if right.kind is GridKind.EXACT:
        return left
    if {left.kind, right.kind} == {GridKind.MONTH, GridKind.YEAR}:
        return left if left.kind is GridKind.YEAR else right
    edges = tuple(edge for edge in left.edges if edge in right.edges)
    return Grid(kind=GridKind.BANDS, edges=edges) if len(edges) > 1 else None


def _meet_measures(one: Measure | None, other: Measure | None) -> Measure | None:
    """The narrower bounds and the functions both permit; none where scales or bounds disagree."""
    if one is None or other is None or one.scale != other.scale:
        return None
    lower, upper = max(one.lower, other.lower), min(one.upper, other.upper)
    functions = tuple(each for each in one.functions if each in other.functions)
    if lower > upper or not functions:
        return None
    return replace(one, lower=lower, upper=upper, functions=functions)
