# SPDX-License-Identifier: Apache-2.0
"""统计查询 queries at work: read, decided, run in confinement, released, and handed to the desk.

A query is a call: the desk decides on its right before and after, spends its quota, and writes it
down before its answer leaves. Between the two the query runs here, in turn with those of other
contracts, watched all the time: when its right ends it is killed. Whatever goes wrong inside is one
refusal at one moment, so neither code nor time say anything of the data.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lingqu import ledger, supply, trust
from lingqu.gate import answers, datasets
from lingqu.gate.brought import Brought, Looked, Overtaken
from lingqu.gate.decisions import Considered, Explained, considered_as
from lingqu.gate.desk import Desk
from lingqu.gate.governance import GovernedTable, Mode, QueryPolicy
from lingqu.gate.lanes import Asker
from lingqu.gate.queries import Query, Scan, digest
from lingqu.gate.receipts import write_json
from lingqu.gate.requests import CallAnswer, CallRequest
from lingqu.gate.shelf import Ready, Shelf, Stand
from lingqu.gate.snapshots import open_key
from lingqu.gate.sql import Asked, consider_query, find_refusal, read
from lingqu.gate.turns import Turns
from lingqu.gate.underway import Progress, Underway
from lingqu.kernel import errors
from lingqu.runtime import Database, Tx, new_id
from lingqu.runtime.engine import Cancel, Engine, Job, Limits, SourceTable
from lingqu.runtime.keys import Keyring

WATCH_MS = 20
"""How often the right of a running query is looked at."""
ROUNDS = 5
CUBES_MOST, VIEWS_MOST = 64, 1_000
TEXTS_MOST = 2_000
"""So many texts are kept as what they mean under one version of a product."""
SAID_MOST = 100
"""Answers of so many lines are kept with their texts."""
REST_MS = 100
"""What fails is told so long after the time a query may take, counted from its turn."""
BUCKET_MS = 5
"""Answers of rows leave at multiples of this, and of an eighth of the time they took."""


class QueryFailed(errors.Rejected):
    """The query gave no answer; why is not told, because it could be about the data."""

    code = "gate.query.failed"


class QueryStopped(errors.Conflict):
    """The query was stopped: by whoever asked it, or because its right ended."""

    code = "gate.query.stopped"


class ModeNotOffered(errors.Rejected):
    """The product does not answer in this mode, or no mode was named where there are several."""

    code = "gate.query.mode"


class _NotInMemory(Exception):
    """What a question stands on must be read first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A query that is understood: what it asks, under which policy, how it is to be answered.

    An exact one is over one table, which is wide where others are joined to it. `said` is its last
    answer from a cube, with that cube.
    """

    query: Query
    policy: QueryPolicy
    mode: Mode
    said: list[tuple[datasets.OpenCube, dict[str, Any]]] = field(
        default_factory=list, compare=False, repr=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opened:
    """A published cube with what it stands on, and the key of its dataset."""

    cube: datasets.OpenCube
    copies: Any
    key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """A query that may be answered: what is asked, of which cube, and what may be told ad hoc."""

    judged: Judged
    opened: _Opened
    admitted: answers.Admitted | None


class Asking:
    """The queries of one process. Threads may share it."""

    def __init__(
        self,
        database: Database,
        *,
        desk: Desk,
        engine: Callable[[], Engine],
        keyring: Keyring,
        folder: Path,
        limits: Limits,
        turns: int,
    ) -> None:
        """Keep what is needed; nothing runs yet. `turns` is how many queries run at once."""
        self._database, self._desk, self._engine = database, desk, engine
        self._keyring, self.folder = keyring, folder
        self._limits, self._turns = limits, Turns(most=turns)
        self._cubes: OrderedDict[str, _Opened] = OrderedDict()
        self._texts: OrderedDict[tuple[str, str, int, str, str], Judged] = OrderedDict()
        self._views: OrderedDict[tuple[str, str], tuple[_Opened, _Opened]] = OrderedDict()
        self._told = answers.Memory()
        self._shelves: deque[Shelf] = deque()
        self._lock = threading.Lock()
        self._running: dict[tuple[str, str], Cancel] = {}
        self.underway = Underway(self._ask_begun, self._turns.place)

    def ask(
        self, request: CallRequest, asker: Asker, *, progress: Progress | None = None
    ) -> CallAnswer:
        """This will answer a query once it is metered; raises what refuses it, metered too.

        Any other call goes to the desk as it is.
        """
        began = time.monotonic_ns()
        brought = self._recall(request, asker)
        if brought is not None:
            try:
                return self._desk.ask(request, asker, brought)
            except Overtaken:
                pass  # nothing was written: memory was of a version before, so it is looked up
        begun: _Begun | errors.LingquError | None = None
        with self._shelf() as shelf, self._database.reading(trust.PLATFORM) as tx:
            looked = self._desk.look(tx, shelf, request, asker, last=True)
            if not looked.settled:
                begun = self._begin(tx, request, looked)
        if begun is None:
            return self._desk.ask(request, asker)
        return self._desk.ask(request, asker, self._bring(request, looked, begun, began, progress))

    def close(self) -> None:
        """This will stop the queries that were begun and are still under way."""
        self.underway.close()

    def _ask_begun(self, request: CallRequest, asker: Asker, progress: Progress) -> CallAnswer:
        return self.ask(request, asker, progress=progress)

    def cancel(self, request: CallRequest) -> bool:
        """This will stop a running query of this process; gives whether there was one."""
        if self.underway.stop(request.grant, request.call):
            return True
        with self._lock:
            cancel = self._running.get((request.grant, request.call))
        if cancel is not None:
            cancel.cancel()
        return cancel is not None

    def explain(self, tx: Tx, request: CallRequest, *, may_call: bool) -> Explained:
        """This will say how a query would be decided now, without running it or writing it down.

        Raises ProductNotFound, GrantNotFound, NotListening.
        """
        asker = Asker(account=trust.AccountId(tx.caller.account), may_call=may_call)
        with self._shelf() as shelf:
            looked = self._desk.look(tx, shelf, request, asker)
        asked: errors.LingquError | None = None
        about: tuple[Considered, ...] = ()
        if not looked.settled:
            assert looked.ready is not None, "it is not settled"
            assert looked.stand is not None, "it is not settled"
            about = _about(request, looked.ready)
            try:
                judged = self._read(request, looked.ready)
                opened = self._open(tx, looked.ready, judged)
                cube = self._apart(opened, looked.stand.holder).cube
                self._refuse_size(tx, looked.ready, judged, looked.stand.holder)
                if judged.mode is Mode.AD_HOC:
                    answers.find_admitted(tx, judged.query, cube, holder=looked.stand.holder)
                elif judged.policy.dp is not None and judged.mode is Mode.DP:
                    answers.budgets.check_budget(request.rho, judged.policy.dp)
            except errors.LingquError as refusal:
                asked = refusal
        return self._desk.explain(tx, request, may_call=may_call, refusal=asked, about=about)

    def judge(self, request: CallRequest, ready: Ready) -> Judged:
        """This will read a query and find its mode; raises what refuses it, from its text alone."""
        policy = ready.policy
        assert isinstance(policy, QueryPolicy), "queries are asked of query products"
        offered = [one for one in policy.modes if one in answers.OFFERED]
        mode = next((one for one in offered if one.value == request.mode), None)
        if not request.mode and len(offered) == 1:
            mode = offered[0]
        if mode is None:
            raise ModeNotOffered(modes=", ".join(one.value for one in offered))
        query = read(request.query, policy)
        refusal = find_refusal(Asked(query=query, policy=policy, mode=mode))
        if refusal is not None:
            raise refusal
        answers.refuse_extremes(query)
        if mode is Mode.DP:
            answers.noise.find_protected(query, policy)
        else:
            query, policy = datasets.as_one_table(query, policy)
        return Judged(query=query, policy=policy, mode=mode)

    @contextmanager
    def _shelf(self) -> Iterator[Shelf]:
        """A shelf that nobody else uses meanwhile, with what was read before."""
        try:
            shelf = self._shelves.pop()
        except IndexError:
            shelf = self._desk.shelf()
        try:
            yield shelf
        finally:
            self._shelves.append(shelf)

    def _read(self, request: CallRequest, ready: Ready) -> Judged:
        """Judge a text, once under each version of a product: nothing else has a part in it.

        Each contract for itself: what another one asked makes nobody quicker.
        """
        product = ready.product
        name = (request.grant, product.id, product.version, request.mode, request.query)
        with self._lock:
            known = self._texts.get(name)
        if known is not None:
            return known
        judged = self.judge(request, ready)
        with self._lock:
            self._texts[name] = judged
            if len(self._texts) > TEXTS_MOST:
                self._texts.popitem(last=False)
        return judged

    def _recall(self, request: CallRequest, asker: Asker) -> Brought | None:
        """Work on a question of cubes from memory, None where anything must be looked up first.

        Such a question leaves nothing behind, whatever the desk then finds.
        """
        with self._shelf() as shelf:
            looked = self._desk.recall(shelf, request, asker)
        if looked is None:
            return None
        assert looked.ready is not None, "it was recalled"
        try:
            begun = self._begin(None, request, looked)
        except _NotInMemory:
            return None
        brought = self._bring(request, looked, begun, 0, None)
        return replace(brought, recalled=looked.ready.product.version)

    def _begin(
        self, tx: Tx | None, request: CallRequest, looked: Looked
    ) -> _Begun | errors.LingquError:
        """Read a query and what it stands on, in the transaction it was looked at in.

        Without one only a question of cubes that are open is begun; else raises _NotInMemory.
        """
        assert looked.ready is not None, "it is not settled"
        assert looked.stand is not None, "it is not settled"
        admitted = None
        try:
            judged = self._read(request, looked.ready)
            if tx is None and judged.mode is not Mode.CUBE:
                raise _NotInMemory
            opened = self._apart(self._open(tx, looked.ready, judged), looked.stand.holder)
            self._refuse_size(tx, looked.ready, judged, looked.stand.holder)
            if tx is not None and judged.mode is Mode.AD_HOC:
                admitted = answers.find_admitted(
                    tx, judged.query, opened.cube, holder=looked.stand.holder, memory=self._told
                )
        except errors.LingquError as refusal:
            return refusal
        return _Begun(judged=judged, opened=opened, admitted=admitted)

    def _bring(
        self,
        request: CallRequest,
        looked: Looked,
        begun: _Begun | errors.LingquError,
        began: int,
        progress: Progress | None,
    ) -> Brought:
        """Work on a query; whatever happens becomes an answer or one refusal."""
        assert looked.ready is not None, "it is not settled"
        assert looked.stand is not None, "it is not settled"
        ready, stand = looked.ready, looked.stand
        snapshot = None if ready.snapshot is None else ready.snapshot.id
        try:
            if isinstance(begun, errors.LingquError):
                raise begun
            begun = self._admit(begun, stand)
            released = _published(begun)
            if released is None:
                released = self._answer(request, begun, ready, stand, progress)
                _leave(began)
        except errors.LingquError as refusal:
            if refusal.code.startswith("runtime.engine."):
                return self._failed(refusal, snapshot)
            return Brought(snapshot=snapshot, refusal=refusal)
        return Brought(snapshot=snapshot, released=released)

    def _failed(self, refusal: errors.LingquError, snapshot: Any) -> Brought:
        """One code for everything inside."""
        if refusal.code == "runtime.engine.cancelled":
            return Brought(snapshot=snapshot, refusal=QueryStopped())
        if isinstance(refusal, errors.Unavailable):
            return Brought(snapshot=snapshot, refusal=refusal)
        return Brought(snapshot=snapshot, refusal=QueryFailed())

    def _answer(
        self,
        request: CallRequest,
        begun: _Begun,
        ready: Ready,
        stand: Stand,
        progress: Progress | None,
    ) -> dict[str, Any]:
        judged, opened = begun.judged, begun.opened
        query, policy = judged.query, judged.policy
        if begun.admitted is None:
            return self._noisy(request, judged, ready, stand, progress)
        admitted = begun.admitted
        rules = answers.protections(query, policy)
        proven = answers.find_proven(query) if admitted.is_whole else ()
        files = opened.copies[admitted.whole]
        statement = answers.print_certified(
            datasets.leave_out(query, opened.cube),
            policy,
            rules,
            proven=proven,
            complete=answers.find_complete(opened.cube, admitted),
            masked=datasets.is_hashed(files),
        )
        job = self._job(
            statement.sql, statement.values, (self._source(policy, query.scans[0], files),)
        )
        lines = statement.read(self._run(request, ready, stand, job, progress))
        told = answers.release(
            lines,
            rules=rules,
            kept_back=admitted.kept_back,
            may_merge=answers.is_additive(query),
            is_filtered=query.filter != answers.ALWAYS,
            has_left=opened.cube.cube.has_left,
        )
        return _rounded(begun, admitted, told)

    def _noisy(
        self,
        request: CallRequest,
        judged: Judged,
        ready: Ready,
        stand: Stand,
        progress: Progress | None,
    ) -> dict[str, Any]:
        """Answer under noise: the price is spent first, the same question again is free."""
        query, policy, terms = judged.query, judged.policy, judged.policy.dp
        assert terms is not None, "the policy answers under noise"
        answers.budgets.check_budget(request.rho, terms)
        bounded = answers.noise.print_bounded(query, policy, terms)
        resource, *beside = map(supply.ResourceId, answers.noise.find_resources(query, policy))
        with self._database.reading(trust.PLATFORM) as tx:
            opened = {
                scan: self._open_table(tx, ready, answers.table_of(scan, policy))
                for scan in query.scans
            }
            version = ".".join(str(max(one.copies)) for one in opened.values())
            place = {
                "resource": resource,
                "holder": stand.holder,
                "question": f"{digest(query)}.{version}.{request.rho}.{terms.contribution}",
            }
            before = answers.budgets.find_noisy(tx, **place)
        cubes = {scan: one.cube for scan, one in opened.items()}
        groups = answers.noise.find_groups(query, cubes)
        if before is None:
            answers.noise.load_noise()
            self._command(
                answers.budgets.spend_noise,
                rho=request.rho,
                terms=terms,
                beside=tuple(beside),
                transfers=tuple(new_id(ledger.TransferId) for _ in range(2 + 2 * len(beside))),
                **place,
            )
            sources = {
                scan.table: self._source(policy, scan, one.copies[max(one.copies)])
                for scan, one in opened.items()
            }
            job = self._job(bounded.sql, bounded.values, tuple(sources.values()))
            found = bounded.read(self._run(request, ready, stand, job, progress))
            told = answers.noise.add_noise(
                found, groups=groups, moves=bounded.moves, rho=request.rho
            )
            before = {"lines": [[[*one.key], [*one.numbers]] for one in told.lines]}
            self._command(answers.budgets.keep_noisy, answer=write_json(before), **place)
        told = answers.noise.read_noisy(before)
        return answers.write_answer(
            query, policy, Mode.DP, told, rho=request.rho, contribution=terms.contribution
        )

    def _command(self, command: trust.Command[..., Any], **arguments: Any) -> None:
        trust.execute(self._database, command, trust.PLATFORM, new_id(trust.CommandId), **arguments)

    def _job(self, sql: str, values: tuple[Any, ...], sources: tuple[SourceTable, ...]) -> Job:
        return Job(sql=sql, values=values, tables=sources, limits=self._limits)

    def _source(self, policy: QueryPolicy, scan: Scan, files: Any) -> SourceTable:
        """The columns of a copy that a question may read."""
        table = answers.table_of(scan, policy)
        return datasets.as_source(self.folder / datasets.COPIES, table, files)

    def _admit(self, begun: _Begun, stand: Stand) -> _Begun:
        """Write down what may be told, before anything is computed of it."""
        query, cube, admitted = begun.judged.query, begun.opened.cube, begun.admitted
        if admitted is None:
            return begun
        for _ in range(ROUNDS):
            if not admitted.is_new:
                return replace(begun, admitted=admitted)
            try:
                self._command(
                    answers.admit_query,
                    resource=supply.ResourceId(cube.table.resource),
                    holder=stand.holder,
                    whole=admitted.whole,
                    sets=admitted.to_text(),
                    groups=sum(map(len, admitted.sets.groups)),
                    kept_back=len(admitted.kept_back),
                    judged=admitted.judged,
                )
            except answers.ToldMeanwhile:
                with self._database.reading(trust.PLATFORM) as tx:
                    admitted = answers.find_admitted(
                        tx, query, cube, holder=stand.holder, memory=self._told
                    )
                continue
            return replace(begun, admitted=admitted)
        raise answers.ToldMeanwhile(resource=cube.table.resource)

    def _run(
        self,
        request: CallRequest,
        ready: Ready,
        stand: Stand,
        job: Job,
        progress: Progress | None,
    ) -> tuple[tuple[Any, ...], ...]:
        ends = 0
        told = Progress() if progress is None else progress
        cancel = told.cancel
        try:
            with (
                self._cancellable(request, cancel),
                self._turns.taken(request.grant, cancel),
                self._watched(request, ready, stand, cancel),
            ):
                ends = time.monotonic_ns() + (self._limits.time_ms + REST_MS) * 1_000_000
                told.begins()
                return self._engine().query(job, cancel=cancel, progress=progress).rows
        except errors.Rejected:
            # Whatever failed, and however soon, is told at one moment after the turn began.
            time.sleep(max(0, ends - time.monotonic_ns()) / 1_000_000_000)
            raise

    @contextmanager
    def _cancellable(self, request: CallRequest, cancel: Cancel) -> Iterator[None]:
        name = (request.grant, request.call)
        with self._lock:
            if name in self._running:
                raise QueryStopped
            self._running[name] = cancel
        try:
            yield
        finally:
            with self._lock:
                self._running.pop(name, None)

    @contextmanager
    def _watched(
        self, request: CallRequest, ready: Ready, stand: Stand, cancel: Cancel
    ) -> Iterator[None]:
        """Kill the query as soon as its right ends."""
        over = threading.Event()

        def watch() -> None:
            while not over.wait(WATCH_MS / 1000):
                if not self._may_go_on(request, ready, stand):
                    cancel.cancel()
                    return

        watcher = threading.Thread(target=watch, name="lingqu-query-watch", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def _may_go_on(self, request: CallRequest, ready: Ready, stand: Stand) -> bool:
        """Look at the right by business time, which on a story clock the database has."""
        now = self._database.time.now()
        if self._database.clock != "real":
            try:
                with self._database.reading(trust.PLATFORM) as tx:
                    now = tx.now
            except errors.LingquError:
                return False
        return self._desk.may_go_on(request, ready, stand.holder, now)

    def _open(self, tx: Tx | None, ready: Ready, judged: Judged) -> _Opened:
        """Open the cube of the table an exact question is about, or of the first one."""
        policy = ready.policy
        assert isinstance(policy, QueryPolicy), "queries are asked of query products"
        return self._open_table(tx, ready, answers.table_of(judged.query.scans[0], policy))

    def _refuse_size(self, tx: Tx | None, ready: Ready, judged: Judged, holder: str) -> None:
        """Refuse a question that reads or answers too much of the tables it names."""
        policy = ready.policy
        assert isinstance(policy, QueryPolicy), "queries are asked of query products"
        cubes = {
            one.cube.table.name: self._apart(one, holder).cube
            for one in (
                self._open_table(tx, ready, answers.table_of(scan, policy))
                for scan in judged.query.scans
            )
        }
        answers.refuse_size(judged.query, judged.policy, judged.mode, cubes)

    def _open_table(self, tx: Tx | None, ready: Ready, plain: GovernedTable) -> _Opened:
        """Open a cube once; one published before others were joined to its table is refused."""
        assert ready.file is not None, "the product is published"
        digest: str = ready.file.about["cubes"][plain.name]
        with self._lock:
            known = self._cubes.get(digest)
        if known is not None:
            return known
        if tx is None:
            raise _NotInMemory
        policy = ready.policy
        assert isinstance(policy, QueryPolicy), "queries are asked of query products"
        table = datasets.widen(policy, plain)
        dataset = datasets.find_datasets(tx, [table.resource])[table.resource]
        is_told = datasets.find_told(
            dataset.grid, table, policy.dominance, tells=Mode.CUBE in policy.modes
        )
        if is_told is None:
            raise datasets.OtherGrid(resource=table.resource)
        kept = datasets.open_cube(self.folder, digest)
        opened = _Opened(
            cube=datasets.OpenCube(kept.cube, table, is_told=is_told),
            copies=kept.copies,
            key=open_key(self._keyring, table.resource, dataset.sealed),
        )
        with self._lock:
            self._cubes[digest] = opened
            if len(self._cubes) > CUBES_MOST:
                self._cubes.popitem(last=False)
        return opened

    def _apart(self, opened: _Opened, holder: str) -> _Opened:
        """Give a cube that remembers what this holder asked and nobody else."""
        name = (opened.cube.table.resource, holder)
        with self._lock:
            known = self._views.get(name)
            if known is None or known[0] is not opened:
                known = (opened, replace(opened, cube=opened.cube.apart()))
            self._views[name] = known
            self._views.move_to_end(name)
            if len(self._views) > VIEWS_MOST:
                self._views.popitem(last=False)
        return known[1]


def _about(request: CallRequest, ready: Ready) -> tuple[Considered, ...]:
    """What each rule about a query alone says of one, in the mode it names or the first one."""
    policy = ready.policy
    assert isinstance(policy, QueryPolicy), "queries are asked of query products"
    mode = next((one for one in policy.modes if one.value == request.mode), policy.modes[0])
    said = consider_query(request.query, policy, mode)
    return tuple(considered_as(one.rule, one.refusal) for one in said)


def _published(begun: _Begun) -> dict[str, Any] | None:
    """Answer what the cube can say itself: how long that takes says nothing of rows."""
    query, cube = begun.judged.query, begun.opened.cube
    if begun.judged.mode is Mode.CUBE:
        for known, said in begun.judged.said:
            if known is cube:
                return said
        written = answers.write_answer(query, begun.judged.policy, Mode.CUBE, cube.answer(query))
        begun.judged.said[:] = [(cube, written)] if len(written["rows"]) <= SAID_MOST else []
        return written
    if begun.admitted is None:
        return None
    told = answers.find_published(query, cube, begun.admitted)
    return None if told is None else _rounded(begun, begun.admitted, told)


def _rounded(begun: _Begun, admitted: answers.Admitted, told: datasets.Told) -> dict[str, Any]:
    query, policy = begun.judged.query, begun.judged.policy
    rounding = answers.Rounding(key=begun.opened.key, policy=policy, admitted=admitted)
    return answers.write_answer(
        query, policy, Mode.AD_HOC, rounding.rounded(query, told), as_of=admitted.whole
    )


def _leave(began: int) -> None:
    """Wait for the end of the time bucket an answer leaves in."""
    taken = (time.monotonic_ns() - began) // 1000
    size = max(1000 * BUCKET_MS, 1 << max(0, (taken // 8).bit_length() - 1))
    time.sleep((-taken % size) / 1_000_000)
