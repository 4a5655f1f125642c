# SPDX-License-Identifier: Apache-2.0
"""Hides who sends what in the full matrix of fuzzed requests: people at pages, and a machine."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import secrets
import sys
import time
from collections.abc import Iterator

import httpx
from api_fuzz import fuzz, routes
from crawling import ROUTES, Found, kinds, walk
from every_field import fresh
from page_fuzz import Fuzzer, group_of
from web_server import PASSWORD, Server

from lingqu import trust
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id

MANY = int(os.environ.get("LINGQU_FUZZ_REQUESTS") or 5000)
"""Requests to each group in the full matrix."""
STREAMS = {("GET", "/live")}
"""What does not end by itself."""


class Seats:
    """Browsers by login, signed in again where a session has ended."""

    def __init__(self, server: Server) -> None:
        """Nobody sits yet."""
        self.server = server
        self._open = contextlib.ExitStack()
        self._browsers: dict[str | None, httpx.Client] = {}

    def __call__(self, login: str | None) -> httpx.Client:
        """The browser of a login; `everybody` is a person with every role for every body."""
        if login not in self._browsers:
            known = everybody(self.server)[1] if login == "everybody" else login
            self._browsers[login] = self._open.enter_context(self.server.browser(known))
        return self._browsers[login]

    def leave(self, login: str | None) -> None:
        """Sign in anew the next time; where the account is gone, with a new one for everybody."""
        self._browsers.pop(login, None)
        with contextlib.suppress(AssertionError):
            self(login)
            return
        self._browsers[login] = self("everybody")

    def close(self) -> None:
        """Everybody leaves."""
        self._open.close()


def everybody(server: Server) -> tuple[trust.AccountId, str]:
    """Open an account with every role for every body; gives it and its login."""
    account, login = new_id(trust.AccountId), f"everybody{secrets.token_hex(4)}"
    server.execute(
        trust.open_account, account=account, party=_home(server), kind=trust.AccountKind.PERSON,
        login=login, password=trust.hash_password(PASSWORD),
    )  # fmt: skip
    give_every_role(server, account)
    return account, login


def _home(server: Server) -> trust.PartyId:
    """A party of one's own: any other may be gone, for among the requests are those that erase."""
    party = new_id(trust.PartyId)
    server.execute(
        trust.register_party, party=party, kind=trust.PartyKind.ORGANIZATION, name="〈众人〉"
    )
    return party


def give_every_role(server: Server, account: trust.AccountId) -> None:
    """Give an account all there is to be given."""
    nobody = {trust.Role.PLATFORM, trust.Role.SIGNED_IN, trust.Role.VISITOR}
    given = [one for one in trust.Role if one not in nobody]
    with server.app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        parties = [trust.PartyId(one["id"]) for one in tx.all("SELECT id FROM trust.party")]
    for role, party in itertools.product(given, parties):
        server.execute(
            trust.assign_role, assignment=fresh("rol"), account=account, role=role, party=party
        )


def machine_key(server: Server) -> str:
    """The key of a machine that may do everything for everybody."""
    account, secret = new_id(trust.AccountId), trust.new_secret()
    server.execute(
        trust.open_account, account=account, party=_home(server), kind=trust.AccountKind.MACHINE,
        login=None, password=None,
    )  # fmt: skip
    server.execute(
        trust.issue_api_key, api_key=new_id(trust.ApiKeyId), account=account, label="everything",
        secret=Hidden(secret),
    )  # fmt: skip
    give_every_role(server, account)
    return secret


@dataclasses.dataclass(slots=True, kw_only=True)
class World:
    """A place with things in it, and what people came across there."""

    server: Server
    seats: Seats
    found: Found
    logins: tuple[str | None, ...]

    def known(self) -> dict[str, list[str]]:
        """What stands in the fields of the API, by their names."""
        by_kind = {
            name: sorted(self.found.ids[prefix])
            for name, prefix in kinds().items()
            if prefix in self.found.ids
        }
        days = ["2026-09-01", "2026-09-30", "2025-06-10"]
        every = sorted(itertools.chain.from_iterable(self.found.ids.values()))
        return {"subject": every, "day": days, "begins": days, "ends": days} | by_kind


@contextlib.contextmanager
def seated(server: Server, logins: tuple[str | None, ...]) -> Iterator[World]:
    """Walk through all pages as each login; gives the world."""
    found, seats = Found(), Seats(server)
    try:
        for login in logins:
            walk(seats(login), found)
        yield World(server=server, seats=seats, found=found, logins=logins)
    finally:
        seats.close()


def _number() -> int:
    number = int(os.environ.get("LINGQU_FUZZ_SEED") or secrets.randbelow(2**32))
    sys.stdout.write(f"LINGQU_FUZZ_SEED={number}\n")
    return number


def fuzz_pages(world: World, group: str, many: int | None = None) -> None:
    """Send requests to the pages of a group, each route in turn; one to each unless told."""
    places = [one for one in ROUTES if group_of(one) == group and one not in STREAMS]
    began = time.monotonic()
    fuzzer = Fuzzer(_number(), world.found, world.seats, (*world.logins, "everybody"))
    for place in itertools.islice(itertools.cycle(places), many or len(places)):
        fuzzer.send(place)
    _tell(group, fuzzer.sent, len(places), began)
    assert not fuzzer.faults, "\n".join(map(str, fuzzer.faults))


def fuzz_api(world: World, group: str, many: int) -> None:
    """Send requests to the API's routes of a group, with ids of what there is in the world."""
    number, known = _number(), world.known()
    sent, turn, faults, began = 0, 0, [], time.monotonic()
    with world.server.machine(machine_key(world.server)) as machine:
        found = routes(machine.get("/api/openapi.json").json(), group)
    # A route that takes little is soon out of new requests; the others make up for it.
    while sent < many:
        each = -(-(many - sent) // len(found))
        key = machine_key(world.server)
        for route in found:
            done, wrong = fuzz(route, world.server, number + turn, each, key=key, known=known)
            sent += done
            faults += wrong
        turn += 1
    _tell(group, sent, len(found), began)
    assert not faults, "\n".join(faults)


def _tell(group: str, sent: int, places: int, began: float) -> None:
    took = time.monotonic() - began
    sys.stdout.write(f"{group}: {sent} requests to {places} places in {took:.0f} s\n")
