# SPDX-License-Identifier: Apache-2.0
"""Who may do what: roles x actions x kinds of thing, as one table.

Deny by default. A right reaches `OWN` things (those of the party the role is held for) or `ANY`.
`authorize` stands beside the act, after the row it concerns is locked; a command that never calls
it does not commit.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.runtime import Caller, Tx
from lingqu.trust.facts import Draft


class Role(enum.Enum):
    """What an account may be for a party."""

    PLATFORM = "platform"
    """The platform itself: sequencer, jobs, recording of refusals."""
    ADMINISTRATOR = "administrator"
    """Runs the installation: parties, accounts, keys; no business of its own."""
    MEMBER = "member"
    """Acts for an organisation."""
    REGULATOR = "regulator"
    """Supervises data: sees all evidence, holds and frees things, changes nothing else."""
    CLEARING = "clearing"
    """Keeps the books: opens accounts, sets limits, posts transfers, closes days."""
    SIGNED_IN = "signed_in"
    """Every open account, for what is its own; nobody is given this role, all have it."""
    VISITOR = "visitor"
    """Nobody known: the public, before signing in."""


class Action(enum.Enum):
    """A small uniform set of acts."""

    READ = "read"
    CREATE = "create"
    CHANGE = "change"
    END = "end"
    ERASE = "erase"
    ASSIGN = "assign"
    SIGN_IN = "sign_in"
    OPERATE = "operate"


class Kind(enum.Enum):
    """What an act is done to."""

    PARTY = "party"
    ACCOUNT = "account"
    ROLE = "role"
    API_KEY = "api_key"
    SESSION = "session"
    FACT = "fact"
    LOG = "log"
    REFUSAL = "refusal"
    INSTALLATION = "installation"
    HOLD = "hold"
    RIGHTS_CODE = "rights_code"
    GROUND = "ground"
    GRANT = "grant"
    LEDGER_CURRENCY = "ledger_currency"
    LEDGER_ACCOUNT = "ledger_account"
    LEDGER_TRANSFER = "ledger_transfer"
    LEDGER_DAY = "ledger_day"


class Reach(enum.Enum):
    """How far a right goes."""

    SELF = "self"
    """The caller's own account."""
    OWN = "own"
    """Things of the party for which the role is held."""
    ANY = "any"
    """All things of the kind."""


class AccessDenied(errors.Forbidden):
    """None of the caller's roles allows this."""

    code = "trust.access.denied"


class CallerUnknown(errors.Forbidden):
    """The caller's account is closed or does not exist."""

    code = "trust.access.caller_unknown"


class AccountId(Id):
    """The id of one account."""

    prefix = "acc"


class PartyId(Id):
    """The id of one party."""

    prefix = "pty"


def _built_in(number: int, channel: Literal["platform", "cli", "web"]) -> Caller:
    account = AccountId.make(unix_ms=0, entropy=number.to_bytes(10))
    return Caller(account=account, channel=channel)


PLATFORM = _built_in(1, "platform")
"""The platform acting by itself; the same account id in every installation."""
LOCAL_ADMINISTRATOR = _built_in(2, "cli")
"""Whoever works on the machine itself with access to the data folder."""
VISITOR = _built_in(3, "web")
"""Whoever has not signed in."""


_A, _K, _ANY, _OWN, _SELF = Action, Kind, Reach.ANY, Reach.OWN, Reach.SELF

