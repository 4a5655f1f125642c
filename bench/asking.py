# SPDX-License-Identifier: Apache-2.0
"""What the gate itself takes for one question: a small installation, cube answers, metering."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from calling import CREDIT, _Acts
from lingqu import errands, gate, ledger, trust, wiring
from lingqu.gate import governance
from lingqu.runtime import db, new_id
from lingqu.supply import Field, FieldKind
from measured import installation

ROWS = 20_000
ASKED = 25
"""So many questions are one value."""
QUESTION = "SELECT city, kind, count(*) AS {name}, sum(amount) AS s FROM t GROUP BY city, kind"
Times = tuple[float, ...]


def whole_way(rounds: int) -> tuple[Times, Times, Times]:
    """Milliseconds a question takes beside its commits: its text known, never read; one commit.

    A commit is taken for what it costs where the database has nothing else to do with it.
    """
    with installation() as settings, wiring.open_app(settings) as app:
        ask = _prepare(app)
        with _commits() as commits:
            for number in range(ASKED):
                ask(f"first{number}")
            known, new, durable = [], [], []
            for turn in range(rounds):
                durable.append(_durable(app.database, commits))
                known.append(_beside(commits, durable[-1], lambda _: ask("n")))
                new.append(
                    _beside(commits, durable[-1], lambda at, turn=turn: ask(f"n{turn}_{at}"))
                )
    return tuple(known), tuple(new), tuple(durable)


def _durable(database: db.Database, commits: list[float]) -> float:
    """The middle of many commits of one row each, in milliseconds."""
    before = len(commits)
    for _ in range(ASKED):
        with database.transaction(trust.LOCAL_ADMINISTRATOR) as tx:
            tx.execute(
                "INSERT INTO gate.reply VALUES (%s, '', '', '', now())", (new_id(gate.CallId),)
            )
    return 1000 * statistics.median(commits[before:])


def _beside(commits: list[float], durable: float, ask: Any) -> float:
    """The middle of many questions in milliseconds, without the commits they waited for."""
    taken = []
    for at in range(ASKED):
        before, began = len(commits), time.perf_counter()
        ask(at)
        took = 1000 * (time.perf_counter() - began)
        taken.append(took - durable * (len(commits) - before))
    return statistics.median(taken)


@contextmanager
def _commits() -> Iterator[list[float]]:
    """How long each commit of this process takes from now on."""
    found: list[float] = []
    commit = db._commit  # noqa: SLF001  # what is counted

    def timed(*given: Any) -> None:
        began = time.perf_counter()
        commit(*given)
        found.append(time.perf_counter() - began)

    db._commit = timed  # noqa: SLF001  # the same
    try:
        yield found
    finally:
        db._commit = commit  # noqa: SLF001  # the same


def _prepare(app: wiring.App) -> Any:
    """Publish a product over a small table; gives what asks a question under a grant of it."""
    do = _Acts(app)
    operator, buyer = do.party("〈运营公司〉（演示）"), do.party("〈银行〉（演示）")
    kinds = {"person": FieldKind.TEXT, "city": FieldKind.TEXT, "kind": FieldKind.TEXT,
             "amount": FieldKind.INTEGER}  # fmt: skip
    fields = [Field(name=name, label=name, kind=kind) for name, kind in kinds.items()]
    draw = random.Random(1)  # the same rows in every run
    lines = (
        f"p{draw.randrange(ROWS // 4)},c{draw.randrange(20)},k{draw.randrange(4)},{at % 90}\n"
        for at in range(ROWS)
    )
    resource = do.table(operator, fields, lines)
    do(ledger.register_currency, currency=gate.CALL, scale=0, name_zh="次", name_en="calls")
    root, product = do.root(operator), new_id(gate.ProductId)
    do(
        gate.define_product,
        product=product,
        grant=root,
        form=gate.Form.QUERY,
        title="x",
        summary="x",
        policy=_policy(resource),
    )
    errands.publish_product(
        app, trust.LOCAL_ADMINISTRATOR, new_id(trust.CommandId), product=product
    )
    grant = do.grant(root, buyer)
    asker = gate.Asker(account=trust.LOCAL_ADMINISTRATOR.account, may_call=True)

    def ask(name: str) -> gate.CallAnswer:
        request = gate.CallRequest(
            call=new_id(gate.CallId),
            grant=grant,
            product=product,
            purpose=CREDIT,
            query=QUESTION.format(name=name),
            mode="cube",
        )
        return app.asking.ask(request, asker)

    return ask


def _policy(resource: str) -> governance.QueryPolicy:
    column, role = governance.GovernedColumn, governance.Role
    exact = governance.Grid(kind=governance.GridKind.EXACT)
    measure = governance.Measure(scale=0, lower=0, upper=100)
    return governance.QueryPolicy(
        tables=(
            governance.GovernedTable(
                name="t",
                resource=resource,
                entity="person",
                threshold=11,
                columns=(
                    column(name="person", role=role.KEY, type="VARCHAR"),
                    column(name="city", role=role.DIMENSION, type="VARCHAR", grid=exact),
                    column(name="kind", role=role.DIMENSION, type="VARCHAR", grid=exact),
                    column(name="amount", role=role.MEASURE, type="BIGINT", measure=measure),
                ),
            ),
        ),
        modes=(governance.Mode.CUBE, governance.Mode.AD_HOC),
    )
