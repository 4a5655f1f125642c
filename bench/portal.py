# SPDX-License-Identifier: Apache-2.0
"""Bench of every page: on the demonstration's data, then with a market of many products and calls.

Whoever takes part in the story opens every page that is linked from theirs, and of each list what
its heads, filters, pages and search lead to. A page that nothing links to at the story's end is
asked for with the ids that were met, until somebody may see it. What the portal has a route for and
nobody reached is reported by name, so that the walk cannot grow thin unseen. Each kind of page is
measured with the person it costs most.

`portal.py FOLDER` keeps both worlds in the folder, builds only what is not there yet, and prints
every page: the wall time, and beside it what the server and its database computed and waited for a
processor, which tells a slow page from a loaded machine.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import os
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

import worlds
from browsing import bytes_of_home, served, sign_in, unlimited
from lingqu import trust
from lingqu.cli.story.opening import accounts_file, read_passwords
from lingqu.runtime.observability import configure_logging
from lingqu.runtime.settings import Settings
from lingqu.ui.app import _HANDLERS
from lingqu.wiring import App, open_app
from measured import Figure, Reading, bench_folder

REQUESTS = 8
"""How often each page is asked for in a round; the rounds go over all pages in turn."""
DEMO_BAR_MS, MARKET_BAR_MS, HOME_BAR_KB = 150.0, 300.0, 250.0
SHOWN = 12
"""How many pages are reported one by one: the slowest."""
ADDRESSES = 2
"""How many addresses of one kind of page are opened for one person."""
TRIED = 6
"""With how many things a page that nothing links to is tried."""
WORD = "核验"
LOOP_MS = 10.0
_HREF = re.compile(r'href="([^"#]*)"')
_CHOICE = re.compile(r'<select[^>]* id="by-\w+" name="(\w+)">.*?<option value="([^"]+)"', re.DOTALL)
_ID = re.compile(r"[a-z]{3}_[0-9a-z]{26}")
_FILES = re.compile(r"format=|/documents/|/files/|/static/|/api/|/log/|\.xlsx|/(docx|pdf|png|zip)$")
_NO_PAGES = re.compile(
    r"\{ending:str\}|/static/|/favicon|\.xlsx$|/bundles?[/$]|/bundle$|/files/|/policy$|/material$"
    r"|^/live$|^/login/openid/return$|^/api/docs$"
)
"""Routes that answer with a file, a stream, or somebody else's page."""
_PARAMETER = re.compile(r"\{\w+:str\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who opens pages, and the connection they keep."""

    login: str
    client: httpx.Client


@dataclass(slots=True, kw_only=True)
class Opened:
    """One kind of page with the address and the person it cost most for, and its times.

    `reached` is what it cost when it was reached, in milliseconds of processor; `computed` and
    `waited` are nanoseconds of all requests together: of the server and its database, and of
    waiting for a processor that something else was using.
    """

    kind: str
    path: str
    who: Person
    reached: float
    rounds: list[float] = field(default_factory=list)
    requests: int = 0
    computed: int = 0
    waited: int = 0

    @property
    def p95(self) -> float:
        """The median of the rounds' 95th percentiles, in milliseconds."""
        return statistics.median(self.rounds)

    @property
    def cpu(self) -> float:
        """Milliseconds of processor for one request."""
        return self.computed / self.requests / 1_000_000

    @property
    def idle(self) -> float:
        """Milliseconds that one request waited for a processor."""
        return self.waited / self.requests / 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """All pages of one world, the routes nobody reached, and how busy the machine was."""

    pages: tuple[Opened, ...]
    missed: tuple[str, ...]
    loop: tuple[float, ...]
    home: int


def bench_portal(rounds: int) -> Reading:
    """Every page by whoever works on it: first as the demonstration leaves it, then multiplied."""
    with bench_folder() as folder:
        demo, market = (_walked(one, rounds) for one in _worlds(folder))
    return Reading(
        title="Every page",
        method="Each kind of page that somebody of the story reaches, and each list sorted,"
        f" filtered, searched for {WORD} and turned to another page; {REQUESTS} requests a round"
        " over HTTP on this machine by whom it costs most, the 95th percentile of each round."
        f" The market has {worlds.PRODUCTS:,} products and {worlds.CALLS:,} metered calls under"
        f" {worlds.CONTRACTS} contracts. A loop of about {LOOP_MS:g} ms of hashing, run between"
        " the pages, says how busy the machine was; `processor` is what the server and its"
        " database computed for one request of the page.",
        figures=(
            *_figures("demonstration", demo, DEMO_BAR_MS),
            *_figures("market", market, MARKET_BAR_MS),
        ),
    )


def _worlds(folder: Path) -> Iterator[Settings]:
    yield worlds.told(folder, "demo")
    yield worlds.market(folder)


def _walked(settings: Settings, rounds: int) -> Walk:
    with open_app(unlimited(settings)) as app, served(app) as url:
        return walk(app, url, rounds)


def _figures(world: str, found: Walk, bar: float) -> Iterator[Figure]:
    for one in _slowest(found)[:SHOWN]:
        name = f"{world}: {one.kind} (p95; processor {one.cpu:.0f} ms)"
        yield Figure(name=name, unit="ms", values=tuple(one.rounds), bar=bar)
    over = sum(one.p95 >= bar for one in found.pages)
    count = len(found.pages)
    yield Figure(name=f"{world}: pages over the bar of {count}", unit="", values=(over,), bar=1)
    yield Figure(
        name=f"{world}: routes no page was opened of", unit="", values=(len(found.missed),), bar=1
    )
    yield Figure(
        name=f"{world}: home of the public, transferred", unit="kB", values=(found.home / 1000,),
        bar=HOME_BAR_KB,
    )  # fmt: skip
    yield Figure(name=f"{world}: the loop of hashing (p95)", unit="ms", values=found.loop)


def _slowest(found: Walk) -> list[Opened]:
    return sorted(found.pages, key=lambda one: one.p95, reverse=True)


def walk(
    app: App,
    url: str,
    rounds: int,
    *,
    only: str = "",
    logins: Sequence[str] = (),
    requests: int = REQUESTS,
) -> Walk:
    """This will open each kind of page that somebody reaches, and measure it.

    With `only` those whose kind holds that text, with `logins` those that these people reach.
    """
    passwords = read_passwords(accounts_file(app.settings.data_dir))
    database = _postmaster(app)
    people = []
    for login in logins or ("public", *passwords):
        client = httpx.Client(base_url=url, timeout=120)
        if login in passwords:
            sign_in(client, login, passwords[login])
        people.append(Person(login=login, client=client))
    try:
        reached, missed = _reach(people, database)
        pages = [one for kind, one in sorted(reached.items()) if only in kind]
        if not pages:
            raise SystemExit(f"nobody reaches a page whose address holds {only!r}")
        loops = []
        for _ in range(rounds):
            turn = []
            for one in pages:
                _measure(one, requests, database)
                turn.append(_loop())
            loops.append(_p95(turn))
        return Walk(
            pages=tuple(pages),
            missed=missed,
            loop=tuple(loops),
            home=bytes_of_home(people[0].client),
        )
    finally:
        for person in people:
            person.client.close()


def _reach(people: list[Person], database: int) -> tuple[dict[str, Opened], tuple[str, ...]]:
    """Each kind of page with where and for whom it costs most, and the routes without one."""
    reached: dict[str, Opened] = {}
    ids: dict[str, None] = {}
    addresses: set[str] = set()

    def keep(kind: str, path: str, who: Person) -> httpx.Response:
        before = _used(database)[0]
        answer = _get(who.client, path)
        cost = (_used(database)[0] - before) / 1_000_000
        if answer.status_code == 200 and (kind not in reached or cost > reached[kind].reached):
            reached[kind] = Opened(kind=kind, path=path, who=who, reached=cost)
        return answer

    for who in people:
        for path, answer in _linked(who, keep):
            for variant, address in _asked(path, answer.text):
                keep(f"{_kind(path)} ({variant})", address, who)
            ids.update(dict.fromkeys(_ID.findall(answer.text)))
            addresses.update(_HREF.findall(answer.text))
    opened = {kind.partition(" ")[0] for kind in reached}
    missed = []
    for route in routes():
        if _shown(route) not in opened:
            guessed = _guessed(people, _likely(route, addresses, list(ids)))
            if guessed is None:
                missed.append(route)
            else:
                keep(_shown(route), *guessed)
    return reached, tuple(missed)


def _linked(
    who: Person, keep: Callable[[str, str, Person], httpx.Response]
) -> Iterator[tuple[str, httpx.Response]]:
    """The pages that links lead a person to, some of each kind, each opened by `keep`."""
    known, waiting = defaultdict(set, {"/": {"/"}}), ["/"]
    while waiting:
        path = waiting.pop(0)
        kind = _kind(path)
        name = f"{kind} · {who.login}" if kind == "/" else kind
        answer = keep(name, path, who)
        if answer.status_code != 200 or "text/html" not in answer.headers["content-type"]:
            continue
        yield path, answer
        for href in _HREF.findall(answer.text):
            address = href.replace("&amp;", "&").partition("?")
            others = known[_kind(address[0])]
            is_new = address[0] not in others and len(others) < ADDRESSES
            if href.startswith("/") and is_new and not _FILES.search(href):
                others.add(address[0])
                waiting.append("".join(address))


def _kind(path: str) -> str:
    """The route that answers an address, with one word for whatever it names."""
    bare = path.partition("?")[0]
    if bare in routes():
        return bare
    found = (one for one in _patterns() if one[1].fullmatch(bare))
    return next((_shown(route) for route, _ in found), bare)


def _shown(route: str) -> str:
    return _PARAMETER.sub("{id}", route)


@functools.cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    named = [one for one in routes() if _PARAMETER.search(one)]
    return tuple((one, re.compile(_PARAMETER.sub("[^/]+", one))) for one in named)


def _asked(path: str, text: str) -> Iterator[tuple[str, str]]:
    """What a list leads to: another order, the next page, a choice of each filter, a search."""
    here = path.partition("?")[0]
    asked = {
        part.partition("=")[0]: href.replace("&amp;", "&").partition("?")[2]
        for href in _HREF.findall(text)
        for part in href.replace("&amp;", "&").partition("?")[2].split("&")
        if href.partition("?")[0] == here and not _FILES.search(href)
    }
    if "sort" in asked:
        yield "sorted", f"{here}?{asked['sort']}"
    if "page" in asked:
        yield "another page", f"{here}?{asked['page']}"
    choices = _CHOICE.findall(text)
    for name, value in choices:
        yield f"by {name}", f"{here}?{name}={value}"
    if 'id="q" name="q"' in text:
        yield "searched", f"{here}?q={WORD}"
        order = asked.get("sort", "")
        chosen = "&".join(f"{name}={value}" for name, value in choices[:1])
        yield "searched, filtered, sorted", f"{here}?q={WORD}&{chosen}&{order}"


@functools.cache
def routes() -> tuple[str, ...]:
    """This will list the routes of the portal that answer with a page."""
    found = {path for one in _HANDLERS if "GET" in one.http_methods for path in one.paths}
    return tuple(sorted(path for path in found if not _NO_PAGES.search(path)))


def _likely(route: str, addresses: set[str], ids: list[str]) -> list[str]:
    """Addresses of a route: of the things whose page lies above it, else of one of every kind."""
    parameter = _PARAMETER.search(route)
    if parameter is None:
        return [route]
    above = re.compile(re.escape(route[: parameter.start()]) + f"({_ID.pattern})")
    some = sorted({found[1] for one in addresses if (found := above.match(one))})[:TRIED]
    if not some:
        kinds = {one[:3]: one for one in ids}
        some = list(kinds.values())
    return [_PARAMETER.sub(one, route, count=1) for one in some]


def _guessed(people: list[Person], addresses: list[str]) -> tuple[str, Person] | None:
    """An address of a route that nothing links to, and who may see it."""
    for address in addresses:
        for who in people:
            answer = _get(who.client, address)
            if answer.status_code == 200:
                return address, who
            if answer.status_code == 404:
                break
    return None


def _measure(page: Opened, requests: int, database: int) -> None:
    before = _used(database)
    page.rounds.append(_p95([_timed(page.who.client, page.path) for _ in range(requests)]))
    computed, waited = (after - at for after, at in zip(_used(database), before, strict=True))
    page.requests += requests
    page.computed += computed
    page.waited += waited


def _get(client: httpx.Client, path: str) -> httpx.Response:
    """Ask for a page; once more where the server had ended a connection that was long unused."""
    try:
        return client.get(path)
    except httpx.RemoteProtocolError:
        return client.get(path)


def _timed(client: httpx.Client, path: str) -> float:
    began = time.perf_counter()
    _get(client, path)
    return (time.perf_counter() - began) * 1000


def _p95(taken: list[float]) -> float:
    return sorted(taken)[-(-len(taken) * 95 // 100) - 1]


def _used(database: int) -> tuple[int, int]:
    """Nanoseconds that the server and its database computed, and waited for a processor.

    The server is this process without the thread that asks.
    """
    asking = Path(f"/proc/self/task/{os.getpid()}")
    threads = [one for one in Path("/proc/self/task").iterdir() if one.name != asking.name]
    computed = waited = 0
    for process in (database, *_descendants(os.getpid()), *_descendants(database)):
        threads += Path(f"/proc/{process}/task").glob("*")
    for one in threads:
        try:
            first, second, _ = (one / "schedstat").read_text().split()
        except OSError:
            continue
        computed, waited = computed + int(first), waited + int(second)
    return computed, waited


def _postmaster(app: App) -> int:
    """The process of the database server, which need not be a child of ours."""
    with app.database.reading(trust.VISITOR) as tx:
        backend: int = tx.one("SELECT pg_backend_pid() AS process")["process"]
    return _parent(Path(f"/proc/{backend}/stat"))


def _parent(file: Path) -> int:
    return int(file.read_text().rpartition(")")[2].split()[1])


def _descendants(process: int) -> Iterator[int]:
    for one in Path(f"/proc/{process}/task").glob("*/children"):
        try:
            children = [int(child) for child in one.read_text().split()]
        except OSError:
            continue
        for child in children:
            yield child
            yield from _descendants(child)


@functools.cache
def _work() -> int:
    """How many rounds of hashing take `LOOP_MS` on this machine when it is quiet, about."""
    tries = []
    for _ in range(5):
        began = time.thread_time()
        _hash(20_000)
        tries.append(time.thread_time() - began)
    return int(20_000 * LOOP_MS / 1000 / min(tries))


def _hash(times: int) -> None:
    found = b""
    for _ in range(times):
        found = hashlib.sha256(found).digest()


def _loop() -> float:
    work = _work()
    began = time.perf_counter()
    _hash(work)
    return (time.perf_counter() - began) * 1000


def table(found: Walk, bar: float) -> Iterator[str]:
    """This will give every page as lines of text, the slowest first."""
    yield f"{'p95 ms':>8} {'cpu ms':>7} {'waited':>8}  page (bar {bar:g} ms)"
    for one in _slowest(found):
        mark = "OVER " if one.p95 >= bar else ""
        yield f"{one.p95:8.1f} {one.cpu:7.1f} {one.idle:8.1f}  {mark}{one.kind}  [{one.who.login}]"
    yield f"the loop of {LOOP_MS:g} ms took {', '.join(f'{one:.1f}' for one in found.loop)} ms"
    yield f"home of the public: {found.home / 1000:.0f} kB"
    yield from (f"NOT OPENED {one}" for one in found.missed)


def main() -> None:
    """This will measure every page of both worlds, which are kept in a folder."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path, help="where both worlds are kept")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--only", default="", help="only pages whose address holds this text")
    parser.add_argument("--world", choices=("demo", "market"), default=None)
    parser.add_argument("--people", default="", help="only these logins, with commas; `public` too")
    options = parser.parse_args()
    logins = tuple(filter(None, options.people.split(",")))
    configure_logging("auto", "warning")
    options.folder.mkdir(parents=True, exist_ok=True)
    options.folder.chmod(0o755)
    for name, bar in (("demo", DEMO_BAR_MS), ("market", MARKET_BAR_MS)):
        if options.world not in {None, name}:
            continue
        make = worlds.market if name == "market" else functools.partial(worlds.told, name=name)
        settings = make(options.folder)
        with open_app(unlimited(settings)) as app, served(app) as url:
            found = walk(
                app,
                url,
                options.rounds,
                only=options.only,
                logins=logins,
                requests=options.requests,
            )
        print(f"\n{name}", *table(found, bar), sep="\n", flush=True)


if __name__ == "__main__":
    main()