RIGHTS: Mapping[Role, Mapping[tuple[Action, Kind], Reach]] = MappingProxyType({
    Role.PLATFORM: {
        (_A.CREATE, _K.REFUSAL): _ANY,
        (_A.END, _K.SESSION): _ANY,
        (_A.OPERATE, _K.LOG): _ANY,
        (_A.OPERATE, _K.INSTALLATION): _ANY,
        (_A.CREATE, _K.PARTY): _ANY,
        (_A.CREATE, _K.ACCOUNT): _ANY,
        (_A.ASSIGN, _K.ROLE): _ANY,
        (_A.CREATE, _K.HOLD): _ANY,
        (_A.END, _K.HOLD): _ANY,
        (_A.READ, _K.GRANT): _ANY,
        (_A.CREATE, _K.GRANT): _ANY,
        (_A.CHANGE, _K.GRANT): _ANY,
        (_A.END, _K.GRANT): _ANY,
        (_A.OPERATE, _K.GRANT): _ANY,
        (_A.CREATE, _K.LEDGER_ACCOUNT): _ANY,
        (_A.CREATE, _K.LEDGER_TRANSFER): _ANY,
        (_A.OPERATE, _K.LEDGER_TRANSFER): _ANY,
        (_A.END, _K.LEDGER_DAY): _ANY,
    },
    Role.ADMINISTRATOR: {
        (_A.READ, _K.PARTY): _ANY,
        (_A.CREATE, _K.PARTY): _ANY,
        (_A.CHANGE, _K.PARTY): _ANY,
        (_A.ERASE, _K.PARTY): _ANY,
        (_A.READ, _K.ACCOUNT): _ANY,
        (_A.CREATE, _K.ACCOUNT): _ANY,
        (_A.CHANGE, _K.ACCOUNT): _ANY,
        (_A.END, _K.ACCOUNT): _ANY,
        (_A.READ, _K.ROLE): _ANY,
        (_A.ASSIGN, _K.ROLE): _ANY,
        (_A.END, _K.ROLE): _ANY,
        (_A.READ, _K.API_KEY): _ANY,
        (_A.CREATE, _K.API_KEY): _ANY,
        (_A.END, _K.API_KEY): _ANY,
        (_A.END, _K.SESSION): _ANY,
        (_A.READ, _K.FACT): _ANY,
        (_A.READ, _K.REFUSAL): _ANY,
        (_A.OPERATE, _K.LOG): _ANY,
        (_A.OPERATE, _K.INSTALLATION): _ANY,
        (_A.READ, _K.HOLD): _ANY,
        (_A.CREATE, _K.HOLD): _ANY,
        (_A.END, _K.HOLD): _ANY,
        (_A.CREATE, _K.RIGHTS_CODE): _ANY,
        (_A.READ, _K.GROUND): _ANY,
        (_A.CREATE, _K.GROUND): _ANY,
        (_A.ASSIGN, _K.GROUND): _ANY,
        (_A.READ, _K.GRANT): _ANY,
        (_A.CREATE, _K.GRANT): _ANY,
        (_A.CHANGE, _K.GRANT): _ANY,
        (_A.END, _K.GRANT): _ANY,
        (_A.OPERATE, _K.GRANT): _ANY,
        (_A.READ, _K.LEDGER_ACCOUNT): _ANY,
        (_A.CREATE, _K.LEDGER_ACCOUNT): _ANY,
        (_A.END, _K.LEDGER_ACCOUNT): _ANY,
        (_A.CREATE, _K.LEDGER_CURRENCY): _ANY,
        (_A.OPERATE, _K.LEDGER_TRANSFER): _ANY,
        (_A.READ, _K.LEDGER_DAY): _ANY,
        (_A.END, _K.LEDGER_DAY): _ANY,
    },
    Role.MEMBER: {
        (_A.READ, _K.LEDGER_ACCOUNT): _OWN,
        (_A.READ, _K.PARTY): _OWN,
        (_A.READ, _K.ACCOUNT): _OWN,
        (_A.READ, _K.ROLE): _OWN,
        (_A.READ, _K.API_KEY): _OWN,
        (_A.CREATE, _K.API_KEY): _OWN,
        (_A.END, _K.API_KEY): _OWN,
        (_A.READ, _K.FACT): _OWN,
        (_A.READ, _K.GROUND): _OWN,
        (_A.READ, _K.GRANT): _OWN,
        (_A.CREATE, _K.GRANT): _OWN,
        (_A.CHANGE, _K.GRANT): _OWN,
        (_A.END, _K.GRANT): _OWN,
        (_A.OPERATE, _K.GRANT): _OWN,
    },
    Role.REGULATOR: {
        (_A.READ, _K.PARTY): _ANY,
        (_A.READ, _K.ACCOUNT): _ANY,
        (_A.READ, _K.ROLE): _ANY,
        (_A.READ, _K.FACT): _ANY,
        (_A.READ, _K.REFUSAL): _ANY,
        (_A.READ, _K.HOLD): _ANY,
        (_A.CREATE, _K.HOLD): _ANY,
        (_A.END, _K.HOLD): _ANY,
        (_A.READ, _K.GROUND): _ANY,
        (_A.READ, _K.GRANT): _ANY,
        (_A.READ, _K.LEDGER_ACCOUNT): _ANY,
        (_A.READ, _K.LEDGER_DAY): _ANY,
    },
    Role.CLEARING: {
        (_A.READ, _K.LEDGER_ACCOUNT): _ANY,
        (_A.CREATE, _K.LEDGER_ACCOUNT): _ANY,
        (_A.CHANGE, _K.LEDGER_ACCOUNT): _ANY,
        (_A.END, _K.LEDGER_ACCOUNT): _ANY,
        (_A.CREATE, _K.LEDGER_CURRENCY): _ANY,
        (_A.CREATE, _K.LEDGER_TRANSFER): _ANY,
        (_A.OPERATE, _K.LEDGER_TRANSFER): _ANY,
        (_A.READ, _K.LEDGER_DAY): _ANY,
        (_A.END, _K.LEDGER_DAY): _ANY,
    },
    Role.SIGNED_IN: {
        (_A.READ, _K.ACCOUNT): _SELF,
        (_A.CHANGE, _K.ACCOUNT): _SELF,
        (_A.END, _K.SESSION): _SELF,
    },
    Role.VISITOR: {
        (_A.SIGN_IN, _K.SESSION): _ANY,
    },
})  # fmt: skip
"""The whole table. Its readable form is `docs/reference/permissions.txt`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A role the caller holds for a party."""

    role: Role
    party: str


