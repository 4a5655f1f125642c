# SPDX-License-Identifier: Apache-2.0
"""Obligations of a holder (义务): delete, report, pay within so many days, each with its clock.

They are made with the grant, each with a procedure of its own on the chart `grant.obligation`: its
clock is a timer like every other, on the working-day calendar, and a to-do of the holder. A clock
starts when the grant is issued, or when it ends, be it by its period or by revocation; a revocation
writes nothing here, `begin_obligations` finds the end by itself. What was not fulfilled in time
becomes overdue and can still be fulfilled. A successor of a grant takes its open obligations over
with the procedures they have.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.time import Instant
from lingqu.rights.grants import GRANTS, Grant, GrantId, get_grant
from lingqu.runtime import Row, Tx, new_id
from lingqu.runtime.calendar import local_day
from lingqu.runtime.i18n import translate
from lingqu.trust import procedures

DAYS_MAX = 3650
"""The most days an obligation may give."""
DUTIES_MAX = 20
SCAN_MAX = 200
OBLIGATION_CHART = "grant.obligation"
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
    """How an obligation stands; whether an open one is overdue is said by its procedure."""

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
    procedure: procedures.ProcedureId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """An obligation with the instant its time is over; None while its clock has not started."""

    obligation: Obligation
    due_at: Instant | None


_FIRST_SHAPE = (
    "id", "grant_id", "kind", "days", "starts", "issued_at", "article", "state", "evidence",
    "version",
)  # fmt: skip
OBLIGATIONS = trust.Table(
    "rights.obligation",
    Obligation,
    shapes=(_FIRST_SHAPE, (*_FIRST_SHAPE, "procedure")),
    defaults={"procedure": None},
    not_found=ObligationNotFound,
)
_OVER = frozenset({ObligationState.FULFILLED, ObligationState.SUCCEEDED})


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationFulfilled(trust.Fact):
    """The holder of a grant did what it owed."""

    kind = "rights.obligation.fulfilled"
    obligation: ObligationId
    grant: GrantId
    late: bool
    evidence: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationImposed(trust.Fact):
    """The holder of a new grant owes something; `procedure` keeps its clock."""

    kind = "rights.obligation.imposed"
    obligation: ObligationId
    grant: GrantId
    procedure: procedures.ProcedureId | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationsLapsed(trust.Fact):
    """What was owed was not done in time: so until the clocks of procedures took over."""

    kind = "rights.obligation.lapsed"
    obligations: tuple[ObligationId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObligationsBegun(trust.Fact):
    """The clocks of obligations began to run, because their grants ended."""

    kind = "rights.obligation.begun"
    obligations: tuple[ObligationId, ...]


@trust.command("rights.obligation.fulfill")
def fulfill_obligation(tx: Tx, *, obligation: ObligationId, evidence: bytes) -> Obligation:
    """This will record that the holder did what it owed. Raises ObligationOver, BadObligation."""
    held = _with_procedure(tx, OBLIGATIONS.lock(tx, obligation))
    owner = GRANTS.get(tx, held.grant_id).holder
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT, owner=owner)
    if len(evidence) != DIGEST_BYTES:
        raise BadObligation(where="evidence")
    if held.state in _OVER:
        raise ObligationOver(obligation=held.id, state=held.state.value)
    assert held.procedure is not None, "it was just given one"
    before = _states(tx, (held,))[held.procedure]
    mine = trust.is_allowed(tx, trust.Action.CHANGE, trust.Kind.PROCEDURE, owner=owner)
    procedures.advance_procedure(
        tx, procedure=held.procedure, move="fulfill" if mine else "record_fulfilled"
    )
    done = OBLIGATIONS.update(tx, held, state=ObligationState.FULFILLED, evidence=evidence)
    trust.record(
        tx,
        ObligationFulfilled(
            obligation=obligation,
            grant=held.grant_id,
            late=before == ObligationState.OVERDUE.value,
            evidence=evidence,
        ),
    )
    return done


@trust.command("rights.obligation.begin", internal=True)
def begin_obligations(tx: Tx) -> tuple[ObligationId, ...]:
    """This will start the clocks of obligations whose grants have ended, at most 200 at once.

    What ran out since then is due tomorrow. Obligations that have no procedure yet get theirs.
    """
    trust.authorize(tx, trust.Action.OPERATE, trust.Kind.GRANT)
    begun = []
    for row in tx.all(_ENDED, {"now": tx.now, "limit": SCAN_MAX}):
        held = _with_procedure(tx, OBLIGATIONS.lock(tx, row["id"]))
        _begin(tx, held, row["since"])
        begun.append(held.id)
    trust.record(tx, ObligationsBegun(obligations=tuple(begun)))
    return tuple(begun)


_SINCE = """
    SELECT o.id, o.procedure, (CASE o.starts WHEN 'issued' THEN o.issued_at ELSE least(
            (SELECT min(e.ended_at) FROM rights.ending e
             WHERE e.grant_id = g.id OR e.grant_id = ANY(g.ancestors)),
            (g.effective::jsonb #>> '{valid,end}')::timestamptz
        ) END) AS since
    FROM rights.obligation o JOIN rights.grant g ON g.id = o.grant_id
"""
_ENDED = f"""
    SELECT c.id, c.since FROM ({_SINCE} WHERE o.state IN ('open', 'overdue')) AS c
    LEFT JOIN trust.procedure p ON p.id = c.procedure
    WHERE c.since <= %(now)s AND coalesce(p.state, 'waiting') = 'waiting'
    ORDER BY c.since, c.id LIMIT %(limit)s
"""  # noqa: S608  # joined from constants


def has_ended(tx: Tx) -> bool:
    """This will say whether the clock of some obligation is still to be started."""
    return bool(tx.all(_ENDED, {"now": tx.now, "limit": 1}))


_DUE_OF = """
    SELECT DISTINCT ON (t.procedure) t.procedure, t.fires_at
    FROM trust.procedure_timer t WHERE t.procedure = ANY(%s) AND t.name = 'due'
    ORDER BY t.procedure, t.id DESC
"""


def find_obligations(tx: Tx, *, grant: GrantId) -> tuple[Owed, ...]:
    """This will list what the holder of a grant owes and until when. Raises GrantNotFound."""
    get_grant(tx, grant)
    found = OBLIGATIONS.find(tx, "WHERE grant_id = %s ORDER BY id", (grant,))
    known = [one.procedure for one in found if one.procedure is not None]
    due = {row["procedure"]: row["fires_at"] for row in tx.all(_DUE_OF, (known,))}
    states = _states(tx, found)
    return tuple(
        Owed(obligation=_shown(one, states), due_at=due.get(one.procedure)) for one in found
    )


def impose(tx: Tx, made: Grant, duties: Sequence[Duty]) -> None:
    """This will make the obligations of a new grant. Raises BadObligation."""
    if len(duties) > DUTIES_MAX:
        raise BadObligation(where="duties")
    for one in duties:
        named = one.article is None or (0 < len(one.article) <= 200 and one.article.isprintable())
        if not 1 <= one.days <= DAYS_MAX or not named:
            raise BadObligation(where=one.kind.value)
    for one in duties:
        owed = Obligation(
            id=new_id(ObligationId),
            grant_id=made.id,
            kind=one.kind,
            days=one.days,
            starts=one.starts,
            issued_at=tx.now,
            article=one.article,
            state=ObligationState.OPEN,
            procedure=new_id(procedures.ProcedureId),
        )
        _open(tx, owed, made.holder)
        OBLIGATIONS.insert(tx, owed)
        imposed = ObligationImposed(obligation=owed.id, grant=made.id, procedure=owed.procedure)
        trust.record(tx, imposed)
        if one.starts is ClockStart.ISSUED:
            _begin(tx, owed, tx.now)


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
            dataclasses.replace(
                one,
                id=new_id(ObligationId),
                grant_id=successors[one.grant_id].id,
                version=1,
            )
            for one in held
        ],
    )
    for one in held:
        OBLIGATIONS.update(tx, one, state=ObligationState.SUCCEEDED)


def _with_procedure(tx: Tx, held: Obligation) -> Obligation:
    """The obligation with its procedure, which one that was made before procedures gets here."""
    if held.procedure is not None or held.state in _OVER:
        return held
    procedure = new_id(procedures.ProcedureId)
    wanted = dataclasses.replace(held, procedure=procedure)
    _open(tx, wanted, GRANTS.get(tx, held.grant_id).holder)
    given = OBLIGATIONS.update(tx, held, procedure=procedure)
    imposed = ObligationImposed(obligation=held.id, grant=held.grant_id, procedure=procedure)
    trust.record(tx, imposed)
    return given


def _open(tx: Tx, owed: Obligation, holder: trust.PartyId) -> None:
    assert owed.procedure is not None, "its id was made with it"
    title = translate(f"rights.obligation.{owed.kind.value}", "zh-CN")
    procedures.begin_procedure(
        tx,
        procedure=owed.procedure,
        chart=OBLIGATION_CHART,
        subject=owed.id,
        title=f"{title}（{owed.grant_id}）",
        owner=holder,
        parts=(procedures.Part(role="holder", party=holder),),
    )


def _begin(tx: Tx, owed: Obligation, since: Instant) -> None:
    assert owed.procedure is not None, "it was opened with it"
    gone = (local_day(tx.now) - local_day(since)).days
    procedures.advance_procedure(
        tx,
        procedure=owed.procedure,
        move="begin",
        given=procedures.Given(terms={"due": max(1, owed.days - gone)}),
    )


_STATES = "SELECT id, state FROM trust.procedure WHERE id = ANY(%s)"


def _states(tx: Tx, found: Sequence[Obligation]) -> Mapping[str, str]:
    known = [one.procedure for one in found if one.procedure is not None]
    rows: Sequence[Row] = tx.all(_STATES, (known,))
    return {row["id"]: row["state"] for row in rows}


def _shown(one: Obligation, states: Mapping[str, str]) -> Obligation:
    late = one.procedure is not None and states[one.procedure] == ObligationState.OVERDUE.value
    if late and one.state is ObligationState.OPEN:
        return dataclasses.replace(one, state=ObligationState.OVERDUE)
    return one
