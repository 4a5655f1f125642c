# SPDX-License-Identifier: Apache-2.0
"""赋码 and renewal: the code a registration gets, and how long it counts.

The public registry gives an identifier of NDI-TR-2025-04 (type, subject, region, eight digits,
check character of GB/T 17710): the national rule for 登记结果查询码 is not published. The property
registry gives the code of its annex 6. A code is given once and never changes.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.rights.grants import GRANTS, find_successor, read_form
from lingqu.rights.names import identity_of
from lingqu.rights.registry.registrars import REGISTRARS, Registrar
from lingqu.rights.registry.registrations import (
    COURSES,
    REGISTRATIONS,
    Registration,
    RegistrationId,
    RegistrationKind,
    RegistrationRecord,
    lock_registration,
    registry_of,
    with_state,
)
from lingqu.rights.standing import find_due
from lingqu.rights.statements import cite
from lingqu.runtime import Tx
from lingqu.runtime.calendar import local_day, shift_days, shift_months, start_of_day
from lingqu.trust import procedures, rulebook

MONTHS = 12
PRODUCT_TYPE, RESOURCE_TYPE = "6", "7"
_PLACE_DIGITS = 4
_RANDOM_DIGITS = 8


class IdentityMissing(errors.Conflict):
    """Without a unified social credit code and a region no code can be given."""

    code = "rights.registration.identity_missing"


class CodesUsedUp(errors.Conflict):
    """No code is left for this registrar and month, or this applicant and place."""

    code = "rights.registration.codes_used_up"


class PeriodOver(errors.Conflict):
    """The right it was applied for with is over, so there is no period left to register."""

    code = "rights.registration.period_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationCoded(trust.Fact):
    """A registration got its code and counts from here on."""

    kind = "rights.registration.coded"
    registration: RegistrationId
    code: str
    subject: str
    valid_until: Instant


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationRenewed(trust.Fact):
    """A registration counts for another period."""

    kind = "rights.registration.renewed"
    registration: RegistrationId
    valid_until: Instant


@trust.command("rights.registration.code")
def code_registration(
    tx: Tx, *, registration: RegistrationId, months: int | None = None, opinion: str | None = None
) -> Registration:
    """This will give a registration its code after publicity; its period begins.

    `months` shortens the period. A registration under a grant never counts longer than the grant.
    Raises RegistrationNotFound, IdentityMissing, CodesUsedUp, PeriodOver, BadTerm and what a move
    of a procedure raises.
    """
    held = lock_registration(tx, registration)
    course, keeper = COURSES[registry_of(held.kind)], REGISTRARS.get(tx, held.registrar)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.REGISTRATION, owner=keeper.party)
    end = _end_of_right(tx, held)
    moved = procedures.advance_procedure(
        tx,
        procedure=held.procedure,
        move=course.code,
        given=procedures.Given(opinion=opinion, terms=_terms(tx, course.validity, months, end)),
    )
    stored = REGISTRATIONS.get(tx, registration)
    made = REGISTRATIONS.update(
        tx,
        stored,
        code=_new_code(tx, stored, keeper),
        coded_at=tx.now,
        valid_until=_valid_until(tx, stored, end),
    )
    assert made.code is not None, "it was just given"
    assert made.valid_until is not None, "it was just given"
    trust.record(
        tx,
        RegistrationCoded(
            registration=registration,
            code=made.code,
            subject=made.subject,
            valid_until=made.valid_until,
        ),
    )
    return with_state(made, moved.state)


@trust.command("rights.registration.renew")
def renew_registration(
    tx: Tx, *, registration: RegistrationId, opinion: str, months: int | None = None
) -> Registration:
    """This will renew a registration that was applied for in time; the new period joins the old.

    Raises RegistrationNotFound, PeriodOver, BadTerm and what a move of a procedure raises.
    """
    held = lock_registration(tx, registration)
    course, keeper = COURSES[registry_of(held.kind)], REGISTRARS.get(tx, held.registrar)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.REGISTRATION, owner=keeper.party)
    end = _end_of_right(tx, held)
    moved = procedures.advance_procedure(
        tx,
        procedure=held.procedure,
        move="renew",
        given=procedures.Given(opinion=opinion, terms=_terms(tx, course.validity, months, end)),
    )
    stored = REGISTRATIONS.get(tx, registration)
    made = REGISTRATIONS.update(tx, stored, valid_until=_valid_until(tx, stored, end))
    assert made.valid_until is not None, "it was just given"
    trust.record(tx, RegistrationRenewed(registration=registration, valid_until=made.valid_until))
    return with_state(made, moved.state)


def _end_of_right(tx: Tx, held: RegistrationRecord) -> Instant | None:
    """When the right it rests on ends (26号 第十五条: 以实际运营期限为准). Raises PeriodOver."""
    if held.grant_id is None:
        return None
    grant = GRANTS.get(tx, find_successor(tx, held.grant_id))
    valid = read_form(grant.effective).valid
    end = None if valid is None else valid.end
    if end is not None and end <= tx.now:
        raise PeriodOver(grant=grant.id).grounded_in(cite(tx, "registration.validity"))
    return end


def _terms(tx: Tx, rule: str, months: int | None, end: Instant | None) -> dict[str, int]:
    """The length of the clock: as asked for, and no whole month longer than the right lasts."""
    most = rulebook.of(tx).clock(rule).count * MONTHS
    wanted = most if months is None else months
    if end is not None:
        today, last = local_day(tx.now), local_day(end)
        while wanted > 1 and shift_months(today, wanted - 1) >= last:
            wanted -= 1
    return {"validity": wanted}


def _valid_until(tx: Tx, held: RegistrationRecord, end: Instant | None) -> Instant:
    last = find_due(tx, held.procedure, "validity")
    assert last is not None, "the clock of validity runs from coding"
    until = start_of_day(shift_days(last, 1))
    return until if end is None else min(until, end)


def _new_code(tx: Tx, held: RegistrationRecord, keeper: Registrar) -> str:
    if held.kind is RegistrationKind.PROPERTY:
        return _property_code(tx, keeper)
    identity, region = identity_of(tx, held.applicant)
    if identity is None or region is None:
        raise IdentityMissing(party=held.applicant).grounded_in(cite(tx, "registration.query_code"))
    kind = RESOURCE_TYPE if held.kind is RegistrationKind.RESOURCE else PRODUCT_TYPE
    first = int.from_bytes(hashlib.sha256(held.id.encode()).digest()[:8])
    for step in range(100):
        number = (first + step) % 10**_RANDOM_DIGITS
        code: str = rulebook.of(tx).evaluate(
            "identifier.compose",
            kind=kind,
            subject=identity,
            place=region[:_PLACE_DIGITS],
            random=f"{number:0{_RANDOM_DIGITS}d}",
        )
        if not tx.maybe("SELECT 1 FROM rights.registration WHERE code = %s", (code,)):
            return code
    raise CodesUsedUp(registrar=keeper.id)


_LAST = "SELECT max(code) AS code FROM rights.registration WHERE code LIKE %s"


def _property_code(tx: Tx, keeper: Registrar) -> str:
    tx.one("SELECT pg_advisory_xact_lock(hashtextextended(%s, 4))", (keeper.id,))
    book, today = rulebook.of(tx), local_day(tx.now)
    serial = 1
    head = f"SJ{keeper.area}{keeper.number}{today.year:04d}{today.month:02d}"
    last = tx.one(_LAST, (f"{head}%",))["code"]
    if last is not None:
        serial = int(last[len(head) :]) + 1
    if serial > book.constant("property.certificates_per_month_max").amount:
        raise CodesUsedUp(registrar=keeper.id)
    code: str = book.evaluate(
        "property.certificate_code",
        area=keeper.area,
        registrar=keeper.number,
        year=today.year,
        month=today.month,
        serial=serial,
    )
    return code
