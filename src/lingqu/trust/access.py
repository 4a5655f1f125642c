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
from lingqu.kernel.time import Instant
from lingqu.runtime import Caller, Row, Tx
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
    PROVIDER = "provider"
    """数据提供单位: a body that holds data and provides it."""
    IMPLEMENTER = "implementer"
    """实施机构: implements the authorised operation of public data."""
    OPERATOR = "operator"
    """运营机构: operates public data under an agreement."""
    CLERK = "clerk"
    """登记受理人员: receives and checks applications for registration."""
    REVIEWER = "reviewer"
    """登记审核人员: decides on what a clerk prepared."""
    PRICE_AUTHORITY = "price_authority"
    """价格主管部门: sets and supervises fees."""
    TREASURY = "treasury"
    """财政部门: receives what is due to the state."""
    CHIEF_DATA_OFFICER = "chief_data_officer"
    """首席数据官: answers for the data of an organisation."""
    VENUE = "venue"
    """数据交易场所: its staff, who list, match and settle."""
    MERCHANT = "merchant"
    """数据商: makes data products and brings them to the market."""
    BUYER = "buyer"
    """数据需求方: buys and uses."""
    SERVICE_BODY = "service_body"
    """第三方专业服务机构: assesses, audits, mediates."""
    PERSON = "person"
    """个人: whom personal data is about."""
    FINANCIAL_REGULATOR = "financial_regulator"
    """地方金融管理部门: supervises the venue's financial conduct and risk."""
    CLEARING = "clearing"
    """清算人员: keeps the books: opens accounts, sets limits, posts transfers, closes days."""
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
    MANDATE = "mandate"
    CERTIFICATE = "certificate"
    PROCEDURE = "procedure"
    LEDGER_CURRENCY = "ledger_currency"
    LEDGER_ACCOUNT = "ledger_account"
    LEDGER_TRANSFER = "ledger_transfer"
    LEDGER_DAY = "ledger_day"
    DUTY = "duty"
    RESOURCE = "resource"
    SECURITY_LEVEL = "security_level"
    SOURCE = "source"
    LOAD = "load"
    FINDING = "finding"
    OPENING = "opening"
    OPEN_CATALOG = "open_catalog"
    RIGHTS_CODE = "rights_code"
    GROUND = "ground"
    GRANT = "grant"
    PEER = "peer"
    REMOTE_LISTING = "remote_listing"
    FLOW = "flow"
    CASE = "case"
    REPORT = "report"
    VENUE = "venue"
    MEMBERSHIP = "membership"
    PRICE = "price"
    LISTING = "listing"
    CONTRACT = "contract"
    FUND = "fund"
    CHARGE = "charge"
    SETTLEMENT = "settlement"
    PAYABLE = "payable"
    PRODUCT = "product"
    OPERATION = "operation"
    REGISTRAR = "registrar"
    REGISTRATION = "registration"
    OBJECTION = "objection"
    WORK = "work"
    PAPER = "paper"


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


def _each(
    reach: Reach, acts: Mapping[Action, tuple[Kind, ...]]
) -> Mapping[tuple[Action, Kind], Reach]:
    """Each of these acts on each of these kinds, as far as `reach`."""
    return MappingProxyType({(act, kind): reach for act, kinds in acts.items() for kind in kinds})


