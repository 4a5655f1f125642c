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

_IN_BUSINESS: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.READ, _K.PARTY): _OWN,
    (_A.READ, _K.MANDATE): _OWN,
    (_A.READ, _K.FACT): _OWN,
    (_A.READ, _K.PROCEDURE): _OWN,
    (_A.CREATE, _K.PROCEDURE): _OWN,
    (_A.CHANGE, _K.PROCEDURE): _OWN,
    (_A.ASSIGN, _K.PROCEDURE): _OWN,
    (_A.READ, _K.LEDGER_ACCOUNT): _OWN,
    (_A.READ, _K.GROUND): _OWN,
    (_A.READ, _K.GRANT): _OWN,
    (_A.READ, _K.OPERATION): _OWN,
    (_A.READ, _K.REGISTRATION): _OWN,
    (_A.CREATE, _K.REGISTRATION): _OWN,
    (_A.CREATE, _K.OBJECTION): _OWN,
})  # fmt: skip
"""What everyone who acts for a party sees of it and moves for it, whatever the business."""
_GRANTS: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.CREATE, _K.GRANT): _OWN,
    (_A.CHANGE, _K.GRANT): _OWN,
    (_A.END, _K.GRANT): _OWN,
    (_A.OPERATE, _K.GRANT): _OWN,
})  # fmt: skip
"""What whoever holds rights does with them: gives on, narrows, ends, uses."""
_OFFERS: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.CREATE, _K.PRODUCT): _OWN,
    (_A.CHANGE, _K.PRODUCT): _OWN,
    (_A.END, _K.PRODUCT): _OWN,
})  # fmt: skip
"""What whoever operates data does with its products: defines, publishes, withdraws."""
_OPERATES: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.CREATE, _K.OPERATION): _OWN,
    (_A.CHANGE, _K.OPERATION): _OWN,
})  # fmt: skip
"""What a body does about authorised operation: schemes, selections, agreements, their filing."""
_REGISTERS: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.CHANGE, _K.REGISTRATION): _OWN,
})  # fmt: skip
"""What the people of a registrar, and whoever applied, do with a registration."""
_PROVIDES: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.CREATE, _K.DUTY): _OWN,
    (_A.END, _K.DUTY): _OWN,
    (_A.CREATE, _K.RESOURCE): _OWN,
    (_A.CHANGE, _K.RESOURCE): _OWN,
    (_A.END, _K.RESOURCE): _OWN,
    (_A.READ, _K.SOURCE): _OWN,
    (_A.CREATE, _K.SOURCE): _OWN,
    (_A.END, _K.SOURCE): _OWN,
    (_A.READ, _K.LOAD): _OWN,
    (_A.CREATE, _K.LOAD): _OWN,
    (_A.READ, _K.FINDING): _OWN,
    (_A.CREATE, _K.OPENING): _OWN,
    (_A.END, _K.OPENING): _OWN,
})  # fmt: skip
"""What a body does with the data it answers for; its level is confirmed by another."""
_TRADES: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.READ, _K.MEMBERSHIP): _OWN,
    (_A.CREATE, _K.MEMBERSHIP): _OWN,
    (_A.READ, _K.CONTRACT): _OWN,
    (_A.CREATE, _K.CONTRACT): _OWN,
    (_A.CHANGE, _K.CONTRACT): _OWN,
    (_A.END, _K.CONTRACT): _OWN,
    (_A.READ, _K.FUND): _OWN,
})  # fmt: skip
"""What whoever buys or sells at a venue does there."""
_SELLS: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.READ, _K.PRICE): _OWN,
    (_A.CREATE, _K.PRICE): _OWN,
    (_A.CHANGE, _K.PRICE): _OWN,
    (_A.READ, _K.LISTING): _OWN,
    (_A.CREATE, _K.LISTING): _OWN,
    (_A.END, _K.LISTING): _OWN,
    (_A.READ, _K.REMOTE_LISTING): _OWN,
    (_A.CREATE, _K.REMOTE_LISTING): _OWN,
    (_A.CHANGE, _K.REMOTE_LISTING): _OWN,
    (_A.END, _K.REMOTE_LISTING): _OWN,
})  # fmt: skip
"""What a seller does with the fee and the listing of a product."""
_RUNS_VENUE: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.CHANGE, _K.CHARGE): _OWN,
    (_A.READ, _K.SETTLEMENT): _OWN,
    (_A.CREATE, _K.SETTLEMENT): _OWN,
    (_A.READ, _K.PAYABLE): _OWN,
    (_A.READ, _K.MEMBERSHIP): _OWN,
    (_A.CHANGE, _K.MEMBERSHIP): _OWN,
    (_A.READ, _K.LISTING): _OWN,
    (_A.CHANGE, _K.LISTING): _OWN,
    (_A.END, _K.LISTING): _OWN,
    (_A.READ, _K.CONTRACT): _OWN,
    (_A.READ, _K.FUND): _OWN,
    (_A.READ, _K.REMOTE_LISTING): _OWN,
})  # fmt: skip
"""What the staff of a venue decide there; they never trade themselves."""
_PRICES: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.READ, _K.PRICE): _OWN,
    (_A.ASSIGN, _K.PRICE): _OWN,
})  # fmt: skip
"""What fixes permitted revenue, ceilings and trial fees; who sets the fee below is another."""
_COORDINATES: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.READ, _K.SOURCE): _ANY,
    (_A.READ, _K.LOAD): _ANY,
    (_A.READ, _K.FINDING): _OWN,
    (_A.CREATE, _K.FINDING): _OWN,
    (_A.CREATE, _K.OPENING): _ANY,
    (_A.CHANGE, _K.OPENING): _ANY,
    (_A.END, _K.OPENING): _ANY,
    (_A.CREATE, _K.OPEN_CATALOG): _ANY,
    (_A.CHANGE, _K.OPEN_CATALOG): _ANY,
})  # fmt: skip
"""What the department that coordinates public data does: it compares, finds, and opens."""
_CLEARS: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.READ, _K.SETTLEMENT): _OWN,
    (_A.CREATE, _K.SETTLEMENT): _OWN,
    (_A.READ, _K.PAYABLE): _OWN,
    (_A.READ, _K.FUND): _OWN,
    (_A.CREATE, _K.FUND): _OWN,
    (_A.READ, _K.LEDGER_ACCOUNT): _ANY,
    (_A.CREATE, _K.LEDGER_ACCOUNT): _ANY,
    (_A.CHANGE, _K.LEDGER_ACCOUNT): _ANY,
    (_A.END, _K.LEDGER_ACCOUNT): _ANY,
    (_A.CREATE, _K.LEDGER_CURRENCY): _ANY,
    (_A.CREATE, _K.LEDGER_TRANSFER): _ANY,
    (_A.OPERATE, _K.LEDGER_TRANSFER): _ANY,
    (_A.READ, _K.LEDGER_DAY): _ANY,
    (_A.END, _K.LEDGER_DAY): _ANY,
})  # fmt: skip
_SUPERVISES: Mapping[tuple[Action, Kind], Reach] = MappingProxyType({
    (_A.READ, _K.SETTLEMENT): _ANY,
    (_A.READ, _K.PAYABLE): _ANY,
    (_A.READ, _K.PARTY): _ANY,
    (_A.READ, _K.ACCOUNT): _ANY,
    (_A.READ, _K.ROLE): _ANY,
    (_A.READ, _K.MANDATE): _ANY,
    (_A.READ, _K.FACT): _ANY,
    (_A.READ, _K.REFUSAL): _ANY,
    (_A.READ, _K.HOLD): _ANY,
    (_A.CREATE, _K.HOLD): _ANY,
    (_A.END, _K.HOLD): _ANY,
    (_A.READ, _K.PROCEDURE): _ANY,
    (_A.READ, _K.LEDGER_ACCOUNT): _ANY,
    (_A.READ, _K.LEDGER_DAY): _ANY,
    (_A.READ, _K.GROUND): _ANY,
    (_A.READ, _K.GRANT): _ANY,
    (_A.READ, _K.REMOTE_LISTING): _ANY,
    (_A.READ, _K.FLOW): _ANY,
    (_A.OPERATE, _K.FLOW): _ANY,
    (_A.READ, _K.CASE): _ANY,
    (_A.CREATE, _K.CASE): _ANY,
    (_A.CHANGE, _K.CASE): _ANY,
    (_A.END, _K.CASE): _ANY,
    (_A.READ, _K.REPORT): _ANY,
    (_A.CREATE, _K.REPORT): _ANY,
    (_A.READ, _K.MEMBERSHIP): _ANY,
    (_A.READ, _K.PRICE): _ANY,
    (_A.READ, _K.LISTING): _ANY,
    (_A.READ, _K.CONTRACT): _ANY,
    (_A.READ, _K.FUND): _ANY,
    (_A.READ, _K.SOURCE): _ANY,
    (_A.READ, _K.LOAD): _ANY,
    (_A.READ, _K.FINDING): _ANY,
    (_A.READ, _K.OPERATION): _ANY,
    (_A.READ, _K.REGISTRATION): _ANY,
})  # fmt: skip
"""A supervisor sees everything, holds and frees, keeps its own cases, and changes nothing else."""

