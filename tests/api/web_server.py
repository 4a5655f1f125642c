# SPDX-License-Identifier: Apache-2.0
"""Hides how the web tests get a real server: a founded data folder, served on a free port."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import queue
import re
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from lingqu import rights, supply, trust, wiring
from lingqu.cli import serve
from lingqu.kernel.time import Instant
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id
from lingqu.runtime.settings import load_settings
from lingqu.trust import procedures

Answer = TypeVar("Answer")
PASSWORD = "correct horse battery staple"
CSRF = re.compile(r'name="csrf" value="([0-9a-f]{64})"')


def run_aside(work: Coroutine[object, object, Answer]) -> Answer:
    """Run a coroutine in a thread of its own: a browser may have left a loop running in ours."""
    with ThreadPoolExecutor() as aside:
        return aside.submit(asyncio.run, work).result()


@dataclasses.dataclass(slots=True, kw_only=True)
class Server:
    """A running server with an organisation, an administrator, a member and a regulator."""

    url: str
    app: wiring.App
    party: trust.PartyId
    accounts: dict[str, trust.AccountId]
    key: str

    @contextlib.contextmanager
    def browser(self, login: str | None = None, **options) -> Iterator[httpx.Client]:
        """A client with cookies, signed in where a login is named."""
        with httpx.Client(base_url=self.url, timeout=120, **options) as client:
            if login is not None:
                fields = {"login": login, "password": PASSWORD}
                answer = client.post("/login", data={"csrf": token(client.get("/login")), **fields})
                assert answer.status_code == 303, answer.text
            yield client

    def machine(self, key: str | None = None) -> httpx.Client:
        """A client with the administrator's API key, or another one."""
        headers = {"authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def failed_job(self) -> int:
        """A job that failed for good, as a worker leaves it; gives its number."""
        with self.app.database.transaction(trust.PLATFORM) as tx:
            return tx.one(
                "INSERT INTO runtime.procrastinate_jobs (queue_name, task_name, status, attempts)"
                " VALUES ('default', 'trust.sessions.drop_expired', 'failed', 10) RETURNING id"
            )["id"]

    def execute(self, what, **values):
        """A command as the administrator on the machine."""
        caller = trust.LOCAL_ADMINISTRATOR
        return trust.execute(self.app.database, what, caller, new_id(trust.CommandId), **values)


class Shared:
    """One server for all tests of a folder; it ends with them, since even an idle one works."""

    def __init__(self, folder: Path) -> None:
        """Nothing runs before somebody asks."""
        self._folder = folder
        self._open = contextlib.ExitStack()
        self._server: Server | None = None

    def server(self, make_folder: Callable[[str], Path]) -> Server:
        """The server, started where it is not."""
        if self._server is None:
            self._server = self._open.enter_context(running(make_folder(self._folder.name)))
        return self._server

    def leave(self, following: pytest.Item | None) -> None:
        """End the server unless the test that follows is one of the folder."""
        if following is None or self._folder not in following.path.parents:
            self._server = None
            self._open.close()


def token(answer: httpx.Response) -> str:
    """The CSRF token of a page."""
    found = CSRF.search(answer.text)
    assert found, answer.text[:500]
    return found[1]


def filled(path: str, party: str) -> str:
    """A route's path with ids in it that are well formed: the party's, and of nothing that is."""
    given = {
        "party": party,
        "procedure": new_id(procedures.ProcedureId),
        "resource": new_id(supply.ResourceId),
        "grant": new_id(rights.GrantId),
    }
    return re.sub(r"\{(\w+):str\}", lambda found: str(given.get(found[1], "none")), path)


def write(**headers: str) -> dict[str, str]:
    """Headers of a write under a fresh command id."""
    return {"idempotency-key": new_id(trust.CommandId), **headers}


@contextlib.contextmanager
def running(
    folder: Path, *, story_from: Instant | None = None, origin: str = "lingqu.test/web", **overrides
) -> Iterator[Server]:
    """A founded installation, served until the block ends."""
    given = {
        "data_dir": str(folder / "data"),
        "port": 0,
        "login_attempts_per_minute": 10_000,
        "api_requests_per_minute": 1_000_000,
        "checkpoint_interval_ms": 50,
        **overrides,
    }
    settings = load_settings({}, overrides=given)
    wiring.initialize(settings, story_from=story_from, origin=origin)
    with wiring.open_app(settings) as app, _served(app) as url:
        yield _peopled(app, url)


@contextlib.contextmanager
def _served(app: wiring.App) -> Iterator[str]:
    stop, said = threading.Event(), queue.SimpleQueue()

    def run() -> None:
        try:
            serve.serve(app, stop, started=said.put)
        except BaseException as error:
            said.put(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    try:
        url = said.get(timeout=120)
        assert isinstance(url, str), url
        yield url
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def _peopled(app: wiring.App, url: str) -> Server:
    party, secret = new_id(trust.PartyId), trust.new_secret()
    server = Server(url=url, app=app, party=party, accounts={}, key=secret)
    organization = trust.PartyKind.ORGANIZATION
    server.execute(trust.register_party, party=party, kind=organization, name="钦州市数据局")
    password = trust.hash_password(PASSWORD)
    for role in (trust.Role.ADMINISTRATOR, trust.Role.MEMBER, trust.Role.REGULATOR):
        account = server.accounts[role.value] = new_id(trust.AccountId)
        server.execute(
            trust.open_account,
            account=account,
            party=party,
            kind=trust.AccountKind.PERSON,
            login=role.value,
            password=password,
        )
        server.execute(
            trust.assign_role,
            assignment=new_id(trust.AssignmentId),
            account=account,
            role=role,
            party=party,
        )
    server.execute(
        trust.issue_api_key,
        api_key=new_id(trust.ApiKeyId),
        account=server.accounts["administrator"],
        label="tests",
        secret=Hidden(secret),
    )
    return server