_IN_BUSINESS = _each(_OWN, {
    _A.READ: (
        _K.PARTY, _K.MANDATE, _K.FACT, _K.PROCEDURE, _K.LEDGER_ACCOUNT, _K.GROUND, _K.GRANT,
        _K.OPERATION, _K.REGISTRATION,
    ),
    _A.CREATE: (_K.PROCEDURE, _K.REGISTRATION, _K.OBJECTION, _K.PAPER),
    _A.CHANGE: (_K.PROCEDURE,),
    _A.ASSIGN: (_K.PROCEDURE,),
})  # fmt: skip
"""What everyone who acts for a party sees of it and moves for it, whatever the business."""
_GRANTS = _each(_OWN, {
    _A.CREATE: (_K.GRANT,),
    _A.CHANGE: (_K.GRANT,),
    _A.END: (_K.GRANT,),
    _A.OPERATE: (_K.GRANT,),
})  # fmt: skip
"""What whoever holds rights does with them: gives on, narrows, ends, uses."""
_OFFERS = _each(_OWN, {
    _A.CREATE: (_K.PRODUCT,),
    _A.CHANGE: (_K.PRODUCT,),
    _A.END: (_K.PRODUCT,),
})  # fmt: skip
"""What whoever operates data does with its products: defines, publishes, withdraws."""
_OPERATES = _each(_OWN, {
    _A.CREATE: (_K.OPERATION,),
    _A.CHANGE: (_K.OPERATION,),
})  # fmt: skip
"""What a body does about authorised operation: schemes, selections, agreements, their filing."""
_REGISTERS = _each(_OWN, {
    _A.CHANGE: (_K.REGISTRATION,),
})  # fmt: skip
"""What the people of a registrar, and whoever applied, do with a registration."""
_PROVIDES = _each(_OWN, {
    _A.READ: (_K.SOURCE, _K.LOAD, _K.FINDING),
    _A.CREATE: (_K.DUTY, _K.RESOURCE, _K.SOURCE, _K.LOAD, _K.OPENING),
    _A.CHANGE: (_K.RESOURCE,),
    _A.END: (_K.DUTY, _K.RESOURCE, _K.SOURCE, _K.OPENING),
})  # fmt: skip
"""What a body does with the data it answers for; its level is confirmed by another."""
_TRADES = _each(_OWN, {
    _A.READ: (_K.MEMBERSHIP, _K.CONTRACT, _K.FUND),
    _A.CREATE: (_K.MEMBERSHIP, _K.CONTRACT),
    _A.CHANGE: (_K.CONTRACT,),
    _A.END: (_K.CONTRACT,),
})  # fmt: skip
"""What whoever buys or sells at a venue does there."""
_SELLS = _each(_OWN, {
    _A.READ: (_K.PRICE, _K.LISTING, _K.REMOTE_LISTING),
    _A.CREATE: (_K.PRICE, _K.LISTING, _K.REMOTE_LISTING),
    _A.CHANGE: (_K.PRICE, _K.REMOTE_LISTING),
    _A.END: (_K.LISTING, _K.REMOTE_LISTING),
})  # fmt: skip
"""What a seller does with the fee and the listing of a product."""
_RUNS_VENUE = _each(_OWN, {
    _A.READ: (
        _K.SETTLEMENT, _K.PAYABLE, _K.MEMBERSHIP, _K.LISTING, _K.CONTRACT, _K.FUND,
        _K.REMOTE_LISTING,
    ),
    _A.CREATE: (_K.SETTLEMENT,),
    _A.CHANGE: (_K.CHARGE, _K.MEMBERSHIP, _K.LISTING),
    _A.END: (_K.LISTING,),
})  # fmt: skip
"""What the staff of a venue decide there; they never trade themselves."""
_PRICES = _each(_OWN, {
    _A.READ: (_K.PRICE,),
    _A.ASSIGN: (_K.PRICE,),
})  # fmt: skip
"""What fixes permitted revenue, ceilings and trial fees; who sets the fee below is another."""
_COORDINATES = {
    **_each(_ANY, {
        _A.READ: (_K.SOURCE, _K.LOAD),
        _A.CREATE: (_K.OPENING, _K.OPEN_CATALOG),
        _A.CHANGE: (_K.OPENING, _K.OPEN_CATALOG),
        _A.END: (_K.OPENING,),
    }),
    **_each(_OWN, {
        _A.READ: (_K.FINDING,),
        _A.CREATE: (_K.FINDING,),
    }),
}  # fmt: skip
"""What the department that coordinates public data does: it compares, finds, and opens."""
_CLEARS = {
    **_each(_ANY, {
        _A.READ: (_K.LEDGER_ACCOUNT, _K.LEDGER_DAY),
        _A.CREATE: (_K.LEDGER_ACCOUNT, _K.LEDGER_CURRENCY, _K.LEDGER_TRANSFER),
        _A.CHANGE: (_K.LEDGER_ACCOUNT,),
        _A.END: (_K.LEDGER_ACCOUNT, _K.LEDGER_DAY),
        _A.OPERATE: (_K.LEDGER_TRANSFER,),
    }),
    **_each(_OWN, {
        _A.READ: (_K.SETTLEMENT, _K.PAYABLE, _K.FUND, _K.MEMBERSHIP),
        _A.CREATE: (_K.SETTLEMENT, _K.FUND),
    }),
}  # fmt: skip
_SUPERVISES = _each(_ANY, {
    _A.READ: (
        _K.SETTLEMENT, _K.PAYABLE, _K.PARTY, _K.ACCOUNT, _K.ROLE, _K.MANDATE, _K.FACT, _K.REFUSAL,
        _K.HOLD, _K.PROCEDURE, _K.LEDGER_ACCOUNT, _K.LEDGER_DAY, _K.GROUND, _K.GRANT,
        _K.REMOTE_LISTING, _K.FLOW, _K.CASE, _K.REPORT, _K.MEMBERSHIP, _K.PRICE, _K.LISTING,
        _K.CONTRACT, _K.FUND, _K.SOURCE, _K.LOAD, _K.FINDING, _K.OPERATION, _K.REGISTRATION,
    ),
    _A.CREATE: (_K.HOLD, _K.CASE, _K.REPORT),
    _A.CHANGE: (_K.CASE,),
    _A.END: (_K.HOLD, _K.CASE),
    _A.OPERATE: (_K.FLOW,),
})  # fmt: skip
"""A supervisor sees everything, holds and frees, keeps its own cases, and changes nothing else."""

