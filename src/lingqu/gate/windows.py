# SPDX-License-Identifier: Apache-2.0
"""One window: what its calls are decided on, and each of them decided.

A window is read from one state of the database, or recalled from memory: then what is written says
which products it was decided on, and nothing is written where they changed meanwhile. What limits a
question by what was asked before, or by consent, is always read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from lingqu import rights
from lingqu.gate.answering import PLAIN
from lingqu.gate.brought import Overtaken
from lingqu.gate.consents import find_agreed
from lingqu.gate.decisions import FIRST, LAST, STANDING, CallIdUsed, Context, decide, units_of
from lingqu.gate.governance import QueryPolicy
from lingqu.gate.lanes import GateBusy, Reply, Waiting
from lingqu.gate.leasing import Deferred, Purse
from lingqu.gate.metering import (
    REPLY_HOURS,
    NewSubjects,
    Places,
    UsedCall,
    ask_used,
    count_subjects,
    find_asked,
    read_used,
)
from lingqu.gate.predicates import Asked, Question
from lingqu.gate.products import ProductId, ProductNotFound
from lingqu.gate.receipts import Alike, Decided, is_alike, stored_answer
from lingqu.gate.requests import SUBJECTS_MOST, CallId, CallRequest
from lingqu.gate.shelf import Ready, Shelf, Stand, ask_versions, question_name, subject_name
from lingqu.kernel import errors
from lingqu.kernel.lattice import UnknownCode
from lingqu.kernel.time import Instant, format_instant
from lingqu.runtime import REAL_TIME, Tx

PASSES_MOST = 20_000
REMEMBERED = 200_000
"""So many call ids are remembered, twice, before older ones are looked for in the database."""

_Subjects = dict[bytes, Places]
_By = tuple[str, str]
"""A product and the party that asks it."""


@dataclass(slots=True)
class Window:
    """What one window is decided on, and what was decided.

    `asked` holds what each party asked about the subjects before, `reach` how many subjects that
    were altogether, `agreed` who agreed to which purpose.
    """

    now: Instant
    ready: dict[str, Ready]
    stands: dict[rights.GrantId, Stand | None]
    used: dict[tuple[str, str], UsedCall] = field(default_factory=dict)
    asked: dict[_By, _Subjects] = field(default_factory=dict)
    reach: dict[_By, int] = field(default_factory=dict)
    agreed: dict[_By, frozenset[tuple[str, str]]] = field(default_factory=dict)
    recalled: bool = False
    decided: list[Decided | Alike] = field(default_factory=list)
    new_values: list[dict[str, object]] = field(default_factory=list)
    new_subjects: dict[_By, int] = field(default_factory=dict)

    @property
    def versions(self) -> tuple[tuple[ProductId, int], ...]:
        """Which versions of products a recalled window was decided on."""
        if not self.recalled:
            return ()
        return tuple((one.product.id, one.product.version) for one in self.ready.values())

    def counted_subjects(self) -> tuple[NewSubjects, ...]:
        """This will give how many subjects are new to those whose number is limited."""
        told = []
        for (product, holder), subjects in self.new_subjects.items():
            limit = self.ready[product].limit
            assert limit is not None, "it was counted by a limit"
            assert limit.subjects is not None, "it was counted by a limit"
            stand = next(one.stand for one in self.decided if one.stand.holder == holder)
            told.append(
                NewSubjects(
                    product=ProductId(product),
                    holder=stand.holder,
                    subjects=subjects,
                    most=limit.subjects,
                    days=limit.days,
                )
            )
        return tuple(told)


_PLANNED_ONCE = "SET LOCAL plan_cache_mode = force_generic_plan"
"""These questions are looked up by key whatever is asked: planning them anew takes longer."""


def read_window(
    tx: Tx,
    shelf: Shelf,
    grants: rights.EffectiveGrants,
    waiting: Sequence[Waiting],
    *,
    last: bool = False,
) -> Window:
    """This will read what calls are decided on from one state of the database.

    As the `last` of a transaction it may read what is not in memory from a later state.
    """
    tx.later(_PLANNED_ONCE)
    versions, replies = tx.together(
        (
            ask_versions(one.request.product for one in waiting),
            ask_used([(one.request.grant, one.request.call) for one in waiting]),
        ),
        last=last,
    )
    ready = shelf.read(tx, versions)
    stands = {name: shelf.stand(tx, name) for name in {one.request.grant for one in waiting}}
    if any(stand is not None and not grants.has(name) for name, stand in stands.items()):
        grants.refresh(tx)
    window = Window(now=tx.now, ready=ready, stands=stands, used=read_used(replies))
    for by, subjects in _named(window, waiting).items():
        product, holder = ProductId(by[0]), by[1]
        held = ready[product]
        if (limit := held.limit) is not None:
            window.asked[by] = find_asked(tx, product=product, holder=holder, subjects=subjects)
            if limit.subjects is not None:
                window.reach[by] = count_subjects(
                    tx, product=product, holder=holder, days=limit.days
                )
        if held.is_personal:
            window.agreed[by] = find_agreed(tx, product=product, holder=holder, subjects=subjects)
    return window


def _named(window: Window, waiting: Iterable[Waiting]) -> dict[_By, list[bytes]]:
    """Give the subjects about whom something must be known, by product and party."""
    wanted: dict[_By, list[bytes]] = {}
    for one in waiting:
        ready, stand = window.ready.get(one.request.product), window.stands[one.request.grant]
        if ready is None or stand is None or not (ready.limit or ready.is_personal):
            continue
        question = ready.question(one.request.predicate)
        if question is None or len(one.request.subjects) > SUBJECTS_MOST:
            continue
        asked, _ = ready.read(question, one.request.subjects)
        names = wanted.setdefault((ready.product.id, stand.holder), [])
        names.extend(subject_name(ready.key, key) for key, _ in asked)
    return wanted


class Remembered:
    """Call ids that were answered here lately, so that a repeat is looked for and none else."""

    def __init__(self) -> None:
        """Remember nothing: every id that was made before now is looked for."""
        self._older: set[str] = set()
        self._newer: set[str] = set()
        self._older_since = self._newer_since = _floor()

    def may_be_used(self, call: str) -> bool:
        """Whether a call id may have been answered before."""
        return call < self._older_since or call in self._newer or call in self._older

    def add(self, calls: Iterable[str]) -> None:
        """This will remember ids."""
        self._newer.update(calls)
        if len(self._newer) >= REMEMBERED:
            self._older, self._older_since = self._newer, self._newer_since
            self._newer, self._newer_since = set(), _floor()


def _floor() -> str:
    """The smallest id of a call made from now on."""
    return CallId.make(unix_ms=REAL_TIME.now_ms(), entropy=bytes(10))[: len("cal_") + 10]


class ToBeRead(Exception):
    """Memory would refuse the call; it is read first whether it was answered before."""


@dataclass(slots=True)
class _Pass:
    """That the standing rules let a caller's calls pass while nothing they look at changes."""

    generation: int
    ready: Ready
    stand: Stand
    until: Instant | None
    question: Question | None