RIGHTS: Mapping[Role, Mapping[tuple[Action, Kind], Reach]] = MappingProxyType({
    Role.PLATFORM: {
        (_A.CREATE, _K.CHARGE): _ANY,
        (_A.READ, _K.SETTLEMENT): _ANY,
        (_A.CREATE, _K.SETTLEMENT): _ANY,
        (_A.CREATE, _K.REFUSAL): _ANY,
        (_A.END, _K.SESSION): _ANY,
        (_A.OPERATE, _K.LOG): _ANY,
        (_A.OPERATE, _K.INSTALLATION): _ANY,
        (_A.CREATE, _K.PARTY): _ANY,
        (_A.CREATE, _K.ACCOUNT): _ANY,
        (_A.ASSIGN, _K.ROLE): _ANY,
        (_A.CREATE, _K.HOLD): _ANY,
        (_A.END, _K.HOLD): _ANY,
        (_A.OPERATE, _K.PROCEDURE): _ANY,
        (_A.CREATE, _K.LEDGER_ACCOUNT): _ANY,
        (_A.CREATE, _K.LEDGER_TRANSFER): _ANY,
        (_A.OPERATE, _K.LEDGER_TRANSFER): _ANY,
        (_A.END, _K.LEDGER_DAY): _ANY,
        (_A.READ, _K.GROUND): _ANY,
        (_A.CREATE, _K.GROUND): _ANY,
        (_A.ASSIGN, _K.GROUND): _ANY,
        (_A.READ, _K.GRANT): _ANY,
        (_A.CREATE, _K.GRANT): _ANY,
        (_A.CHANGE, _K.GRANT): _ANY,
        (_A.END, _K.GRANT): _ANY,
        (_A.OPERATE, _K.GRANT): _ANY,
        (_A.READ, _K.FLOW): _ANY,
        (_A.OPERATE, _K.FLOW): _ANY,
        (_A.CREATE, _K.CASE): _ANY,
        (_A.READ, _K.REPORT): _ANY,
        (_A.CREATE, _K.REPORT): _ANY,
        (_A.READ, _K.LISTING): _ANY,
        (_A.READ, _K.CONTRACT): _ANY,
        (_A.CHANGE, _K.CONTRACT): _ANY,
        (_A.END, _K.CONTRACT): _ANY,
    },
    Role.ADMINISTRATOR: {
        (_A.CHANGE, _K.CHARGE): _ANY,
        (_A.READ, _K.SETTLEMENT): _ANY,
        (_A.CREATE, _K.SETTLEMENT): _ANY,
        (_A.READ, _K.PAYABLE): _ANY,
        (_A.END, _K.PAYABLE): _ANY,
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
        (_A.READ, _K.MANDATE): _ANY,
        (_A.ASSIGN, _K.MANDATE): _ANY,
        (_A.END, _K.MANDATE): _ANY,
        (_A.READ, _K.CERTIFICATE): _ANY,
        (_A.CREATE, _K.CERTIFICATE): _ANY,
        (_A.END, _K.CERTIFICATE): _ANY,
        (_A.READ, _K.PROCEDURE): _ANY,
        (_A.CREATE, _K.PROCEDURE): _ANY,
        (_A.CHANGE, _K.PROCEDURE): _SELF,
        (_A.ASSIGN, _K.PROCEDURE): _ANY,
        (_A.OPERATE, _K.PROCEDURE): _ANY,
        (_A.READ, _K.LEDGER_ACCOUNT): _ANY,
        (_A.CREATE, _K.LEDGER_ACCOUNT): _ANY,
        (_A.END, _K.LEDGER_ACCOUNT): _ANY,
        (_A.CREATE, _K.LEDGER_CURRENCY): _ANY,
        (_A.OPERATE, _K.LEDGER_TRANSFER): _ANY,
        (_A.READ, _K.LEDGER_DAY): _ANY,
        (_A.END, _K.LEDGER_DAY): _ANY,
        (_A.CREATE, _K.DUTY): _ANY,
        (_A.END, _K.DUTY): _ANY,
        (_A.CREATE, _K.RESOURCE): _ANY,
        (_A.CHANGE, _K.RESOURCE): _ANY,
        (_A.END, _K.RESOURCE): _ANY,
        (_A.CHANGE, _K.SECURITY_LEVEL): _ANY,
        **_COORDINATES,
        (_A.READ, _K.FINDING): _ANY,
        (_A.CREATE, _K.FINDING): _ANY,
        (_A.CREATE, _K.SOURCE): _ANY,
        (_A.END, _K.SOURCE): _ANY,
        (_A.CREATE, _K.LOAD): _ANY,
        (_A.CREATE, _K.RIGHTS_CODE): _ANY,
        (_A.READ, _K.OPERATION): _ANY,
        (_A.READ, _K.REGISTRATION): _ANY,
        (_A.CREATE, _K.REGISTRAR): _ANY,
        (_A.END, _K.REGISTRAR): _ANY,
        (_A.READ, _K.GROUND): _ANY,
        (_A.CREATE, _K.GROUND): _ANY,
        (_A.ASSIGN, _K.GROUND): _ANY,
        (_A.READ, _K.GRANT): _ANY,
        (_A.CREATE, _K.GRANT): _ANY,
        (_A.CHANGE, _K.GRANT): _ANY,
        (_A.END, _K.GRANT): _ANY,
        (_A.OPERATE, _K.GRANT): _ANY,
        (_A.CREATE, _K.PEER): _ANY,
        (_A.END, _K.PEER): _ANY,
        (_A.READ, _K.REMOTE_LISTING): _ANY,
        (_A.CREATE, _K.REMOTE_LISTING): _ANY,
        (_A.CHANGE, _K.REMOTE_LISTING): _ANY,
        (_A.END, _K.REMOTE_LISTING): _ANY,
        (_A.OPERATE, _K.REMOTE_LISTING): _ANY,
        (_A.READ, _K.FLOW): _ANY,
        (_A.OPERATE, _K.FLOW): _ANY,
        (_A.READ, _K.CASE): _ANY,
        (_A.CREATE, _K.CASE): _ANY,
        (_A.CHANGE, _K.CASE): _ANY,
        (_A.END, _K.CASE): _ANY,
        (_A.READ, _K.REPORT): _ANY,
        (_A.CREATE, _K.REPORT): _ANY,
        (_A.READ, _K.VENUE): _ANY,
        (_A.CREATE, _K.VENUE): _ANY,
        (_A.READ, _K.MEMBERSHIP): _ANY,
        (_A.READ, _K.PRICE): _ANY,
        (_A.READ, _K.LISTING): _ANY,
        (_A.READ, _K.CONTRACT): _ANY,
        (_A.READ, _K.FUND): _ANY,
        (_A.CREATE, _K.FUND): _ANY,
        (_A.CREATE, _K.PRODUCT): _ANY,
        (_A.CHANGE, _K.PRODUCT): _ANY,
        (_A.END, _K.PRODUCT): _ANY,
    },
    Role.MEMBER: {
        **_IN_BUSINESS,
        **_GRANTS,
        **_OFFERS,
        **_PROVIDES,
        **_TRADES,
        **_SELLS,
        **_OPERATES,
        **_REGISTERS,
        (_A.CHANGE, _K.SECURITY_LEVEL): _OWN,
        (_A.READ, _K.CERTIFICATE): _OWN,
        (_A.READ, _K.ACCOUNT): _OWN,
        (_A.READ, _K.ROLE): _OWN,
        (_A.READ, _K.API_KEY): _OWN,
        (_A.CREATE, _K.API_KEY): _OWN,
        (_A.END, _K.API_KEY): _OWN,
    },
    Role.REGULATOR: _SUPERVISES,
    Role.FINANCIAL_REGULATOR: _SUPERVISES,
    Role.PROVIDER: {**_IN_BUSINESS, **_PROVIDES, **_GRANTS},
    Role.IMPLEMENTER: {**_IN_BUSINESS, **_GRANTS, **_PRICES, **_COORDINATES, **_OPERATES},
    Role.OPERATOR: {
        **_IN_BUSINESS,
        **_GRANTS,
        **_OFFERS,
        **_TRADES,
        **_SELLS,
        (_A.CHANGE, _K.OPERATION): _OWN,
    },
    Role.CLERK: {**_IN_BUSINESS, **_REGISTERS},
    Role.REVIEWER: {**_IN_BUSINESS, **_REGISTERS},
    Role.PRICE_AUTHORITY: {**_IN_BUSINESS, **_PRICES},
    Role.TREASURY: {
        **_IN_BUSINESS,
        (_A.READ, _K.PAYABLE): _OWN,
        (_A.END, _K.PAYABLE): _OWN,
    },
    Role.CHIEF_DATA_OFFICER: {
        **_IN_BUSINESS,
        (_A.CHANGE, _K.SECURITY_LEVEL): _OWN,
        (_A.READ, _K.ACCOUNT): _OWN,
        (_A.READ, _K.ROLE): _OWN,
        (_A.READ, _K.API_KEY): _OWN,
        (_A.READ, _K.CERTIFICATE): _OWN,
    },
    Role.CLEARING: _CLEARS,
    Role.VENUE: {**_IN_BUSINESS, **_RUNS_VENUE},
    Role.MERCHANT: {**_IN_BUSINESS, **_GRANTS, **_OFFERS, **_TRADES, **_SELLS},
    Role.BUYER: {**_IN_BUSINESS, **_GRANTS, **_TRADES},
    Role.SERVICE_BODY: _IN_BUSINESS,
    Role.PERSON: _IN_BUSINESS,
    Role.SIGNED_IN: {
        (_A.READ, _K.ACCOUNT): _SELF,
        (_A.CHANGE, _K.ACCOUNT): _SELF,
        (_A.END, _K.SESSION): _SELF,
        (_A.CHANGE, _K.PROCEDURE): _SELF,
    },
    Role.VISITOR: {
        (_A.SIGN_IN, _K.SESSION): _ANY,
        (_A.OPERATE, _K.REMOTE_LISTING): _ANY,
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
        rows = tx.all(SELECT_HOLDINGS, (tx.caller.account,))
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
