# SPDX-License-Identifier: Apache-2.0
"""Bench of procedures: many moved by their clocks in batches, some by people one by one."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections.abc import Callable
from typing import Any, ParamSpec

import psycopg

from lingqu import trust
from lingqu.kernel.charts import Chart, Label, Length, Move, Role, Standing, State, Timer, Unit
from lingqu.runtime import Tx, new_id
from lingqu.trust import procedures
from lingqu.trust.procedures import Part, firing
from lingqu.wiring import App, open_app
from measured import Pair, Reading, installation

P = ParamSpec("P")
PROCEDURES = 10_000
ALONE = 100
CODE = "bench.steps"
BEGAN = dt.datetime(2026, 9, 1, 2, tzinfo=dt.UTC)
WORDS = Label(zh="步", en="step")

_BARE_BATCH = "UPDATE bench.procedure SET state = %s, version = version + 1 WHERE id = ANY(%s)"
_BARE_ONE = "UPDATE bench.procedure SET state = %s, version = version + 1 WHERE id = %s"


def bench_procedures(rounds: int) -> Reading:
    """Each round moves every procedure one step on, against bare updates of as many rows."""
    clocks, bare_batch, people, bare_one = [], [], [], []
    with (
        installation(story_from=BEGAN) as settings,
        open_app(settings) as app,
        psycopg.connect(app.postgres.owner_conninfo) as owner,
    ):
        many, few = prepare(app, rounds)
        copy_rows(owner)
        for step in range(rounds):
            seconds = timed(move_alone, app, few, step)
            people.append(len(few) / seconds)
            seconds = timed(bare_alone, owner, few, step)
            bare_one.append(len(few) / seconds)
        for step in range(rounds):
            pass_day(app, step)
            seconds = timed(procedures.fire_due_timers, app.database, trust.PLATFORM)
            clocks.append(len(many) / seconds)
            seconds = timed(bare_batches, owner, many, step)
            bare_batch.append(len(many) / seconds)
        check_moved(app, rounds)
    pairs = (
        Pair(
            name="moved by their clocks in batches, with steps, clocks, facts and evidence",
            unit="procedures/s",
            ours=tuple(clocks),
            baseline=tuple(bare_batch),
            against="the state of as many rows updated bare, one commit for each batch",
        ),
        Pair(
            name="moved by a person, one command each",
            unit="procedures/s",
            ours=tuple(people),
            baseline=tuple(bare_one),
            against="the state of one row updated bare, one commit each",
        ),
    )
    return Reading(
        title="Procedures",
        method=f"A chart of {rounds} steps, each with a clock of one day. In each round"
        f" {PROCEDURES:,} procedures are moved one step by their clocks and {ALONE} by a person;"
        " every move writes its step, ends a clock, starts the next and leaves a fact with the"
        " digests of four rows. The baseline updates nothing but the state.",
        pairs=pairs,
    )


def copy_rows(owner: psycopg.Connection[Any]) -> None:
    """Copy the rows of the procedures, with their key and nothing else."""
    owner.execute("CREATE SCHEMA bench")
    owner.execute("CREATE TABLE bench.procedure AS SELECT * FROM trust.procedure")
    owner.execute("ALTER TABLE bench.procedure ADD PRIMARY KEY (id)")
    owner.commit()


def timed(work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> float:
    """The seconds some work takes."""
    began = time.perf_counter()
    work(*args, **kwargs)
    return time.perf_counter() - began


def chart(steps: int) -> Chart:
    """A chart of so many steps, each made by a person or, after a day, by its clock."""
    names = [f"step_{number}" for number in range(steps + 1)]
    states = [
        State(
            name=name,
            label=WORDS,
            turn=None if number == steps else "clerk",
            standing=Standing.TERMINAL if number == steps else Standing.OPEN,
        )
        for number, name in enumerate(names)
    ]
    moves, timers = [], []
    for number, (source, target) in enumerate(itertools.pairwise(names)):
        ways = {f"go_{number}": "clerk", f"pass_{number}": "clock"}
        moves += [
            Move(name=name, label=WORDS, sources=(source,), target=target, actor=actor)
            for name, actor in ways.items()
        ]
        timers.append(
            Timer(
                name=f"day_{number}",
                label=WORDS,
                starts=source,
                runs=(source,),
                length=Length(count=1, unit=Unit.DAYS),
                rule="house.bench",
                fires=f"pass_{number}",
            )
        )
    return Chart(
        code=CODE,
        edition=1,
        label=WORDS,
        initial=names[0],
        roles=(Role(name="clerk", label=WORDS),),
        states=tuple(states),
        moves=tuple(moves),
        timers=tuple(timers),
    )


@trust.command("bench.procedures.begin", internal=True)
def begin_many(tx: Tx, *, ids: tuple[procedures.ProcedureId, ...], owner: trust.PartyId) -> None:
    """Open many procedures in one transaction, as a package's own command may."""
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.PROCEDURE)
    clerk = Part(role="clerk", account=trust.AccountId(trust.LOCAL_ADMINISTRATOR.account))
    for one in ids:
        procedures.begin_procedure(
            tx, procedure=one, chart=CODE, subject=one, title="步", owner=owner, parts=(clerk,)
        )


