# SPDX-License-Identifier: Apache-2.0
"""Benches of grants: how soon a revocation is in effect, and how many checks a second."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg

from lingqu import rights, trust
from lingqu.kernel.errors import LingquError
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.runtime import new_id
from lingqu.wiring import App, open_app
from measured import Figure, Pair, Reading, installation

SUBTREE = 100_000
LEVELS = (100, 1_000, SUBTREE - 1_101)
"""How many grants stand on each level below the one that is revoked."""
CHECKS, WALKS = 200_000, 200
USE = rights.Use(
    purpose="research.academic",
    action="use.query",
    territory="450700",
    environment="domain.gate",
    recipient="bank",
    fields=("company.name", "company.address"),
    level=2,
)
TERMS = TermsForm(
    purposes=ScopeForm(allowed=("research",), prohibited=("research.training",)),
    territories=ScopeForm(allowed=("450000",)),
    actions=ScopeForm(allowed=("use",)),
    environments=ScopeForm(allowed=("domain",)),
    fields=("company.address", "company.name", "company.size"),
    recipients=("bank", "insurer"),
    level_max=3,
)


def bench_grants(rounds: int) -> Reading:
    """Revoking a large subtree until a running checker refuses, and checks from memory."""
    effects, from_memory, walked = [], [], []
    with installation() as settings, open_app(settings) as app:
        tops = [plant(app) for _ in range(rounds)]
        leaves = {top: fill(app, top) for top in tops}
        began = time.perf_counter()
        grants = rights.EffectiveGrants()
        with rights.watching(app.database, grants):
            loading = time.perf_counter() - began
            for top in tops:
                some = random.Random(top).sample(leaves[top], WALKS)
                from_memory.append(check_from_memory(app, grants, some))
                walked.append(check_by_walking(app, some))
                effects.append(1000 * revoke_to_effect(app, grants, top, some))
    return Reading(
        title="Grants",
        method=f"{rounds} trees of {SUBTREE + 1:,} grants each, four deep, copied into the tables;"
        " a checker in the same process hears over a connection of its own and refuses or permits"
        " uses of grants at the bottom without a pause. The time runs from the call of the command"
        " to the first refusal, so the durable commit is in it.",
        pairs=(
            Pair(
                name="checks, one core, one grant after another",
                unit="checks/s",
                ours=tuple(from_memory),
                baseline=tuple(walked),
                against="the same check by walking the tree in PostgreSQL",
            ),
        ),
        figures=(
            Figure(
                name=f"revoking {SUBTREE:,} grants, to effect on a running checker",
                unit="ms",
                values=tuple(effects),
                bar=100,
            ),
            Figure(
                name=f"reading {rounds * (SUBTREE + 1):,} grants into a checker",
                unit="s",
                values=(loading,),
            ),
        ),
    )


def plant(app: App) -> rights.GrantId:
    """Make a root and the grant below it that is to be revoked."""
    party, ground = new_id(trust.PartyId), new_id(rights.GroundId)
    do(app, trust.register_party, party=party, kind=trust.PartyKind.ORGANIZATION, name="甲方")
    do(
        app,
        rights.record_ground,
        ground=ground,
        kind=rights.GroundKind.DUTY,
        title="〈职能〉（演示）",
        party=party,
        evidence=bytes(32),
        articles=("公共数据资源授权运营实施规范（试行） 第二十一条",),
    )
    same = {"holder": party, "kind": rights.GrantKind.HOLDING, "terms": TERMS}
    root = do(app, rights.issue_root, grant=new_id(rights.GrantId), ground=ground, **same)
    top = do(app, rights.issue_grant, grant=new_id(rights.GrantId), parent=root.id, **same)
    return rights.GrantId(top.id)


def fill(app: App, top: rights.GrantId) -> list[str]:
    """Copy a subtree below a grant into the table; gives the ids of its lowest level."""
    with psycopg.connect(app.postgres.owner_conninfo) as owner:
        above = owner.execute(_ROW, (top,)).fetchone()
        assert above is not None
        levels: list[list[str]] = []
        with owner.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in below(above, levels):
                copy.write_row(row)
        owner.commit()
    return levels[-1]


_COLUMNS = "id, ground, parent, root, ancestors, watched, holder, kind, terms, effective, issued_at"
_ROW = f"SELECT {_COLUMNS} FROM rights.grant WHERE id = %s"
_COPY = f"COPY rights.grant ({_COLUMNS}, version) FROM STDIN"


def below(above: tuple[Any, ...], levels: list[list[str]]) -> Iterator[tuple[Any, ...]]:
    """The rows of a subtree, level by level."""
    name, ground, _, root, ancestors, watched, *rest = above
    parents = [(name, ancestors, watched)]
    for count in LEVELS:
        level = []
        for number in range(count):
            parent, elders, seen = parents[number % len(parents)]
            made = new_id(rights.GrantId)
            chain, line = [*elders, parent], [*seen, made]
            level.append((made, chain, line))
            yield made, ground, parent, root, chain, line, *rest, 1
        parents = level
        levels.append([one for one, _, _ in level])


def do(app: App, command: Any, **arguments: Any) -> Any:
    """Do a command as the administrator."""
    administrator = trust.LOCAL_ADMINISTRATOR
    return trust.execute(app.database, command, administrator, new_id(trust.CommandId), **arguments)


def check_from_memory(app: App, grants: rights.EffectiveGrants, some: list[str]) -> float:
    """Checks a second from memory, over many grants in turn."""
    with app.database.reading() as tx:
        now = tx.now
    began = time.perf_counter()
    for number in range(CHECKS):
        grants.check(some[number % WALKS], USE, now)
    return CHECKS / (time.perf_counter() - began)


def check_by_walking(app: App, some: list[str]) -> float:
    """Checks a second in the database, in one transaction."""
    with app.database.reading() as tx:
        began = time.perf_counter()
        for one in some:
            verdict = rights.judge_use(tx, grant=rights.GrantId(one), use=USE)
            assert verdict.permitted, json.dumps(verdict.code)
        return WALKS / (time.perf_counter() - began)


def revoke_to_effect(
    app: App, grants: rights.EffectiveGrants, top: rights.GrantId, some: list[str]
) -> float:
    """Seconds from calling the command until a running checker refuses the grants below."""
    with app.database.reading() as tx:
        now = tx.now
    running, refused = threading.Event(), []

    def check() -> None:
        while True:
            for one in some:
                try:
                    grants.check(one, USE, now)
                except LingquError:
                    refused.append(time.perf_counter())
                    return
            running.set()
            time.sleep(0)

    thread = threading.Thread(target=check)
    thread.start()
    running.wait()
    began = time.perf_counter()
    do(app, rights.revoke_grant, grant=top, cause=rights.RevocationCause.MISCONDUCT)
    thread.join()
    assert not any(grants.judge(one, USE, now).permitted for one in some)
    return refused[0] - began
