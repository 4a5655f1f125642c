# SPDX-License-Identifier: Apache-2.0
"""The desk: calls come in from any thread, are decided in windows, and leave metered.

One strand takes what waits as one window (grant by grant, so many calls for a few milliseconds, a
busy one let fill for four at most), decides each call by its own effective grant, answers from the
snapshots, writes the window durably in one transaction, and only then lets the answers go. While
that idles, whoever asks does the same for a call alone. Where revocations are not heard, every call
is refused as unavailable: the gate fails closed.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

from lingqu import rights, trust
from lingqu.gate.brought import Brought, Looked
from lingqu.gate.decisions import FIRST, Considered, Explained, decide, explain
from lingqu.gate.governance import QueryPolicy
from lingqu.gate.lanes import Asker, GateBusy, Lanes, Prepared, Reply, Waiting
from lingqu.gate.leasing import Deferred, Purse
from lingqu.gate.metering import Beside, Outdated, meter_calls
from lingqu.gate.predicates import normalize
from lingqu.gate.products import ProductId, ProductNotFound
from lingqu.gate.receipts import (
    Alike,
    Decided,
    answer_of,
    answers_of,
    kept_reply,
    make_batch,
    write_json,
)
from lingqu.gate.requests import SUBJECTS_MOST, CallAnswer, CallRequest
from lingqu.gate.shelf import Ready, Shelf, subject_name
from lingqu.gate.windows import Judge, ToBeRead, Weighed, Window, make_context, read_window
from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.kernel.values import Hides
from lingqu.rights import quantities
from lingqu.runtime import Caller, Database, DatabaseConflict, Tx
from lingqu.runtime.keys import Keyring
from lingqu.runtime.strands import OnLoop, OwnThread, Strand

WINDOW_NS = 5_000_000
"""A window takes no further call after so long."""
BUSY = 12
"""Where so many calls were under way lately, a window is let fill."""
GATHER_NS = 4_000_000
"""How long at most."""
IDLE_NS = 1_000_000_000
"""A gate that nobody asks looks so often whether a lease is to be settled."""
SLICE = 1_000
"""So many subjects of a large call are read and answered between two windows."""
DEAF_NS = 75_000_000
"""Nothing is decided where the last sign of life is older: a turn of 25 ms, and 50 ms more."""
PATIENCE_NS, HEAR_STEP_NS = 1_000_000_000, 5_000_000
"""So long calls wait for it, looking so often, before they are refused as unavailable."""
ROUNDS = 4
_ANSWER_S = 60


def find_asker(tx: Tx, grant: rights.GrantId) -> Asker:
    """This will say who the caller of a transaction is to a grant; unknown grants have nobody."""
    found = tx.maybe("SELECT holder FROM rights.grant WHERE id = %s", (grant,))
    holder = None if found is None else trust.PartyId(found["holder"])
    may_call = holder is not None and trust.is_allowed(
        tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=holder
    )
    return Asker(account=trust.AccountId(tx.caller.account), may_call=may_call)


class Desk:
    """The gate of one process. `ask` may be called from any thread; use it as a context manager.

    It starts with the first call: it then reads all effective grants and keeps them true.
    """

    def __init__(self, database: Database, keyring: Keyring, folder: Path) -> None:
        """Keep what is needed; nothing runs yet."""
        self._database = database
        self.grants = rights.EffectiveGrants()
        self._shelf = Shelf(keyring, folder)
        self._purse = Purse(database)
        self._judge = Judge(self._shelf, self.grants, self._purse)
        self._lanes = Lanes()
        self._queue: queue.SimpleQueue[Sequence[Waiting] | threading.Event | None]
        self._queue = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._strand: Strand | None = None
        self._open = ExitStack()
        self._last = self._crowd = 0
        self._wanted = 0  # so many that hand in wake the desk where it lets a window fill

    def __enter__(self) -> Self:
        """Nothing runs before the first call."""
        return self

    def __exit__(self, *_: object) -> None:
        """Answer what waits and stop."""
        self.close()

    def start(
        self,
        *,
        hears: Mapping[str, Callable[[str], None]] | None = None,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """This will read the grants and begin to answer, once. Raises NotListening.

        `hears` are told what is notified on further channels, by the ear that hears of revocations.
        With the running `loop` of this thread calls are answered on it, and `close` belongs to the
        same thread.
        """
        with self._starting:
            if self._strand is None:
                self._open.enter_context(
                    rights.watching(self._database, self.grants, hears=hears or {})
                )
                if loop is None:
                    self._strand = OwnThread(self._run, name="lingqu-gate")
                else:
                    self._strand = OnLoop(self._run, loop=loop)
                self._strand.start()

    @property
    def is_answering(self) -> bool:
        """Whether it was started and decides what is asked."""
        return self._strand is not None and not self._strand.is_over

    def settle(self) -> None:
        """This will settle every open lease now, so that balances show what was used."""
        if self._strand is not None:
            settled = threading.Event()
            self._put(self._strand, settled)
            settled.wait(timeout=_ANSWER_S)

    def close(self) -> None:
        """This will answer what waits, settle every lease, and stop."""
        with self._starting:
            if self._strand is not None:
                self._put(self._strand, None)
                self._strand.finish()
                self._strand = None
                self._open.close()

    def ask(self, request: CallRequest, asker: Asker, brought: Brought | None = None) -> CallAnswer:
        """This will answer a call once it is metered; raises what refuses it, metered too.

        A query comes with what was `brought` for it.
        """
        answered: queue.SimpleQueue[Reply] = queue.SimpleQueue()
        waiting = Waiting(request, asker, answered.put, brought=brought)
        if not self._decide_here(waiting):
            self.submit_all([waiting])
        try:
            reply = answered.get(timeout=_ANSWER_S)
        except queue.Empty:
            raise GateBusy from None
        if isinstance(reply, errors.LingquError):
            raise reply
        return reply

    def _decide_here(self, one: Waiting) -> bool:
        """Decide a call on the thread that asks while the desk idles: nothing is handed over.

        False where the desk is at work, or the call is one to be worked on by slices.
        """
        strand = self._strand
        if strand is None or len(one.request.subjects) > SUBJECTS_MOST:
            return False
        with strand.borrowed() as is_mine:
            if not is_mine or not self._queue.empty() or len(self._lanes):
                return False
            try:
                later = self._serve([one])
            except BaseException:
                self._give_up([], GateBusy())  # what was spent for it is not known to be metered
                raise
            if later:
                self._lanes.put_back(later)
                strand.wake()
        return True

    def submit(
        self,
        request: CallRequest,
        asker: Asker,
        done: Callable[[Reply], None],
        brought: Brought | None = None,
    ) -> None:
        """This will call `done` with the answer or the refusal, on the thread that decides."""
        self.submit_all([Waiting(request, asker, done, brought=brought)])

    def submit_all(self, calls: Sequence[Waiting]) -> None:
        """This will answer many calls that came in together, each as `submit` does."""
        if self._strand is None:
            self.start()
        assert self._strand is not None, "it was started"
        self._queue.put(calls)
        if self._queue.qsize() >= self._wanted:
            self._strand.wake()

    def _put(self, strand: Strand, one: threading.Event | None) -> None:
        self._queue.put(one)
        strand.wake()

    def look(
        self, tx: Tx, shelf: Shelf, request: CallRequest, asker: Asker, *, last: bool = False
    ) -> Looked:
        """This will say how a call stands, before a query is worked on. Raises NotListening.

        What is found only spares work for nothing: the call is decided with its answer.
        """
        self.start()
        waiting = Waiting(request, asker, _nobody)
        window = read_window(tx, shelf, self.grants, [waiting], last=last)
        stand, ready = window.stands[request.grant], window.ready.get(request.product)
        if ready is None or stand is None:
            return Looked(ready=ready, stand=stand, settled=True)
        refused = decide(make_context(window, waiting, self.grants, bad_row=0), FIRST) is not None
        settled = refused or not isinstance(ready.policy, QueryPolicy)
        return Looked(ready=ready, stand=stand, settled=settled)

    def recall(self, shelf: Shelf, request: CallRequest, asker: Asker) -> Looked | None:
        """This will say from memory how a query stands, None where that must be looked up.

        It must be looked up where memory would refuse it, or the query would begin for nothing.
        """
        ready, stand = shelf.recall(request.product), shelf.recall_stand(request.grant)
        if self._strand is None or self._database.clock != "real" or ready is None or stand is None:
            return None
        if not isinstance(ready.policy, QueryPolicy) or not self.grants.has(request.grant):
            return None
        window = Window(
            now=self._database.time.now(),
            ready={request.product: ready},
            stands={request.grant: stand},
        )
        waiting = Waiting(request, asker, _nobody)
        context = make_context(window, waiting, self.grants, bad_row=0)
        if decide(context, FIRST) is not None:
            return None
        return Looked(ready=ready, stand=stand, settled=False)

    def may_go_on(self, request: CallRequest, ready: Ready, holder: str, now: Instant) -> bool:
        """This will say whether a query that runs is still permitted; from memory, at once.

        Where revocations were not heard of for so long that calls are refused, it is not.
        """
        if time.monotonic_ns() - self.grants.heard_ns > PATIENCE_NS:
            return False
        try:
            verdict = self.grants.judge(request.grant, ready.use(request, holder), now)
        except errors.LingquError:
            return False
        return verdict.permitted and self.grants.find_hold(ready.product.id) is None

    def shelf(self) -> Shelf:
        """This will give an empty shelf over the same snapshots, for one thread beside ours."""
        return Shelf(self._shelf.keyring, self._shelf.folder)

    def name_subject(self, tx: Tx, product: ProductId, key: str) -> str:
        """This will give the hash a product knows a person by; raises ProductNotFound.

        NotPublished is raised before the product has its key.
        """
        ready = self.shelf().ready(tx, product)
        return subject_name(ready.key, normalize(key)).hex()

    def explain(
        self,
        tx: Tx,
        request: CallRequest,
        *,
        may_call: bool,
        refusal: errors.LingquError | None = None,
        about: tuple[Considered, ...] = (),
    ) -> Explained:
        """This will say how a call would be decided now, rule by rule, without doing it.

        `refusal` is what refuses the query itself, `about` what each rule says of it. Raises
        ProductNotFound, GrantNotFound, NotListening.
        """
        self.start()
        asker = Asker(account=trust.AccountId(tx.caller.account), may_call=may_call)
        waiting = Waiting(request, asker, _nobody)
        window = read_window(tx, self.shelf(), self.grants, [waiting])
        stand, ready = window.stands[request.grant], window.ready.get(request.product)
        if ready is None:
            raise ProductNotFound(id=request.product)
        if stand is None:
            raise rights.GrantNotFound(id=request.grant)
        question = ready.question(request.predicate)
        is_countable = question is not None and len(request.subjects) <= SUBJECTS_MOST
        asked, bad_row = (
            ready.read(question, request.subjects)
            if question is not None and is_countable
            else ([], 0)
        )
        context = make_context(window, waiting, self.grants, bad_row=bad_row)
        states = quantities.get_quota(tx, request.grant)
        left = sum(one.available for one in states if one.currency == ready.product.currency)
        if decide(context, FIRST) is None:
            context = Weighed.of(window, waiting, stand, ready, question, asked).told(context)
        full = replace(context, left=left, asked=refusal, about=about)
        return explain(full, rules=tx.rules)

    def _run(self) -> None:
        assert self._strand is not None, "it runs"
        going = True
        while going or len(self._lanes):
            if not (len(self._lanes) or self._last or not self._queue.empty()):
                self._strand.idle(IDLE_NS / 1_000_000_000)
            going = self._collect() and going
            if going:
                going = self._gather()
            waiting = self._lanes.take(self._prepare)
            self._last = len(waiting)
            if waiting:
                self._lanes.put_back(self._serve(waiting))
        self._settle_idle(every=True)

    def _collect(self, wait_ns: int = 0) -> bool:
        """Let everything that came in wait in its lane; False once the desk is to close."""
        if wait_ns > 0 and self._queue.empty():
            self._rest(wait_ns)
        came: list[Waiting] = []
        going = True
        while going and not self._queue.empty():
            one = self._queue.get_nowait()
            if one is None:
                going = False
            elif isinstance(one, threading.Event):
                self._settle_idle(every=True)
                one.set()
            else:
                came += one
        for refused in self._lanes.add_all(came):
            refused.done(GateBusy())
        if going and not len(self._lanes):
            self._settle_idle()
        return going

    def _rest(self, wait_ns: int) -> None:
        assert self._strand is not None, "it rests, so it runs"
        self._strand.rest(wait_ns / 1_000_000_000)

    def _gather(self) -> bool:
        """Let a busy gate's next window fill, for at most four milliseconds.

        Whoever was just answered asks again at once, and a window costs the same for few as for
        many. Nobody waits where few asked lately. False once the desk is to close.
        """
        until = time.monotonic_ns() + GATHER_NS
        self._crowd = max(self._last + len(self._lanes), self._crowd * 3 // 4)
        enough, going = self._crowd * 3 // 4, True
        while going and self._crowd >= BUSY and len(self._lanes) < enough:
            left = until - time.monotonic_ns()
            if left <= 0:
                break
            self._wanted = enough - len(self._lanes)
            going = self._collect(left)
        self._wanted = 0
        return going

    def _settle_idle(self, *, every: bool = False) -> None:
        try:
            self._purse.settle_idle(every=every)
        except errors.LingquError:
            return  # whoever is overdue is settled by the job

    def _prepare(self, one: Waiting) -> bool:
        """Read and answer one slice of a large call; True once there is nothing left to do ahead.

        Nothing is decided by this: an answer that was prepared leaves only where the call is let.
        """
        subjects, ready = one.request.subjects, self._shelf.recall(one.request.product)
        if ready is None or len(subjects) > SUBJECTS_MOST or not one.asker.may_call:
            return True
        question = ready.question(one.request.predicate)
        if question is None or ready.file is None:
            return True
        made = one.prepared
        if made is None or made.ready is not ready:
            made = one.prepared = Prepared(ready, [], [])
        start = len(made.asked)
        asked, bad_row = ready.read(question, subjects[start : start + SLICE])
        if bad_row:
            made.asked, made.answers, made.bad_row = [], [], start + bad_row
            return True
        made.asked += asked
        made.answers += ready.answerer(question).answer(asked)
        return len(made.asked) == len(subjects)

    def _serve(self, waiting: list[Waiting]) -> list[Waiting]:
        """Decide, write and answer what was taken; give what must wait for the next window."""
        later: list[Waiting] = []
        try:
            self._check_hearing()
            if self._database.clock == "real":
                window, others = self._judge.recall(waiting, self._database.time.now())
                known = set(map(id, others))
                mine = [one for one in waiting if id(one) not in known] if others else waiting
                others += self._window(mine, later, window)
            else:
                others = waiting
            if others:
                self._window(others, later, None)
        except errors.LingquError as error:
            self._give_up([one for one in waiting if not one.is_answered], error)
            return []
        return later

    def _check_hearing(self) -> None:
        """See that revocations are heard now; wait a little where the last sign of life is old.

        Raises NotListening.
        """
        until = time.monotonic_ns() + PATIENCE_NS
        while self.grants.listening and time.monotonic_ns() < until:
            if time.monotonic_ns() - self.grants.heard_ns < DEAF_NS:
                return
            self._rest(HEAR_STEP_NS)
        raise rights.NotListening

    def _window(
        self, waiting: Sequence[Waiting], later: list[Waiting], window: Window | None
    ) -> list[Waiting]:
        """Do one window, read anew where another process was faster; give what must be read."""
        for _ in range(ROUNDS):
            if window is None:
                with self._database.reading(trust.PLATFORM) as tx:
                    window = read_window(tx, self._shelf, self.grants, waiting)
            try:
                return self._round(window, waiting, later)
            except (DatabaseConflict, Outdated):
                # Nothing was written.
                self._purse.take_back()
            except quantities.LeaseClosed:
                self._purse.failed()
            if window.recalled:
                return list(waiting)
            window = None
        raise GateBusy

    def _give_up(self, waiting: Sequence[Waiting], refusal: errors.LingquError) -> None:
        try:
            self._purse.failed()
        except errors.LingquError:
            self._purse.forget()
        for one in waiting:
            one.done(refusal)

    def _round(
        self, window: Window, waiting: Sequence[Waiting], later: list[Waiting]
    ) -> list[Waiting]:
        replies: list[tuple[Waiting, Reply]] = []
        to_read: list[Waiting] = []
        deferred: list[Waiting] = []
        seen: set[tuple[str, str]] = set()
        until = time.monotonic_ns() + WINDOW_NS
        for one in self._judge.decide_alike(window, waiting):
            name = (one.request.grant, one.request.call)
            if name in seen or ((seen or window.decided) and time.monotonic_ns() > until):
                deferred.append(one)
                continue
            seen.add(name)
            try:
                reply = self._judge.decide(window, one)
            except Deferred:
                deferred.append(one)
            except ToBeRead:
                to_read.append(one)
            else:
                if reply is not None:
                    replies.append((one, reply))
        if window.decided:
            replies += self._write(window)
        self._purse.committed()
        later += deferred
        for waited, reply in replies:
            waited.is_answered = True
            waited.done(reply)
        for waited, reply in replies:
            if isinstance(reply, errors.NotFound):
                # Under no known grant there is nothing to meter by, but the attempt is seen.
                who = Caller(account=waited.asker.account, channel="api")
                trust.record_refusal(self._database, who, "gate.call", reply)
        return to_read

    def _write(self, window: Window) -> list[tuple[Waiting, Reply]]:
        batches, rows = [], []
        answers = list[tuple[Waiting, Reply]]()
        replies: list[dict[str, str]] = []
        groups: dict[tuple[str, str], list[Decided | Alike]] = {}
        for one in window.decided:
            request = one.waiting.request
            groups.setdefault((request.grant, request.product), []).append(one)
        for group in groups.values():
            made, its_rows, batch = make_batch(group, window.now)
            batches.append(made)
            rows.append(its_rows)
            for one in group:
                if isinstance(one, Alike):
                    answers += zip(one.calls, answers_of(one, batch), strict=True)
                    continue
                if one.refusal is not None:
                    answers.append((one.waiting, one.refusal))
                    continue
                answers.append((one.waiting, answer_of(one, batch)))
                kept = kept_reply(one)
                if kept is not None:
                    replies.append(kept)
        beside = Beside(
            rows=tuple(rows),
            replies=write_json(replies),
            asked=write_json(window.new_values),
            new_subjects=window.counted_subjects(),
            versions=window.versions,
        )
        trust.execute(
            self._database,
            meter_calls,
            trust.PLATFORM,
            None,
            batches=tuple(batches),
            beside=Hides(beside),
        )
        remembered = self._judge.remembered
        remembered.add([one.request.call for one, told in answers if isinstance(told, CallAnswer)])
        return answers


def _nobody(_: Reply) -> None:
    """An explanation answers nobody."""