def prepare(
    app: App, steps: int
) -> tuple[list[procedures.ProcedureId], list[procedures.ProcedureId]]:
    """Register the chart and open all procedures: those for the clocks, and those for a person."""
    owner = new_id(trust.PartyId)
    kind = trust.PartyKind.ORGANIZATION
    execute(app, trust.register_party, party=owner, kind=kind, name="办理单位（演示）")
    execute(app, procedures.register_chart, chart=chart(steps))
    ids = [new_id(procedures.ProcedureId) for _ in range(PROCEDURES + ALONE)]
    for start in range(0, len(ids), firing.BATCH):
        execute(app, begin_many, ids=tuple(ids[start : start + firing.BATCH]), owner=owner)
    return ids[ALONE:], ids[:ALONE]


def execute(app: App, what: trust.Command[..., Any], **values: Any) -> None:
    """Do a command as the administrator on the machine."""
    caller = trust.LOCAL_ADMINISTRATOR
    trust.execute(app.database, what, caller, new_id(trust.CommandId), **values)


def pass_day(app: App, step: int) -> None:
    """Move the story clock to the moment at which the clocks of this step have run out."""
    execute(app, trust.move_story_clock, to=BEGAN + dt.timedelta(days=2 * step + 2))


def move_alone(app: App, few: list[procedures.ProcedureId], step: int) -> None:
    """One move of each procedure, a command each."""
    for one in few:
        execute(app, procedures.move_procedure, procedure=one, move=f"go_{step}", version=step + 1)


def bare_alone(
    owner: psycopg.Connection[Any], few: list[procedures.ProcedureId], step: int
) -> None:
    """One row each, one commit each."""
    for one in few:
        owner.execute(_BARE_ONE, (f"step_{step + 1}", one), prepare=True)
        owner.commit()


def bare_batches(
    owner: psycopg.Connection[Any], many: list[procedures.ProcedureId], step: int
) -> None:
    """As many rows, a commit for each batch."""
    for start in range(0, len(many), firing.BATCH):
        batch = many[start : start + firing.BATCH]
        owner.execute(_BARE_BATCH, (f"step_{step + 1}", batch), prepare=True)
        owner.commit()


def check_moved(app: App, steps: int) -> None:
    """Every procedure must have reached the end, or the figures mean nothing."""
    with app.database.reading() as tx:
        sql = "SELECT count(*) AS n FROM trust.procedure WHERE state = %s AND ended_at IS NOT NULL"
        assert tx.one(sql, (f"step_{steps}",))["n"] == PROCEDURES + ALONE, "all were moved"
