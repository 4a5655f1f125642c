# SPDX-License-Identifier: Apache-2.0
"""Obligations of a holder (义务): delete, report, pay within so many days, each with its clock.

They are made with the grant. A clock starts when the grant is issued, or when it ends, be it by its
period or by revocation; a revocation writes nothing here, the scan finds the end by itself. What
was not fulfilled in time becomes overdue and can still be fulfilled. The legal moves stand in a
chart, and a successor of a grant takes its open obligations over with the clocks they have.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import charts, errors
from lingqu.kernel.charts import Chart, Label, Length, Move, Role, Standing, State, Timer, Unit
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.rights.grants import GRANTS, Grant, GrantId, get_grant
from lingqu.runtime import Tx, new_id

DAYS_MAX = 3650
DUTIES_MAX = 20
SCAN_MAX = 500
DIGEST_BYTES = 32


class ObligationId(Id):
    """The id of one obligation."""

    prefix = "obl"


class ObligationKind(enum.Enum):
    """What is owed."""

    DELETE = "delete"
    """To delete the data."""
    REPORT = "report"
    """To report how it was used."""
    PAY = "pay"
    """To pay."""


class ClockStart(enum.Enum):
    """When the clock of an obligation starts."""

    ISSUED = "issued"
    ENDED = "ended"


class ObligationState(enum.Enum):
    """How an obligation stands: the states of its chart."""

    OPEN = "open"
    OVERDUE = "overdue"
    FULFILLED = "fulfilled"
    SUCCEEDED = "succeeded"


class ObligationNotFound(errors.NotFound):
    """There is no such obligation, or the caller may not know of it."""

    code = "rights.obligation.not_found"


class ObligationOver(errors.Conflict):
    """The obligation was fulfilled, or a successor's took its place."""

    code = "rights.obligation.over"


class BadObligation(errors.Rejected):
    """An obligation has 1 to 3,650 days, a named article if any; a grant has at most 20."""

    code = "rights.obligation.bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Duty:
    """What a new grant obliges its holder to: within `days` calendar days of the start."""

    kind: ObligationKind
    days: int
    starts: ClockStart
    article: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Obligation:
    """A duty of the holder of a grant. `evidence` is the SHA-256 of what shows it was fulfilled."""

    id: ObligationId
    grant_id: GrantId
    kind: ObligationKind
    days: int
    starts: ClockStart
    issued_at: Instant
    article: str | None
    state: ObligationState
    evidence: bytes | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """An obligation with the instant it is due; None while its clock has not started."""

    obligation: Obligation
    due_at: Instant | None


OBLIGATIONS = trust.Table("rights.obligation", Obligation, not_found=ObligationNotFound)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationFulfilled(trust.Fact):
    """The holder of a grant did what it owed."""

    kind = "rights.obligation.fulfilled"
    obligation: ObligationId
    grant: GrantId
    late: bool
    evidence: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationsLapsed(trust.Fact):
    """What was owed was not done in time."""

    kind = "rights.obligation.lapsed"
    obligations: tuple[ObligationId, ...]


def obligation_chart(days: int) -> Chart:
    """This will give the life of an obligation that is due after so many days."""

    def state(name: ObligationState, zh: str, en: str, *, over: bool, turn: bool) -> State:
        return State(
            name=name.value,
            label=Label(zh=zh, en=en),
            standing=Standing.TERMINAL if over else Standing.OPEN,
            turn="holder" if turn else None,
        )

    return Chart(
        code="rights.obligation",
        edition=1,
        label=Label(zh="授权义务", en="Obligation of a grant"),
        initial=ObligationState.OPEN.value,
        states=(
            state(ObligationState.OPEN, "待履行", "open", over=False, turn=True),
            state(ObligationState.OVERDUE, "逾期未履行", "overdue", over=False, turn=True),
            state(ObligationState.FULFILLED, "已履行", "fulfilled", over=True, turn=False),
            state(
                ObligationState.SUCCEEDED, "已由接替授权承接", "taken over", over=True, turn=False
            ),
        ),
        roles=(Role(name="holder", label=Label(zh="持有人", en="holder")),),
        moves=(
            Move(
                name="fulfill",
                label=Label(zh="履行", en="fulfill"),
                sources=("open", "overdue"),
                target="fulfilled",
                actor="holder",
                needs_attachment=True,
            ),
            Move(
                name="lapse",
                label=Label(zh="逾期", en="lapse"),
                sources=("open",),
                target="overdue",
                actor=charts.CLOCK,
            ),
            Move(
                name="succeed",
                label=Label(zh="由接替授权承接", en="pass to the successor"),
                sources=("open", "overdue"),
                target="succeeded",
                actor=charts.PLATFORM,
            ),
        ),
        timers=(
            Timer(
                name="due",
                label=Label(zh="履行期限", en="time to fulfill"),
                starts="open",
                runs=("open",),
                length=Length(count=days, unit=Unit.DAYS),
                rule="rights.obligation",
                actor="holder",
                fires="lapse",
            ),
        ),
    )