_BUILT_IN: Mapping[str, Role] = MappingProxyType({
    PLATFORM.account: Role.PLATFORM,
    LOCAL_ADMINISTRATOR.account: Role.ADMINISTRATOR,
    VISITOR.account: Role.VISITOR,
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Holdings:
    known: tuple[Holding, ...]


SELECT_HOLDINGS = """
    SELECT r.role, r.party
    FROM trust.account a
    LEFT JOIN trust.role_assignment r ON r.account = a.id AND r.ended_at IS NULL
    WHERE a.id = %s AND a.state = 'active'
    ORDER BY r.id
"""


def holdings(tx: Tx) -> tuple[Holding, ...]:
    """This will give the roles the caller holds; raises CallerUnknown for a closed account."""
    cached = tx.notes.get(_Holdings)
    if cached is None:
        rows = tx.all(SELECT_HOLDINGS, (tx.caller.account,))
        cached = take_holdings(tx, rows)
    known: tuple[Holding, ...] = cached.known
    return known


def take_holdings(tx: Tx, rows: list[dict[str, str | None]]) -> _Holdings:
    """This will keep holdings that were read together with something else."""
    built_in = _BUILT_IN.get(tx.caller.account)
    if built_in is not None:
        known: tuple[Holding, ...] = (Holding(role=built_in, party=""),)
    elif rows:
        known = tuple(
            Holding(role=Role(row["role"]), party=str(row["party"])) for row in rows if row["role"]
        )
        known = (*known, Holding(role=Role.SIGNED_IN, party=""))
    else:
        raise CallerUnknown(account=str(tx.caller.account))
    tx.notes[_Holdings] = _Holdings(known)
    return _Holdings(known)


def is_allowed(
    tx: Tx,
    action: Action,
    kind: Kind,
    *,
    owner: Id | None = None,
    account: Id | None = None,
) -> bool:
    """This will say whether some role of the caller allows the act.

    `owner` is the party the thing belongs to, `account` the account it is about.
    """
    for holding in holdings(tx):
        reach = RIGHTS[holding.role].get((action, kind))
        if reach is Reach.ANY:
            return True
        if reach is Reach.OWN and owner is not None and holding.party == owner:
            return True
        if reach is Reach.SELF and account is not None and account == tx.caller.account:
            return True
    return False


def authorize(
    tx: Tx,
    action: Action,
    kind: Kind,
    *,
    owner: Id | None = None,
    account: Id | None = None,
) -> None:
    """This will let the running command go on, or raise AccessDenied naming the act."""
    if not is_allowed(tx, action, kind, owner=owner, account=account):
        raise AccessDenied(action=action.value, kind=kind.value)
    draft = tx.notes.get(Draft)
    if draft is not None:
        draft.authorized += 1


def permission_table() -> str:
    """This will draw roles x actions x kinds as text: `any`, `own`, or a dot for no."""
    lines: list[str] = []
    for kind in Kind:
        lines.append(f"{kind.value:<16}" + "".join(f"{action.value:>10}" for action in Action))
        for role in Role:
            cells = [RIGHTS[role].get((action, kind)) for action in Action]
            drawn = "".join(f"{cell.value if cell else '·':>10}" for cell in cells)
            lines.append(f"  {role.value:<14}{drawn}")
        lines.append("")
    return "\n".join(line.rstrip() for line in lines)
