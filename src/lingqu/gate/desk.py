# SPDX-License-Identifier: Apache-2.0
"""The desk: calls come in from any thread, are decided in windows, and leave metered.

One thread takes whatever waits as one window (at most so many calls, and never waiting for more),
decides each call by its own effective grant, answers from the snapshots, writes the window durably
in one transaction, and only then lets the answers go. Where the revocations of grants are not
heard, every call is refused as unavailable: the gate fails closed.
"""

from __future__ import annotations

import hmac
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Self, TypeAlias

from lingqu import rights, trust
from lingqu.gate.brought import Brought, Looked
from lingqu.gate.decisions import (
    FIRST,
    LAST,
    CallIdUsed,
    Context,
    Explained,
    decide,
    explain,
    units_of,
)
from lingqu.gate.governance import QueryPolicy
from lingqu.gate.leasing import Deferred, Purse
from lingqu.gate.metering import (
    Beside,
    NewBatch,
    Outdated,
    Places,
    RefusedCount,
    UsedCall,
    ask_used,
    find_asked,
    meter_calls,
    read_used,
)
from lingqu.gate.policies import Answer, VerificationPolicy
from lingqu.gate.products import ProductId, ProductNotFound
from lingqu.gate.replies import read_reply, write_json, write_reply
from lingqu.gate.requests import CallAnswer, CallRequest, MeterBatchId, SubjectAnswer
from lingqu.gate.shelf import Ready, Shelf, Stand, ask_versions
from lingqu.kernel import errors
from lingqu.kernel.lattice import UnknownCode
from lingqu.kernel.time import Instant, format_instant
from lingqu.rights import quantities
from lingqu.runtime import Caller, Database, DatabaseConflict, Tx, new_id
from lingqu.runtime.keys import Keyring

WINDOW_MOST = 512
"""Calls in one window."""
ROUNDS = 4
READS_NS = 1_000_000_000
"""So long every window is read before it is decided, after memory was found outdated."""
_ANSWER_S = 60


class GateBusy(errors.Unavailable):
    """The gate does not come to an answer at the moment; asking again under the same id is safe."""

    code = "gate.busy"


class Overtaken(errors.Conflict):
    """The product was published anew while the query ran; asking again is safe."""

    code = "gate.query.overtaken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asks: the account, and whether it acts for the holder of the grant it asks under."""

    account: trust.AccountId
    may_call: bool


def find_asker(tx: Tx, grant: rights.GrantId) -> Asker:
    """This will say who the caller of a transaction is to a grant; unknown grants have nobody."""
    found = tx.maybe("SELECT holder FROM rights.grant WHERE id = %s", (grant,))
    holder = None if found is None else trust.PartyId(found["holder"])
    may_call = holder is not None and trust.is_allowed(
        tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=holder
    )
    return Asker(account=trust.AccountId(tx.caller.account), may_call=may_call)


Reply: TypeAlias = CallAnswer | errors.LingquError
"""An answer, or what refused it."""


@dataclass(slots=True)
class _Waiting:
    request: CallRequest
    asker: Asker
    done: Callable[[Reply], None]
    told: str = ""
    brought: Brought | None = None

    @property
    def digest(self) -> str:
        """The digest of the request, computed once."""
        if not self.told:
            self.told = self.request.digest()
        return self.told


@dataclass(slots=True)
class _Decided:
    """A call that was decided: its refusal, or its answers and what they cost."""

    waiting: _Waiting
    stand: Stand
    ready: Ready
    refusal: errors.LingquError | None = None
    answers: tuple[SubjectAnswer, ...] = ()
    released: dict[str, Any] | None = None
    lease: quantities.LeaseId | None = None
    units: int = 0
    digest: str = ""


