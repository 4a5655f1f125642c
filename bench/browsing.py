# SPDX-License-Identifier: Apache-2.0
"""Bench of the pages: the 95th percentile of each page's time, and the bytes of the home page."""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx

from lingqu import supply, trust
from lingqu.cli import serve
from lingqu.runtime import new_id
from lingqu.runtime.settings import Settings
from lingqu.supply import Access, Description, Field, FieldKind, Frequency, Mode
from lingqu.wiring import App, open_app
from measured import Figure, Pair, Reading, installation

RESOURCES = 10_000
REQUESTS = 40
PASSWORD = "a long enough password"  # of an account that lives as long as the bench
BAR_MS = 300.0
PAGES = (
    ("public home", "/"),
    ("catalog", "/supply/resources"),
    ("catalog, searched", "/supply/resources?q=行政区划&opening=unconditional"),
    ("duty list", "/supply/duties"),
    ("data products", "/market/listings"),
    ("rulebook, searched", "/trust/rules?q=登记"),
)
OWN_PAGES = (
    ("待办", "/"),
    ("procedures", "/trust/procedures"),
    ("facts", "/trust/facts"),
    ("ledger accounts", "/ledger/accounts"),
)


def bench_pages(rounds: int) -> Reading:
    """Pages over a catalog of ten thousand resources, beside the door's own answer."""
    with installation() as settings, open_app(unlimited(settings)) as app:
        _fill(app)
        with served(app) as url, httpx.Client(base_url=url, timeout=60) as client:
            opened = {name: _rounds(client, path, rounds) for name, path in PAGES}
            home = bytes_of_home(client)
            sign_in(client, "bench", PASSWORD)
            opened |= {name: _rounds(client, path, rounds) for name, path in OWN_PAGES}
            bare = _rounds(client, "/health/live", rounds)
    searched = opened["catalog, searched"]
    return Reading(
        title="Pages",
        method=f"{REQUESTS} requests one after the other in each round, over HTTP on this machine,"
        f" with {RESOURCES:,} resources in the catalog; the 95th percentile of each round.",
        pairs=(
            Pair(
                name="the catalog, searched",
                unit="ms",
                ours=searched,
                baseline=bare,
                against="the same server's `/health/live`",
                less_is_better=True,
            ),
        ),
        figures=(
            *(
                Figure(name=f"{name} (p95)", unit="ms", values=found, bar=BAR_MS)
                for name, found in opened.items()
            ),
            Figure(name="public home, transferred", unit="kB", values=(home / 1000,), bar=250.0),
        ),
    )


def unlimited(settings: Settings) -> Settings:
    """This will lift the limit of requests."""
    return replace(settings, api_requests_per_minute=10_000_000)


def _rounds(client: httpx.Client, path: str, rounds: int) -> tuple[float, ...]:
    return tuple(_p95(client, path) for _ in range(rounds))


def _p95(client: httpx.Client, path: str) -> float:
    taken = []
    for _ in range(REQUESTS):
        began = time.perf_counter()
        answer = client.get(path)
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, (path, answer.status_code)
    return sorted(taken)[int(len(taken) * 0.95) - 1]


def bytes_of_home(client: httpx.Client) -> int:
    """This will give what the home page and everything it needs transfer."""
    page = client.get("/")
    needed = sorted({*re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)})
    total = len(page.content)
    for path in needed:
        with client.stream("GET", path) as answer:
            total += sum(len(part) for part in answer.iter_raw())
    return total


def sign_in(client: httpx.Client, login: str, password: str) -> None:
    """This will sign somebody in."""
    found = re.search(r'name="csrf" value="(\w+)"', client.get("/login").text)
    assert found, "the page has its token"
    fields = {"csrf": found[1], "login": login, "password": password}
    assert client.post("/login", data=fields).status_code == 303


@contextmanager
def served(app: App) -> Iterator[str]:
    """This will serve a platform until the block ends, and give its address."""
    stop: threading.Event = threading.Event()
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    thread = threading.Thread(target=serve.serve, args=(app, stop), kwargs={"started": said.put})
    thread.start()
    try:
        yield said.get(timeout=300)
    finally:
        stop.set()
        thread.join()


def _fill(app: App) -> None:
    """A body with its duties and resources, and somebody who signs in."""

    def do(what: trust.Command[..., Any], **values: object) -> None:
        command = new_id(trust.CommandId)
        trust.execute(app.database, what, trust.LOCAL_ADMINISTRATOR, command, **values)

    body, account = new_id(trust.PartyId), new_id(trust.AccountId)
    do(trust.register_party, party=body, kind=trust.PartyKind.ORGANIZATION, name="数据局")
    do(
        trust.open_account,
        account=account,
        party=body,
        kind=trust.AccountKind.PERSON,
        login="bench",
        password=trust.hash_password(PASSWORD),
    )
    assignment = new_id(trust.AssignmentId)
    do(
        trust.assign_role,
        assignment=assignment,
        account=account,
        role=trust.Role.PROVIDER,
        party=body,
    )
    access = tuple(Access)
    for first in range(0, RESOURCES, 1_000):
        duties = tuple(
            supply.NewDuty(
                id=new_id(supply.DutyId),
                body=body,
                item=f"事项{first + at}",
                basis="三定规定",
                territory="450721",
            )
            for at in range(1_000)
        )
        do(supply.register_duties, duties=duties)
        for at, duty in enumerate(duties):
            described = Description(
                title=f"行政区划数据{first + at}",
                summary="县、乡镇、村三级行政区划的代码和名称。",
                frequency=Frequency.MONTHLY,
                mode=Mode.PHYSICAL,
                sharing=access[at % 3],
                opening=access[(at + 1) % 3],
                fields=(
                    Field(name="code", label="代码", kind=FieldKind.TEXT),
                    Field(name="name", label="名称", kind=FieldKind.TEXT),
                ),
                reason="按分类目录",
            )
            do(
                supply.describe_resource,
                resource=new_id(supply.ResourceId),
                duty=duty.id,
                description=described,
            )
