# SPDX-License-Identifier: Apache-2.0
"""A loaded table of visits with people, towns, days and amounts, and products that ask about it."""

import random
from datetime import date, timedelta

from lingqu import gate, supply
from lingqu.gate import governance
from lingqu.gate.asking import Asking
from lingqu.runtime import new_id
from lingqu.runtime.engine import Limits
from lingqu.supply import Access, Description, Field, FieldKind, Frequency, Mode

TOWNS = ("甲", "乙", "丙", "丁")
KINDS = ("门诊", "住院")
FIELDS = (
    Field(name="person", label="人员", kind=FieldKind.TEXT),
    Field(name="town", label="乡镇", kind=FieldKind.TEXT),
    Field(name="kind", label="类别", kind=FieldKind.TEXT),
    Field(name="visited", label="日期", kind=FieldKind.DATE),
    Field(name="amount", label="金额", kind=FieldKind.INTEGER),
)
K = 5


def visits(count=600, *, people=120, seed=7):
    """Rows of visits: people come several times, some rows name nobody, one cell is tiny."""
    draw = random.Random(seed)  # a seeded fixture
    rows = []
    for at in range(count):
        who = f"p{draw.randrange(people):04}" if at % 50 else ""
        day = date(2026, 1, 1) + timedelta(days=draw.randrange(90))
        rows.append({
            "person": who, "town": draw.choice(TOWNS), "kind": draw.choice(KINDS),
            "visited": day.isoformat(), "amount": str(draw.randrange(100)),
        })  # fmt: skip
    rows += [
        {
            "person": f"q{at}", "town": "戊", "kind": KINDS[at % 2], "visited": "2026-02-01",
            "amount": "50",
        }
        for at in range(3)
    ]  # fmt: skip
    return rows


def columns():
    column, role, grid = governance.GovernedColumn, governance.Role, governance.Grid
    exact, month = governance.GridKind.EXACT, governance.GridKind.MONTH
    return (
        column(name="person", role=role.KEY, type="VARCHAR"),
        column(name="town", role=role.DIMENSION, type="VARCHAR", grid=grid(kind=exact)),
        column(name="kind", role=role.DIMENSION, type="VARCHAR", grid=grid(kind=exact)),
        column(name="visited", role=role.DIMENSION, type="DATE", grid=grid(kind=month)),
        column(
            name="amount", role=role.MEASURE, type="BIGINT",
            measure=governance.Measure(scale=0, lower=0, upper=100),
        ),
    )  # fmt: skip


def policy(resource, *modes, **changes):
    table = governance.GovernedTable(
        name="visit", resource=resource, columns=columns(), entity="person", threshold=K
    )
    given = {"tables": (table,), "modes": modes or (governance.Mode.AD_HOC,), "dominance": 10}
    return governance.QueryPolicy(**given | changes)


PATIENT = (
    Field(name="id", label="人员", kind=FieldKind.TEXT),
    Field(name="sex", label="性别", kind=FieldKind.TEXT),
)


def sex_of(person, *, sexes="女男男男"):
    return sexes[int(person[1:]) % len(sexes)]


def patients(people=120, **sexes):
    """Everybody who visits, but for those of the tiny cell."""
    names = [f"p{at:04}" for at in range(people)]
    return [{"id": name, "sex": sex_of(name, **sexes)} for name in names]


def joined_policy(visit, patient, *modes, **changes):
    """Visits with the sex of whom they are about."""
    column, role, grid = governance.GovernedColumn, governance.Role, governance.Grid
    exact = grid(kind=governance.GridKind.EXACT)
    table = governance.GovernedTable(
        name="patient", resource=patient, entity="id", threshold=K + 1,
        columns=(
            column(name="id", role=role.KEY, type="VARCHAR"),
            column(name="sex", role=role.DIMENSION, type="VARCHAR", grid=exact),
        ),
    )  # fmt: skip
    join = governance.Join(left="visit", right="patient", keys=(("person", "id"),))
    tables = (*policy(visit).tables, table)
    return policy(visit, *modes, **{"tables": tables, "joins": (join,)} | changes)


def load(world, rows, *, fields=FIELDS):
    """Describe, grade and load a table with typed fields; gives its resource."""
    body = world.place.party("〈医院〉（演示）")
    duty = new_id(supply.DutyId)
    item = f"就诊记录{new_id(supply.DutyId)[-6:]}"
    world.do(supply.register_duty, duty=duty, body=body, item=item, basis="三定", territory="45")
    resource = new_id(supply.ResourceId)
    world.do(
        supply.describe_resource,
        resource=resource,
        duty=duty,
        description=Description(
            title=item, summary=item, frequency=Frequency.YEARLY, mode=Mode.PHYSICAL,
            sharing=Access.UNCONDITIONAL, opening=Access.UNCONDITIONAL, fields=fields,
        ),
    )  # fmt: skip
    world.do(supply.grade_resource, resource=resource, level=2, reason="公开")
    world.deliver(resource, rows)
    return resource


def asking(world, desk, *, time_ms=2_000):
    return Asking(
        world.place.database,
        desk=desk,
        engine=lambda: world.engine,
        keyring=world.keyring,
        folder=world.folder / "gate",
        limits=Limits(time_ms=time_ms),
        turns=2,
    )


def ask(world, made, product, grant, text, *, asker=None, **changes):
    request = world.request(product, grant, query=text, **changes)
    return made.ask(request, asker or world.asker)


def rows_of(answer):
    return [tuple(row) for row in answer.released["rows"]]


FORM = gate.Form.QUERY