class Judge:
    """Decides calls one by one, and remembers what does not change from one to the next."""

    def __init__(self, shelf: Shelf, grants: rights.EffectiveGrants, purse: Purse) -> None:
        """Decide by these grants, and spend from this purse. One thread uses it."""
        self._shelf = shelf
        self._grants = grants
        self._purse = purse
        self._passes: dict[tuple[str, ...], _Pass] = {}
        self.remembered = Remembered()

    def recall(self, waiting: Sequence[Waiting], now: Instant) -> tuple[Window, list[Waiting]]:
        """This will give a window from memory, and the calls of it that memory cannot decide."""
        window = Window(now=now, ready={}, stands={}, recalled=True)
        others: list[Waiting] = []
        may_be_used = self.remembered.may_be_used
        for one in waiting:
            request = one.request
            if not self._recall(window, request.product, request.grant) or may_be_used(
                request.call
            ):
                others.append(one)
        return window, others

    def _recall(self, window: Window, product: ProductId, grant: rights.GrantId) -> bool:
        if product in window.ready and grant in window.stands:
            return True
        known, stand = self._shelf.recall(product), self._shelf.recall_stand(grant)
        if known is None or known.limit is not None or known.is_personal:
            return False
        if stand is None or not self._grants.has(grant):
            return False
        window.ready[product] = known
        window.stands[grant] = stand
        return True

    def decide_alike(self, window: Window, waiting: Sequence[Waiting]) -> Sequence[Waiting]:
        """This will decide calls about one subject each by what is known to pass, many at once.

        Gives those that must be decided one by one: all whose answers would say more than yes, no
        or unknown, or that a rule might refuse.
        """
        if not window.recalled:
            return waiting
        rest: list[Waiting] = []
        groups: dict[tuple[str, ...], list[Waiting]] = {}
        calls: set[tuple[str, str]] = set()
        for one in waiting:
            request = one.request
            if len(request.subjects) == 1 and one.brought is None:
                groups.setdefault(_name(one), []).append(one)
            else:
                rest.append(one)
            calls.add((request.grant, request.call))
        if len(calls) < len(waiting):
            return waiting
        for name, alike in groups.items():
            known = self._passing(window, name, alike[0].request)
            if known is None or not self._decide_group(window, alike, known):
                rest += alike
        return rest

    def _decide_group(self, window: Window, alike: Sequence[Waiting], known: _Pass) -> bool:
        """Decide all of these, or none and give False."""
        ready, question = known.ready, known.question
        if question is None or not ready.key:
            return False
        asked, bad_row = ready.read(question, [one.request.subjects[0] for one in alike])
        if bad_row:
            return False
        answers = ready.answerer(question).answer(asked)
        if not is_alike(answers):
            return False
        try:
            lease = self._purse.take(alike[0].request.grant, ready.product.currency, len(alike))
        except Deferred:
            return False
        if lease is None:
            return False
        for answer in PLAIN.values():
            calls = [one for one, told in zip(alike, answers, strict=True) if told is answer]
            if calls:
                window.decided.append(Alike(calls, known.stand, ready, lease, answer))
        return True

    def _passing(self, window: Window, name: tuple[str, ...], request: CallRequest) -> _Pass | None:
        """What lets calls of that name pass now, None where the standing rules must be asked."""
        known = self._passes.get(name)
        if (
            known is not None
            and window.recalled
            and known.generation == self._grants.generation
            and known.ready is window.ready.get(request.product)
            and (known.until is None or window.now < known.until)
        ):
            return known
        return None

    def decide(self, window: Window, waiting: Waiting) -> Reply | None:
        """This will decide one call into the window.

        Gives at once what is not metered: a repeat, no right at all, or what was brought from
        memory of another version. Raises Deferred, and ToBeRead where memory would refuse it.
        """
        name = _name(waiting)
        known = self._passing(window, name, waiting.request) if waiting.brought is None else None
        if known is not None and self._decide_known(window, waiting, known):
            return None
        return self._decide(window, waiting, name)

    def _decide_known(self, window: Window, waiting: Waiting, known: _Pass) -> bool:
        """Decide a call whose standing rules are known to pass; False where a rule refuses."""
        request, ready = waiting.request, known.ready
        asked, bad_row = _read(waiting, ready, known.question)
        if bad_row or (known.question is not None and not asked):
            return False
        units = len(asked) or 1
        lease = self._purse.take(request.grant, ready.product.currency, units)
        if lease is None:
            return False
        decided = Decided(waiting, known.stand, ready, lease=lease, units=units)
        _answer(decided, known.question, asked)
        window.decided.append(decided)
        return True

    def _decide(self, window: Window, waiting: Waiting, name: tuple[str, ...]) -> Reply | None:
        request = waiting.request
        stand, ready = window.stands[request.grant], window.ready.get(request.product)
        if ready is None:
            return ProductNotFound(id=request.product)
        if stand is None:
            return rights.GrantNotFound(id=request.grant)
        used = window.used.get((request.grant, request.call))
        if used is not None and waiting.asker.may_call and _is_kept(used):
            return stored_answer(used, request, ready) or CallIdUsed(call=request.call)
        brought = waiting.brought
        if brought is not None and brought.recalled not in {None, ready.product.version}:
            return Overtaken(product=ready.product.id)
        question = ready.question(request.predicate)
        asked, bad_row = _read(waiting, ready, question)
        generation = self._grants.generation
        context = make_context(window, waiting, self._grants, bad_row=bad_row)
        is_query = isinstance(ready.policy, QueryPolicy)
        if is_query:
            context = replace(context, asked=_refused_query(waiting, ready))
        decided = Decided(waiting, stand, ready)
        decided.refusal = decide(context, FIRST)
        if not is_query and (decided.refusal is None or decide(context, STANDING) is None):
            if len(self._passes) >= PASSES_MOST:
                self._passes.clear()
            until = self._grants.find_end(request.grant)
            self._passes[name] = _Pass(generation, ready, stand, until, question)
        if decided.refusal is None:
            decided.refusal = self._spend(window, decided, context, question, asked)
        if decided.refusal is None:
            _answer(decided, question, asked)
        elif window.recalled:
            raise ToBeRead
        else:
            decided.knows_purpose = self._grants.knows_purpose(request.purpose)
        window.decided.append(decided)
        return None

    def _spend(
        self,
        window: Window,
        decided: Decided,
        context: Context,
        question: Question | None,
        asked: list[Asked],
    ) -> errors.LingquError | None:
        """Count what is asked about each subject and take the units, or give the refusal."""
        weighed = Weighed.of(window, decided.waiting, decided.stand, decided.ready, question, asked)
        refusal = decide(weighed.told(context), LAST)
        if refusal is not None:
            return refusal
        request, currency = decided.waiting.request, decided.ready.product.currency
        units = units_of(request)
        lease = self._purse.take(request.grant, currency, units)
        if lease is None:
            left = self._purse.left(request.grant, currency)
            return decide(replace(context, left=min(left, units - 1)), LAST)
        decided.lease, decided.units = lease, units
        weighed.count(window, decided)
        return None