@dataclass(slots=True)
class _Window:
    """What one window is decided on, read once from one state of the database.

    Or `recalled`: then what is written says what it was decided on, and nothing is written where
    that is no longer so.
    """

    now: Instant
    ready: dict[str, Ready]
    stands: dict[rights.GrantId, Stand | None]
    used: dict[tuple[str, str], UsedCall]
    asked: dict[tuple[str, str], dict[bytes, Places]]
    recalled: bool = False
    decided: list[_Decided] = field(default_factory=list)
    new_values: list[dict[str, object]] = field(default_factory=list)


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
        self._reads_until = 0
        self._queue: queue.SimpleQueue[_Waiting | threading.Event | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Nothing runs before the first call."""
        return self

    def __exit__(self, *_: object) -> None:
        """Answer what waits and stop."""
        self.close()

    def start(self) -> None:
        """This will read the grants and begin to answer, once. Raises NotListening."""
        with self._starting:
            if self._thread is None:
                self._open.enter_context(rights.watching(self._database, self.grants))
                self._thread = threading.Thread(target=self._run, name="lingqu-gate", daemon=True)
                self._thread.start()

    def settle(self) -> None:
        """This will settle every open lease now, so that balances show what was used."""
        if self._thread is not None:
            settled = threading.Event()
            self._queue.put(settled)
            settled.wait(timeout=_ANSWER_S)

    def close(self) -> None:
        """This will answer what waits, settle every lease, and stop."""
        with self._starting:
            if self._thread is not None:
                self._queue.put(None)
                self._thread.join(timeout=30)
                self._thread = None
                self._open.close()

    def ask(self, request: CallRequest, asker: Asker, brought: Brought | None = None) -> CallAnswer:
        """This will answer a call once it is metered; raises what refuses it, metered too.

        A query comes with what was `brought` for it.
        """
        answered: Future[Reply] = Future()
        self.submit(request, asker, answered.set_result, brought)
        try:
            reply = answered.result(timeout=_ANSWER_S)
        except TimeoutError:
            raise GateBusy from None
        if isinstance(reply, errors.LingquError):
            raise reply
        return reply

    def submit(
        self,
        request: CallRequest,
        asker: Asker,
        done: Callable[[Reply], None],
        brought: Brought | None = None,
    ) -> None:
        """This will call `done` with the answer or the refusal, on the gate's own thread."""
        if self._thread is None:
            self.start()
        self._queue.put(_Waiting(request, asker, done, brought=brought))

    def look(self, tx: Tx, shelf: Shelf, request: CallRequest, asker: Asker) -> Looked:
        """This will say how a call stands, before a query is worked on. Raises NotListening."""
        self.start()
        waiting = _Waiting(request, asker, _nobody)
        window = _read_window(tx, shelf, self.grants, [waiting])
        stand, ready = window.stands[request.grant], window.ready.get(request.product)
        if ready is None or stand is None:
            return Looked(ready=ready, stand=stand, settled=True)
        context = _context(window, waiting, stand, ready, self.grants)
        refused = decide(context, FIRST) is not None
        settled = refused or not isinstance(ready.policy, QueryPolicy)
        return Looked(ready=ready, stand=stand, settled=settled)

    def may_go_on(self, request: CallRequest, ready: Ready, holder: str, now: Instant) -> bool:
        """This will say whether a query that runs is still permitted; from memory, at once."""
        try:
            verdict = self.grants.judge(request.grant, ready.use(request, holder), now)
        except errors.LingquError:
            return False
        return verdict.permitted and self.grants.find_hold(ready.product.id) is None

    def shelf(self) -> Shelf:
        """This will give an empty shelf over the same snapshots, for one thread beside ours."""
        return Shelf(self._shelf.keyring, self._shelf.folder)

    def explain(
        self,
        tx: Tx,
        request: CallRequest,
        *,
        may_call: bool,
        asked: errors.LingquError | None = None,
    ) -> Explained:
        """This will say how a call would be decided now, rule by rule, without doing it.

        `asked` is what refuses the query itself. Raises ProductNotFound, GrantNotFound,
        NotListening.
        """
        self.start()
        waiting = _Waiting(
            request, Asker(account=trust.AccountId(tx.caller.account), may_call=may_call), _nobody
        )
        shelf = self.shelf()
        window = _read_window(tx, shelf, self.grants, [waiting])
        stand, ready = window.stands[request.grant], window.ready.get(request.product)
        if ready is None:
            raise ProductNotFound(id=request.product)
        if stand is None:
            raise rights.GrantNotFound(id=request.grant)
        context = _context(window, waiting, stand, ready, self.grants)
        states = quantities.get_quota(tx, request.grant)
        left = sum(one.available for one in states if one.currency == ready.product.currency)
        excess = 0
        if decide(context, FIRST) is None:
            excess = len(_new_places(window, waiting, stand, ready)[1])
        used = (request.grant, request.call) in window.used
        full = replace(context, excess=excess, left=left, is_used=used, asked=asked)
        return explain(full, rules=tx.rules)

    def _run(self) -> None:
        waiting: list[_Waiting] = []
        going = True
        while going or waiting:
            try:
                one = self._queue.get(block=not waiting, timeout=1)
                while True:
                    if isinstance(one, _Waiting):
                        waiting.append(one)
                    elif one is None:
                        going = False
                    else:
                        self._settle_idle(every=True)
                        one.set()
                    if len(waiting) >= WINDOW_MOST or not going:
                        break
                    one = self._queue.get_nowait()
            except queue.Empty:
                if not waiting:
                    self._settle_idle()
            if waiting:
                waiting = self._serve(waiting)
        self._settle_idle(every=True)

    def _settle_idle(self, *, every: bool = False) -> None:
        try:
            self._purse.settle_idle(every=every)
        except errors.LingquError:
            return  # whoever is overdue is settled by the job

    def _serve(self, waiting: list[_Waiting]) -> list[_Waiting]:
        """Decide, write and answer a window; give those that must wait for the next one."""
        try:
            for _ in range(ROUNDS):
                try:
                    return self._round(waiting)
                except Outdated:
                    self._purse.take_back()
                    self._reads_until = time.monotonic_ns() + READS_NS
                except (DatabaseConflict, quantities.LeaseClosed):
                    self._reads_until = time.monotonic_ns() + READS_NS
                    self._purse.failed()
            refusal: errors.LingquError = GateBusy()
        except errors.LingquError as error:
            refusal = error
        self._give_up(waiting, refusal)
        return []

    def _give_up(self, waiting: list[_Waiting], refusal: errors.LingquError) -> None:
        try:
            self._purse.failed()
        except errors.LingquError:
            self._purse.forget()
        for one in waiting:
            one.done(refusal)

    def _round(self, waiting: list[_Waiting]) -> list[_Waiting]:
        if not self.grants.listening:
            raise rights.NotListening
        window = self._recall(waiting)
        if window is None:
            with self._database.reading(trust.PLATFORM) as tx:
                window = _read_window(tx, self._shelf, self.grants, waiting)
        later: list[_Waiting] = []
        replies: list[tuple[_Waiting, Reply]] = []
        seen: set[tuple[str, str]] = set()
        for one in waiting:
            name = (one.request.grant, one.request.call)
            if name in seen:
                later.append(one)
                continue
            seen.add(name)
            try:
                reply = self._decide(window, one)
            except Deferred:
                later.append(one)
                continue
            if reply is not None:
                replies.append((one, reply))
        if window.decided:
            replies += self._write(window)
        self._purse.committed()
        for waited, answer in replies:
            waited.done(answer)
        for waited, answer in replies:
            if isinstance(answer, errors.NotFound):
                # Under no known grant there is nothing to meter by, but the attempt is seen.
                who = Caller(account=waited.asker.account, channel="api")
                trust.record_refusal(self._database, who, "gate.call", answer)
        return later

    def _recall(self, waiting: Sequence[_Waiting]) -> _Window | None:
        """Give a window from memory, None where something must be read to decide it."""
        if self._database.clock != "real" or time.monotonic_ns() < self._reads_until:
            return None
        ready: dict[str, Ready] = {}
        stands: dict[rights.GrantId, Stand | None] = {}
        for product in {one.request.product for one in waiting}:
            known = self._shelf.recall(product)
            if known is None or _is_limited(known):
                return None
            ready[product] = known
        for grant in {one.request.grant for one in waiting}:
            stands[grant] = self._shelf.recall_stand(grant)
            if stands[grant] is None or not self.grants.has(grant):
                return None
        now = self._database.time.now()
        return _Window(now=now, ready=ready, stands=stands, used={}, asked={}, recalled=True)

    def _decide(self, window: _Window, waiting: _Waiting) -> Reply | None:
        """Decide one call into the window; give at once what is not metered: a repeat, no right."""
        request = waiting.request
        stand, ready = window.stands[request.grant], window.ready.get(request.product)
        if ready is None:
            return ProductNotFound(id=request.product)
        if stand is None:
            return rights.GrantNotFound(id=request.grant)
        used = window.used.get((request.grant, request.call))
        if used is not None and waiting.asker.may_call and used.answer is not None:
            if used.request == waiting.digest:
                return read_reply(used.answer, request)
            return CallIdUsed(call=request.call)
        context = _context(window, waiting, stand, ready, self.grants)
        decided = _Decided(waiting, stand, ready)
        context = replace(context, asked=_refused_query(waiting, ready))
        decided.refusal = (
            decide(context, FIRST) or context.asked or self._spend(window, decided, context)
        )
        if decided.refusal is None:
            if waiting.brought is not None:
                decided.released = waiting.brought.released
            elif isinstance(ready.policy, VerificationPolicy):
                decided.answers = ready.answer(request)
            else:
                decided.released = ready.released()
        window.decided.append(decided)
        return None

    def _spend(
        self, window: _Window, decided: _Decided, context: Context
    ) -> errors.LingquError | None:
        """Count what is asked about each subject and take the units, or give the refusal."""
        fresh, excess = _new_places(window, decided.waiting, decided.stand, decided.ready)
        if excess:
            return decide(replace(context, excess=len(excess)), LAST)
        request, currency = decided.waiting.request, decided.ready.product.currency
        units = units_of(request)
        lease = self._purse.take(request.grant, currency, units)
        if lease is None:
            left = self._purse.left(request.grant, currency)
            return decide(replace(context, left=min(left, units - 1)), LAST)
        decided.lease, decided.units = lease, units
        _occupy(window, decided, fresh)
        return None

    def _write(self, window: _Window) -> list[tuple[_Waiting, Reply]]:
        batches, answers = [], list[tuple[_Waiting, Reply]]()
        replies: list[dict[str, str]] = []
        groups: dict[tuple[str, str], list[_Decided]] = {}
        for one in window.decided:
            request = one.waiting.request
            groups.setdefault((request.grant, request.product), []).append(one)
        for group in groups.values():
            batch = new_id(MeterBatchId)
            batches.append(_batch(batch, group, window.now))
            for one in group:
                if one.refusal is not None:
                    answers.append((one.waiting, one.refusal))
                    continue
                answer = _answer(one, batch)
                answers.append((one.waiting, answer))
                replies.append(write_reply(answer, one.waiting.digest))
        leases = {one.lease for one in window.decided if one.lease is not None}
        trust.execute(
            self._database,
            meter_calls,
            trust.PLATFORM,
            new_id(trust.CommandId),
            batches=tuple(batches),
            beside=Beside(
                replies=write_json(replies),
                asked=write_json(window.new_values),
                leases=tuple(leases),
                recalled=_recalled(window),
            ),
        )
        return answers


def _refused_query(waiting: _Waiting, ready: Ready) -> errors.LingquError | None:
    """What refuses a query whose answer was brought, or was not."""
    if not isinstance(ready.policy, QueryPolicy):
        return None
    brought = waiting.brought
    if brought is None:
        return GateBusy()
    if brought.refusal is not None:
        return brought.refusal
    current = None if ready.snapshot is None else ready.snapshot.id
    return None if brought.snapshot == current else Overtaken(product=ready.product.id)


def _recalled(window: _Window) -> str:
    """What a window was decided on from memory."""
    if not window.recalled:
        return ""
    versions = {one.product.id: one.product.version for one in window.ready.values()}
    requests = [one.waiting.request for one in window.decided]
    return write_json({"versions": versions, "calls": [(one.grant, one.call) for one in requests]})


def _nobody(_: Reply) -> None:
    """An explanation answers nobody."""


def _read_window(
    tx: Tx, shelf: Shelf, grants: rights.EffectiveGrants, waiting: Sequence[_Waiting]
) -> _Window:
    versions, replies = tx.together(
        (
            ask_versions(one.request.product for one in waiting),
            ask_used([(one.request.grant, one.request.call) for one in waiting]),
        )
    )
    ready, used = shelf.read(tx, versions), read_used(replies)
    stands = {name: shelf.stand(tx, name) for name in {one.request.grant for one in waiting}}
    if any(stand is not None and not grants.has(name) for name, stand in stands.items()):
        grants.refresh(tx)
    wanted: dict[tuple[str, str], list[bytes]] = {}
    for one in waiting:
        product, stand = ready.get(one.request.product), stands[one.request.grant]
        if product is not None and stand is not None and _is_limited(product):
            hashes = (product.subject(subject) for subject in one.request.subjects)
            wanted.setdefault((product.product.id, stand.holder), []).extend(hashes)
    asked = {
        (product, holder): find_asked(
            tx, product=ProductId(product), holder=holder, subjects=subjects
        )
        for (product, holder), subjects in wanted.items()
    }
    return _Window(now=tx.now, ready=ready, stands=stands, used=used, asked=asked)


def _is_limited(ready: Ready) -> bool:
    policy = ready.policy
    return (
        isinstance(policy, VerificationPolicy)
        and policy.enumeration is not None
        and ready.file is not None
    )


def _context(
    window: _Window,
    waiting: _Waiting,
    stand: Stand,
    ready: Ready,
    grants: rights.EffectiveGrants,
) -> Context:
    request = waiting.request
    known_purpose = True
    try:
        use = ready.use(request, stand.holder)
        verdict = grants.judge(request.grant, use, window.now)
    except UnknownCode as error:
        known_purpose = error.parameters.get("tree") != "purposes"
        verdict = rights.Verdict(permitted=False, code=rights.UseOutside.code, part="territories")
    return Context(
        request=request,
        product=ready.product,
        policy=ready.policy,
        published=ready.file is not None,
        may_call=waiting.asker.may_call,
        of_product=_is_below(request.grant, stand, ready),
        known_purpose=known_purpose,
        verdict=verdict,
        held=grants.find_hold(ready.product.id),
        is_used=(request.grant, request.call) in window.used,
    )


def _is_below(grant: str, stand: Stand, ready: Ready) -> bool:
    return grant != ready.product.grant_id and ready.product.grant_id in stand.above


_Fresh = list[tuple[bytes, int, bytes]]


def _new_places(
    window: _Window, waiting: _Waiting, stand: Stand, ready: Ready
) -> tuple[_Fresh, set[bytes]]:
    """Give the new (subject, place, value) a request would take, and the subjects with too many."""
    if not _is_limited(ready):
        return [], set()
    assert isinstance(ready.policy, VerificationPolicy), "it is limited"
    assert ready.policy.enumeration is not None, "it is limited"
    most = ready.policy.enumeration.values
    known = window.asked[ready.product.id, stand.holder]
    mine: dict[bytes, dict[int, bytes]] = {}
    fresh: _Fresh = []
    excess: set[bytes] = set()
    for subject in waiting.request.subjects:
        name, value = ready.subject(subject), ready.value(subject)
        before = known.get(name)
        taken = before.taken if before is not None else {}
        own = mine.setdefault(name, {})
        if value in taken.values() or value in own.values():
            continue
        place = next((one for one in range(most) if one not in taken and one not in own), None)
        if place is None:
            excess.add(name)
            continue
        own[place] = value
        fresh.append((name, place, value))
    return fresh, excess


def _occupy(window: _Window, decided: _Decided, fresh: _Fresh) -> None:
    """Count what a call asks, for the calls after it in the window and for good."""
    policy, stand = decided.ready.policy, decided.stand
    if not fresh or not isinstance(policy, VerificationPolicy) or policy.enumeration is None:
        return
    product = decided.ready.product.id
    until = format_instant(window.now + timedelta(days=policy.enumeration.days))
    known = window.asked[product, stand.holder]
    for name, place, value in fresh:
        known.setdefault(name, Places({})).taken[place] = value
        window.new_values.append({
            "product": product, "holder": stand.holder, "subject": name.hex(), "place": place,
            "value": value.hex(), "until": until,
        })  # fmt: skip


def _digest(decided: _Decided) -> str:
    """The digest of a call, keyed so that nobody finds the subject by trying."""
    request = decided.waiting.request
    code = "null" if decided.refusal is None else f'"{decided.refusal.code}"'
    answers = ",".join([_QUOTED[one.answer] for one in decided.answers])
    told = f'["{decided.waiting.digest}","{request.call}",{code},[{answers}]]'  # plain words only
    key = decided.ready.key or request.call.encode()
    return hmac.digest(key, told.encode(), "sha256").hex()


_QUOTED = {one: f'"{one.value}"' for one in Answer}


def _batch(batch: MeterBatchId, group: Sequence[_Decided], now: Instant) -> NewBatch:
    first = group[0]
    at = format_instant(now)
    rows, refused = [], dict[str, int]()
    counts = dict.fromkeys(Answer, 0)
    for one in group:
        one.digest = _digest(one)
        for answer in one.answers:
            counts[answer.answer] += 1
        if one.refusal is not None:
            refused[one.refusal.code] = refused.get(one.refusal.code, 0) + 1
        rows.append(_row(one, at))
    return NewBatch(
        batch=batch,
        grant=first.waiting.request.grant,
        product=first.ready.product.id,
        holder=first.stand.holder,
        answered=sum(one.refusal is None for one in group),
        units=sum(one.units for one in group),
        yes=counts[Answer.YES],
        no=counts[Answer.NO],
        once=counts[Answer.ONCE],
        unknown=counts[Answer.UNKNOWN],
        refused=tuple(RefusedCount(code=code, count=refused[code]) for code in sorted(refused)),
        rows=write_json(rows),
    )


def _row(one: _Decided, at: str) -> tuple[object, ...]:
    request, refusal = one.waiting.request, one.refusal
    hits = sum(answer.answer in _HITS for answer in one.answers)
    unknowns = sum(answer.answer is Answer.UNKNOWN for answer in one.answers)
    if refusal is not None:
        outcome = "refused"
    elif one.released is not None:
        outcome = "counted"
    else:
        outcome = one.answers[0].answer.value if len(one.answers) == 1 else "mixed"
    is_known = refusal is None or refusal.code != "gate.call.purpose_unknown"
    return (
        request.call, request.grant, request.product, one.stand.holder, one.waiting.asker.account,
        request.purpose if is_known else "", at, len(request.subjects), hits,
        len(one.answers) - hits, unknowns, outcome, None if refusal is None else refusal.code,
        None if refusal is None else refusal.article, one.lease, one.units,
        None if one.ready.snapshot is None else one.ready.snapshot.id, one.digest,
    )  # fmt: skip


_HITS = frozenset({Answer.YES, Answer.ONCE})


def _answer(one: _Decided, batch: MeterBatchId) -> CallAnswer:
    request, snapshot = one.waiting.request, one.ready.snapshot
    assert snapshot is not None, "only published products answer"
    return CallAnswer(
        call=request.call,
        grant=request.grant,
        product=request.product,
        snapshot=snapshot.id,
        as_of=snapshot.as_of,
        answers=one.answers,
        released=one.released,
        units=one.units,
        batch=batch,
        digest=one.digest,
    )