@trust.command("rights.obligation.fulfill")
def fulfill_obligation(tx: Tx, *, obligation: ObligationId, evidence: bytes) -> Obligation:
    """This will record that the holder did what it owed. Raises ObligationOver, BadObligation."""
    held = OBLIGATIONS.lock(tx, obligation)
    owner = GRANTS.get(tx, held.grant_id).holder
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=owner)
    if len(evidence) != DIGEST_BYTES:
        raise BadObligation(where="evidence")
    target = _target(held, "fulfill")
    done = OBLIGATIONS.update(tx, held, state=target, evidence=evidence)
    trust.record(
        tx,
        ObligationFulfilled(
            obligation=obligation,
            grant=held.grant_id,
            late=held.state is ObligationState.OVERDUE,
            evidence=evidence,
        ),
    )
    return done


@trust.command("rights.obligation.lapse", internal=True)
def lapse_obligations(tx: Tx) -> tuple[ObligationId, ...]:
    """This will mark what is overdue now, at most 500 at once; gives those it marked."""
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT)
    due = [row["id"] for row in tx.all(_DUE, {"now": tx.now, "limit": SCAN_MAX})]
    late = OBLIGATIONS.find(tx, "WHERE id = ANY(%s) ORDER BY id FOR UPDATE", (due,))
    marked = [
        OBLIGATIONS.update(tx, one, state=_target(one, "lapse")).id
        for one in late
        if one.state is ObligationState.OPEN
    ]
    trust.record(tx, ObligationsLapsed(obligations=tuple(marked)))
    return tuple(marked)


_WHEN = """
    SELECT o.id, (CASE o.starts WHEN 'issued' THEN o.issued_at ELSE least(
            (SELECT min(e.ended_at) FROM rights.ending e
             WHERE e.grant_id = g.id OR e.grant_id = ANY(g.ancestors)),
            (g.effective::jsonb #>> '{valid,end}')::timestamptz
        ) END) + o.days * interval '1 day' AS due_at
    FROM rights.obligation o JOIN rights.grant g ON g.id = o.grant_id
"""
_DUE = f"""
    SELECT id FROM ({_WHEN} WHERE o.state = 'open') AS clock
    WHERE due_at <= %(now)s ORDER BY due_at, id LIMIT %(limit)s
"""  # noqa: S608  # joined from constants
_DUE_OF = f"{_WHEN} WHERE o.grant_id = %s"  # joined from constants


def has_lapsed(tx: Tx) -> bool:
    """This will say whether something is overdue that is not marked yet."""
    return bool(tx.all(_DUE, {"now": tx.now, "limit": 1}))


def find_obligations(tx: Tx, *, grant: GrantId) -> tuple[Owed, ...]:
    """This will list what the holder of a grant owes and when. Raises GrantNotFound."""
    get_grant(tx, grant)
    due = {row["id"]: row["due_at"] for row in tx.all(_DUE_OF, (grant,))}
    found = OBLIGATIONS.find(tx, "WHERE grant_id = %s ORDER BY id", (grant,))
    return tuple(Owed(obligation=one, due_at=due[one.id]) for one in found)


def impose(tx: Tx, made: Grant, duties: Sequence[Duty]) -> None:
    """This will make the obligations of a new grant. Raises BadObligation."""
    if len(duties) > DUTIES_MAX:
        raise BadObligation(where="duties")
    for one in duties:
        named = one.article is None or (0 < len(one.article) <= 200 and one.article.isprintable())
        if not 1 <= one.days <= DAYS_MAX or not named:
            raise BadObligation(where=one.kind.value)
        charts.compile_chart(obligation_chart(one.days))
    OBLIGATIONS.insert_many(
        tx,
        [
            Obligation(
                id=new_id(ObligationId),
                grant_id=made.id,
                kind=one.kind,
                days=one.days,
                starts=one.starts,
                issued_at=tx.now,
                article=one.article,
                state=ObligationState.OPEN,
            )
            for one in duties
        ],
    )


def pass_on(tx: Tx, successors: Mapping[GrantId, Grant]) -> None:
    """This will let successors take over what the grants they succeed still owe."""
    held = OBLIGATIONS.find(
        tx,
        "WHERE grant_id = ANY(%s) AND state IN ('open', 'overdue') ORDER BY id FOR UPDATE",
        ([*successors],),
    )
    OBLIGATIONS.insert_many(
        tx,
        [
            Obligation(
                id=new_id(ObligationId),
                grant_id=successors[one.grant_id].id,
                kind=one.kind,
                days=one.days,
                starts=one.starts,
                issued_at=one.issued_at,
                article=one.article,
                state=one.state,
            )
            for one in held
        ],
    )
    for one in held:
        OBLIGATIONS.update(tx, one, state=_target(one, "succeed"))


def _target(held: Obligation, move: str) -> ObligationState:
    """Where a move leads from here; raises ObligationOver where the chart has no such move."""
    legal = charts.compile_chart(obligation_chart(held.days)).legal(held.state.value, move)
    if legal is None:
        raise ObligationOver(obligation=held.id, state=held.state.value)
    return ObligationState(legal.target)