def _name(waiting: Waiting) -> tuple[str, ...]:
    """What the standing rules look at."""
    request = waiting.request
    return (
        request.grant, request.product, request.purpose, request.territory, request.predicate,
        waiting.asker.account if waiting.asker.may_call else "",
    )  # fmt: skip


def _is_kept(used: UsedCall) -> bool:
    return used.batch.unix_ms + REPLY_HOURS * 3_600_000 > REAL_TIME.now_ms()


def _read(waiting: Waiting, ready: Ready, question: Question | None) -> tuple[list[Asked], int]:
    """Read the subjects of a call, unless that was done ahead for what is still ready."""
    ahead = waiting.prepared
    if ahead is not None and ahead.ready is ready:
        return ahead.asked, ahead.bad_row
    if question is None or not 0 < len(waiting.request.subjects) <= SUBJECTS_MOST:
        return [], len(waiting.request.subjects)
    return ready.read(question, waiting.request.subjects)


def _refused_query(waiting: Waiting, ready: Ready) -> errors.LingquError | None:
    """What refuses a query whose answer was brought, or was not."""
    brought = waiting.brought
    if brought is None:
        return GateBusy()
    if brought.refusal is not None:
        return brought.refusal
    current = None if ready.snapshot is None else ready.snapshot.id
    return None if brought.snapshot == current else Overtaken(product=ready.product.id)