RIGHTS: Mapping[Role, Mapping[tuple[Action, Kind], Reach]] = MappingProxyType({
    Role.PLATFORM: _each(_ANY, {
        _A.READ: (_K.SETTLEMENT, _K.GROUND, _K.GRANT, _K.FLOW, _K.REPORT, _K.LISTING, _K.CONTRACT),
        _A.CREATE: (
            _K.CHARGE, _K.SETTLEMENT, _K.REFUSAL, _K.PARTY, _K.ACCOUNT, _K.HOLD, _K.LEDGER_ACCOUNT,
            _K.LEDGER_TRANSFER, _K.GROUND, _K.GRANT, _K.CASE, _K.REPORT,
        ),
        _A.CHANGE: (_K.GRANT, _K.CONTRACT),
        _A.END: (_K.SESSION, _K.HOLD, _K.LEDGER_DAY, _K.GRANT, _K.CONTRACT),
        _A.ASSIGN: (_K.ROLE, _K.GROUND),
        _A.OPERATE: (_K.LOG, _K.INSTALLATION, _K.PROCEDURE, _K.LEDGER_TRANSFER, _K.GRANT, _K.FLOW),
    }),
    Role.ADMINISTRATOR: {
        **_COORDINATES,
        **_each(_ANY, {
            _A.READ: (
                _K.SETTLEMENT, _K.PAYABLE, _K.PARTY, _K.ACCOUNT, _K.ROLE, _K.API_KEY, _K.FACT,
                _K.REFUSAL, _K.HOLD, _K.MANDATE, _K.CERTIFICATE, _K.PROCEDURE, _K.LEDGER_ACCOUNT,
                _K.LEDGER_DAY, _K.FINDING, _K.OPERATION, _K.REGISTRATION, _K.GROUND, _K.GRANT,
                _K.REMOTE_LISTING, _K.FLOW, _K.CASE, _K.REPORT, _K.VENUE, _K.MEMBERSHIP, _K.PRICE,
                _K.LISTING, _K.CONTRACT, _K.FUND, _K.WORK,
            ),
            _A.CREATE: (
                _K.SETTLEMENT, _K.PARTY, _K.ACCOUNT, _K.API_KEY, _K.HOLD, _K.CERTIFICATE,
                _K.PROCEDURE, _K.LEDGER_ACCOUNT, _K.LEDGER_CURRENCY, _K.DUTY, _K.RESOURCE,
                _K.FINDING, _K.SOURCE, _K.LOAD, _K.RIGHTS_CODE, _K.REGISTRAR, _K.GROUND, _K.GRANT,
                _K.PEER, _K.REMOTE_LISTING, _K.CASE, _K.REPORT, _K.VENUE, _K.FUND, _K.PRODUCT,
                _K.PAPER,
            ),
            _A.CHANGE: (
                _K.CHARGE, _K.PARTY, _K.ACCOUNT, _K.RESOURCE, _K.SECURITY_LEVEL, _K.GRANT,
                _K.REMOTE_LISTING, _K.CASE, _K.PRODUCT,
            ),
            _A.END: (
                _K.PAYABLE, _K.ACCOUNT, _K.ROLE, _K.API_KEY, _K.SESSION, _K.HOLD, _K.MANDATE,
                _K.CERTIFICATE, _K.LEDGER_ACCOUNT, _K.LEDGER_DAY, _K.DUTY, _K.RESOURCE, _K.SOURCE,
                _K.REGISTRAR, _K.GRANT, _K.PEER, _K.REMOTE_LISTING, _K.CASE, _K.PRODUCT, _K.WORK,
            ),
            _A.ERASE: (_K.PARTY,),
            _A.ASSIGN: (_K.ROLE, _K.MANDATE, _K.PROCEDURE, _K.GROUND),
            _A.OPERATE: (
                _K.LOG, _K.INSTALLATION, _K.PROCEDURE, _K.LEDGER_TRANSFER, _K.GRANT,
                _K.REMOTE_LISTING, _K.FLOW,
            ),
        }),
        **_each(_SELF, {
            _A.CHANGE: (_K.PROCEDURE,),
        }),
    },
    Role.MEMBER: {
        **_IN_BUSINESS, **_GRANTS, **_OFFERS, **_PROVIDES, **_TRADES, **_SELLS, **_OPERATES,
        **_REGISTERS,
        **_each(_OWN, {
            _A.READ: (_K.CERTIFICATE, _K.ACCOUNT, _K.ROLE, _K.API_KEY),
            _A.CREATE: (_K.API_KEY,),
            _A.CHANGE: (_K.SECURITY_LEVEL,),
            _A.END: (_K.API_KEY,),
        }),
    },
    Role.REGULATOR: _SUPERVISES,
    Role.FINANCIAL_REGULATOR: _SUPERVISES,
    Role.PROVIDER: {**_IN_BUSINESS, **_PROVIDES, **_GRANTS},
    Role.IMPLEMENTER: {
        **_IN_BUSINESS, **_GRANTS, **_PRICES, **_COORDINATES, **_OPERATES,
    },
    Role.OPERATOR: {
        **_IN_BUSINESS, **_GRANTS, **_OFFERS, **_TRADES, **_SELLS,
        **_each(_OWN, {
            _A.CHANGE: (_K.OPERATION,),
        }),
    },
    Role.CLERK: {**_IN_BUSINESS, **_REGISTERS},
    Role.REVIEWER: {**_IN_BUSINESS, **_REGISTERS},
    Role.PRICE_AUTHORITY: {**_IN_BUSINESS, **_PRICES},
    Role.TREASURY: {
        **_IN_BUSINESS,
        **_each(_OWN, {
            _A.READ: (_K.PAYABLE,),
            _A.END: (_K.PAYABLE,),
        }),
    },
    Role.CHIEF_DATA_OFFICER: {
        **_IN_BUSINESS,
        **_each(_OWN, {
            _A.READ: (_K.ACCOUNT, _K.ROLE, _K.API_KEY, _K.CERTIFICATE),
            _A.CHANGE: (_K.SECURITY_LEVEL,),
        }),
    },
    Role.CLEARING: _CLEARS,
    Role.VENUE: {**_IN_BUSINESS, **_RUNS_VENUE},
    Role.MERCHANT: {**_IN_BUSINESS, **_GRANTS, **_OFFERS, **_TRADES, **_SELLS},
    Role.BUYER: {**_IN_BUSINESS, **_GRANTS, **_TRADES},
    Role.SERVICE_BODY: _IN_BUSINESS,
    Role.PERSON: _IN_BUSINESS,
    Role.SIGNED_IN: _each(_SELF, {
        _A.READ: (_K.ACCOUNT, _K.WORK),
        _A.CHANGE: (_K.ACCOUNT, _K.PROCEDURE),
        _A.END: (_K.SESSION, _K.WORK),
    }),
    Role.VISITOR: _each(_ANY, {
        _A.SIGN_IN: (_K.SESSION,),
        _A.OPERATE: (_K.REMOTE_LISTING,),
    }),
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
    WITH me AS (SELECT id FROM trust.account WHERE id = %s AND state = 'active')
    SELECT r.id, r.role, r.party, NULL::timestamptz AS from_at, NULL::timestamptz AS until_at
    FROM me LEFT JOIN trust.role_assignment r ON r.account = me.id AND r.ended_at IS NULL
    UNION ALL
    SELECT m.id, unnest(m.roles), m.party, m.from_at, m.until_at
    FROM me JOIN trust.mandate m ON m.account = me.id AND m.ended_at IS NULL
    WHERE NOT EXISTS (SELECT 1 FROM trust.hold h WHERE h.subject = m.id AND h.lifted_at IS NULL)
    ORDER BY id
"""


def holdings(tx: Tx) -> tuple[Holding, ...]:
    """This will give the roles the caller holds; raises CallerUnknown for a closed account."""
    cached = tx.notes.get(_Holdings)
    if cached is None:
        known_here = tx.caller.account in _BUILT_IN
        rows = [] if known_here else tx.all(SELECT_HOLDINGS, (tx.caller.account,))
        cached = take_holdings(tx, rows)
    known: tuple[Holding, ...] = cached.known
    return known


def take_holdings(tx: Tx, rows: list[Row]) -> _Holdings:
    """This will keep holdings that were read together with something else."""
    built_in = _BUILT_IN.get(tx.caller.account)
    if built_in is not None:
        known: tuple[Holding, ...] = (Holding(role=built_in, party=""),)
    elif rows:
        known = choose_holdings(rows, now=tx.now, acting_for=tx.caller.acting_for)
        known = (*known, Holding(role=Role.SIGNED_IN, party=""))
    else:
        raise CallerUnknown(account=str(tx.caller.account))
    tx.notes[_Holdings] = _Holdings(known)
    return _Holdings(known)


def choose_holdings(
    rows: list[Row], *, now: Instant, acting_for: str | None
) -> tuple[Holding, ...]:
    """This will give the roles in force now, only those for one party where that was chosen."""
    return tuple(
        Holding(role=Role(row["role"]), party=str(row["party"]))
        for row in rows
        if row["role"]
        and (row["from_at"] is None or row["from_at"] <= now < row["until_at"])
        and (acting_for is None or row["party"] == acting_for)
    )


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
    """This will draw kinds x roles x actions as text: `any`, `own`, `self`, or a dot for no.

    A role without any right to a kind of thing is not named there.
    """
    lines: list[str] = []
    for kind in Kind:
        lines.append(f"{kind.value:<20}" + "".join(f"{action.value:>10}" for action in Action))
        for role in Role:
            cells = [RIGHTS[role].get((action, kind)) for action in Action]
            if any(cells):
                drawn = "".join(f"{cell.value if cell else '·':>10}" for cell in cells)
                lines.append(f"  {role.value:<18}{drawn}")
        lines.append("")
    return "\n".join(line.rstrip() for line in lines)