def _answer(decided: Decided, question: Question | None, asked: list[Asked]) -> None:
    ready, ahead = decided.ready, decided.waiting.prepared
    if decided.waiting.brought is not None:
        decided.released = decided.waiting.brought.released
    elif question is None:
        decided.released = ready.released()
    elif ahead is not None and ahead.ready is ready:
        decided.answers = tuple(ahead.answers)
    else:
        decided.answers = ready.answerer(question).answer(asked)


_Fresh = list[tuple[bytes, int, bytes]]


@dataclass(slots=True)
class Weighed:
    """What a request would take of what is limited, and what of it there is not."""

    fresh: _Fresh
    excess: int
    new: int
    beyond: int
    without_consent: int

    @classmethod
    def of(
        cls,
        window: Window,
        waiting: Waiting,
        stand: Stand,
        ready: Ready,
        question: Question | None,
        asked: Sequence[Asked],
    ) -> Weighed:
        """This will weigh a request by what was asked before and who agreed."""
        made = cls([], 0, 0, 0, 0)
        by = (ready.product.id, stand.holder)
        if question is None:
            return made
        if ready.is_personal:
            agreed, purpose = window.agreed.get(by, frozenset()), waiting.request.purpose
            named = {subject_name(ready.key, key).hex() for key, _ in asked}
            made.without_consent = sum((one, purpose) not in agreed for one in named)
        limit = ready.limit
        if limit is not None:
            known = window.asked.get(by, {})
            made.fresh, excess, new = _new_places(known, ready, question, asked, limit.values)
            made.excess, made.new = len(excess), new
            if limit.subjects is not None:
                reach = window.reach.get(by, 0) + window.new_subjects.get(by, 0)
                made.beyond = max(0, reach + new - limit.subjects)
        return made

    def told(self, context: Context) -> Context:
        """This will give the context with what was weighed."""
        return replace(
            context,
            excess=self.excess,
            beyond=self.beyond,
            without_consent=self.without_consent,
        )

    def count(self, window: Window, decided: Decided) -> None:
        """This will count what a call asks, for the calls after it in the window and for good."""
        limit = decided.ready.limit
        if limit is None:
            return
        product, holder = decided.ready.product.id, decided.stand.holder
        by = (product, holder)
        if limit.subjects is not None and self.new:
            window.new_subjects[by] = window.new_subjects.get(by, 0) + self.new
        until = format_instant(window.now + timedelta(days=limit.days))
        known = window.asked.setdefault(by, {})
        for name, place, value in self.fresh:
            known.setdefault(name, Places({})).taken[place] = value
            window.new_values.append({
                "product": product, "holder": holder, "subject": name.hex(), "place": place,
                "value": value.hex(), "until": until,
            })  # fmt: skip


def _new_places(
    known: _Subjects, ready: Ready, question: Question, asked: Sequence[Asked], most: int
) -> tuple[_Fresh, set[bytes], int]:
    """Give the new (subject, place, value) a request would take, the subjects with too many.

    The last figure is how many subjects nothing was asked about before.
    """
    mine: dict[bytes, dict[int, bytes]] = {}
    fresh: _Fresh = []
    excess: set[bytes] = set()
    new: set[bytes] = set()
    for one in asked:
        name, value = subject_name(ready.key, one[0]), question_name(ready.key, question, one)
        before = known.get(name)
        taken = before.taken if before is not None else {}
        if not taken:
            new.add(name)
        own = mine.setdefault(name, {})
        if value in taken.values() or value in own.values():
            continue
        place = next((one for one in range(most) if one not in taken and one not in own), None)
        if place is None:
            excess.add(name)
            continue
        own[place] = value
        fresh.append((name, place, value))
    return fresh, excess, len(new)


def make_context(
    window: Window, waiting: Waiting, grants: rights.EffectiveGrants, *, bad_row: int
) -> Context:
    """This will give what a call is decided on, before what is limited is weighed."""
    request = waiting.request
    stand, ready = window.stands[request.grant], window.ready[request.product]
    assert stand is not None, "whoever asks knows of the grant"
    known_purpose = True
    try:
        use = ready.use(request, stand.holder)
        verdict = grants.judge(request.grant, use, window.now)
    except UnknownCode as error:
        known_purpose = error.parameters.get("tree") != "purposes"
        verdict = rights.Verdict(permitted=False, code=rights.UseOutside.code, part="territories")
    above = ready.product.grant_id
    return Context(
        request=request,
        product=ready.product,
        policy=ready.policy,
        published=ready.file is not None,
        may_call=waiting.asker.may_call,
        of_product=request.grant != above and above in stand.above,
        known_purpose=known_purpose,
        verdict=verdict,
        held=grants.find_hold(ready.product.id),
        bad_row=bad_row,
        is_used=(request.grant, request.call) in window.used,
    )
