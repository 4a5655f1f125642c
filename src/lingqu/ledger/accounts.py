# SPDX-License-Identifier: Apache-2.0
"""Accounts: whose they are, what they may hold, and what they hold now.

An account holds one currency for one owner: a party, or any other thing with an id (a grant, a
contract). `floor` and `ceiling` bound it at every moment:

    floor <= posted - pending_out      and      posted + pending_in <= ceiling

What is reserved to leave counts as gone, what is reserved to come counts as there, so that posting
or voiding a reservation can never break a limit. No limit means the bound of every amount here,
+-(2^53 - 1). Balances are a cache beside the audited account; the audit recomputes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lingqu import trust
from lingqu.kernel import errors
from lingqu.kernel.ids import Id
from lingqu.kernel.paging import SIZE_MAX, Page, PageRequest, cursor
from lingqu.kernel.time import Instant
from lingqu.kernel.values import from_row
from lingqu.ledger.currencies import CNY, CURRENCIES, CurrencyUnknown
from lingqu.runtime import Tx

AMOUNT_MAX = 2**53 - 1
"""The largest amount, balance and limit: what JSON can carry exactly."""
_KIND = re.compile(r"[a-z][a-z0-9_.]{0,59}\Z")
_FACT_ACCOUNTS = 100
"""A fact names at most so many accounts, so that it stays within its size."""


class LedgerAccountId(Id):
    """The id of one account of the ledger."""

    prefix = "lac"


class AccountUnknown(errors.NotFound):
    """There is no such account, or the caller may not know of it."""

    code = "ledger.account.unknown"


class AccountTaken(errors.Conflict):
    """An account with this id exists already."""

    code = "ledger.account.taken"


class BadAccount(errors.Rejected):
    """An account needs an owner's id, a code word as its kind, and floor <= 0 <= ceiling."""

    code = "ledger.account.bad"


class AccountNotOpen(errors.Conflict):
    """The account is closed."""

    code = "ledger.account.not_open"


class AccountNotEmpty(errors.Conflict):
    """An account is closed when it holds nothing and nothing is reserved on it."""

    code = "ledger.account.not_empty"


class LimitInUse(errors.Conflict):
    """The account holds what the new limits would not allow."""

    code = "ledger.account.limit_in_use"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAccount:
    """What to open. `hot` marks treasury and fee accounts: they are posted in batches only."""

    id: LedgerAccountId
    owner: Id
    currency: str = CNY.id
    kind: str
    floor: int | None = 0
    ceiling: int | None = None
    hot: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAccount:
    """An account. `owner` is the id of a party or of another thing; None is no limit."""

    id: LedgerAccountId
    owner: str
    currency: str
    kind: str
    hot: bool
    floor: int | None
    ceiling: int | None
    opened_at: Instant
    closed_at: Instant | None = None
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What an account holds, in minor units; floor and ceiling with their bound where unlimited."""

    account: LedgerAccountId
    currency: str
    floor: int
    ceiling: int
    posted: int
    pending_out: int
    pending_in: int

    @property
    def available(self) -> int:
        """What may still leave: above the floor and not reserved."""
        return self.posted - self.pending_out - self.floor

    @property
    def room(self) -> int:
        """What may still come: below the ceiling and not announced."""
        return self.ceiling - self.posted - self.pending_in


ACCOUNTS = trust.Table("ledger.account", LedgerAccount, not_found=AccountUnknown)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsOpened(trust.Fact):
    """Accounts came to be, empty."""

    kind = "ledger.account.opened"
    accounts: tuple[LedgerAccountId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitsChanged(trust.Fact):
    """An account got other limits."""

    kind = "ledger.account.limits_changed"
    account: LedgerAccountId
    floor: int | None
    ceiling: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerAccountClosed(trust.Fact):
    """An empty account was closed for good."""

    kind = "ledger.account.closed"
    account: LedgerAccountId


_INSERT_BALANCE = """
    INSERT INTO ledger.balance (account, currency, floor, ceiling, hot)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::boolean[])
"""
_COLUMNS = "account, currency, floor, ceiling, posted, pending_out, pending_in"
_SELECT_BALANCES = f"SELECT {_COLUMNS} FROM ledger.balance WHERE account = ANY(%s) ORDER BY account"  # noqa: S608  # constant columns
_LOCK_BALANCES = f"{_SELECT_BALANCES} FOR UPDATE"


def open_accounts(tx: Tx, *, accounts: Sequence[NewAccount]) -> tuple[LedgerAccount, ...]:
    """This will open accounts inside another command, all in a few round trips.

    The command answers for the right to do so. Raises BadAccount, CurrencyUnknown, AccountTaken.
    """
    made = tuple(_checked(tx, one) for one in accounts)
    _refuse_unknown_currencies(tx, {one.currency for one in made})
    ids = [one.id for one in made]
    taken = tx.maybe("SELECT id FROM ledger.account WHERE id = ANY(%s)", (ids,))
    if taken is not None or len(set(ids)) != len(ids):
        raise AccountTaken(id=taken["id"] if taken else "")
    for start in range(0, len(made), _FACT_ACCOUNTS):
        some = made[start : start + _FACT_ACCOUNTS]
        ACCOUNTS.insert_many(tx, some)
        trust.record(tx, AccountsOpened(accounts=tuple(one.id for one in some)))
    bounds = [_bounds(one.floor, one.ceiling) for one in made]
    tx.execute(
        _INSERT_BALANCE,
        (
            ids,
            [one.currency for one in made],
            [floor for floor, _ in bounds],
            [ceiling for _, ceiling in bounds],
            [one.hot for one in made],
        ),
    )
    return made


@trust.command("ledger.account.open")
def open_account(tx: Tx, *, account: NewAccount) -> LedgerAccount:
    """This will open one account. Raises what `open_accounts` raises."""
    trust.authorize(tx, trust.Action.CREATE, trust.Kind.LEDGER_ACCOUNT)
    (made,) = open_accounts(tx, accounts=(account,))
    return made


@trust.command("ledger.account.change_limits")
def change_limits(
    tx: Tx, *, account: LedgerAccountId, floor: int | None, ceiling: int | None
) -> LedgerAccount:
    """This will give an account other limits, which must hold already.

    Raises AccountUnknown, AccountNotOpen, BadAccount, LimitInUse.
    """
    held = _lock_open(tx, account)
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.LEDGER_ACCOUNT)
    low, high = _bounds(floor, ceiling)
    if not -AMOUNT_MAX <= low <= high <= AMOUNT_MAX:
        raise BadAccount(account=account, field="floor, ceiling")
    (balance,) = lock_balances(tx, accounts=(account,))
    if balance.posted - balance.pending_out < low or balance.posted + balance.pending_in > high:
        raise LimitInUse(account=account)
    changed = ACCOUNTS.update(tx, held, floor=floor, ceiling=ceiling)
    tx.execute(
        "UPDATE ledger.balance SET floor = %s, ceiling = %s WHERE account = %s",
        (low, high, account),
    )
    trust.record(tx, LimitsChanged(account=account, floor=floor, ceiling=ceiling))
    return changed


@trust.command("ledger.account.close")
def close_account(tx: Tx, *, account: LedgerAccountId) -> LedgerAccount:
    """This will close an account that holds nothing, for good.

    Raises AccountUnknown, AccountNotOpen, AccountNotEmpty.
    """
    held = _lock_open(tx, account)
    trust.authorize(tx, trust.Action.END, trust.Kind.LEDGER_ACCOUNT)
    (balance,) = lock_balances(tx, accounts=(account,))
    if balance.posted or balance.pending_out or balance.pending_in:
        raise AccountNotEmpty(account=account)
    closed = ACCOUNTS.update(tx, held, closed_at=tx.now)
    tx.execute("UPDATE ledger.balance SET open = false WHERE account = %s", (account,))
    trust.record(tx, LedgerAccountClosed(account=account))
    return closed


def get_account(tx: Tx, account: LedgerAccountId) -> LedgerAccount:
    """This will read an account the caller may see; raises AccountUnknown otherwise."""
    found = ACCOUNTS.get(tx, account)
    if not may_read(tx, found.owner):
        raise AccountUnknown(id=account)
    return found


def get_balance(tx: Tx, account: LedgerAccountId) -> Balance:
    """This will read what an account holds, if the caller may see it; raises AccountUnknown."""
    get_account(tx, account)
    (found,) = find_balances(tx, accounts=(account,))
    return found


def find_accounts(
    tx: Tx, *, page: PageRequest, owner: str | None = None
) -> Page[tuple[LedgerAccount, Balance]]:
    """This will list accounts with their balances, of one owner or of all; oldest first.

    Gives nothing of an owner whose accounts the caller may not see.
    """
    everyone = owner is None and trust.is_allowed(tx, trust.Action.READ, trust.Kind.LEDGER_ACCOUNT)
    if owner is not None:
        owners = [owner]
    else:
        owners = [one.id for one in trust.find_parties(tx, page=PageRequest(size=SIZE_MAX)).items]
    owners = [] if everyone else [one for one in owners if may_read(tx, one)]
    found = ACCOUNTS.find(
        tx,
        "WHERE (%s OR owner = ANY(%s)) AND id > %s ORDER BY id LIMIT %s",
        (everyone, owners, page.key or "", page.size + 1),
    )
    shown = found[: page.size]
    balances = {one.account: one for one in find_balances(tx, accounts=[a.id for a in shown])}
    return Page(
        items=tuple((one, balances[one.id]) for one in shown),
        next=cursor(shown[-1].id) if len(found) > page.size else None,
    )


def find_balances(tx: Tx, *, accounts: Sequence[LedgerAccountId]) -> tuple[Balance, ...]:
    """This will read balances for a package that answers for the right to know them.

    In the order of their ids; an unknown account is left out.
    """
    rows = tx.all(_SELECT_BALANCES, (list(accounts),))
    return tuple(from_row(Balance, row) for row in rows)


def lock_balances(tx: Tx, *, accounts: Sequence[LedgerAccountId]) -> tuple[Balance, ...]:
    """This will read balances, in the order of their ids, so that none moves until the end."""
    rows = tx.all(_LOCK_BALANCES, (list(accounts),))
    return tuple(from_row(Balance, row) for row in rows)


def may_read(tx: Tx, owner: str) -> bool:
    """This will say whether the caller may see the accounts of an owner."""
    party = trust.PartyId(owner) if owner.startswith(f"{trust.PartyId.prefix}_") else None
    return trust.is_allowed(tx, trust.Action.READ, trust.Kind.LEDGER_ACCOUNT, owner=party)


def _lock_open(tx: Tx, account: LedgerAccountId) -> LedgerAccount:
    held = ACCOUNTS.lock(tx, account)
    if held.closed_at is not None:
        raise AccountNotOpen(account=account)
    return held


def _checked(tx: Tx, wanted: NewAccount) -> LedgerAccount:
    floor, ceiling = _bounds(wanted.floor, wanted.ceiling)
    if not _KIND.match(wanted.kind):
        raise BadAccount(account=wanted.id, field="kind")
    if not -AMOUNT_MAX <= floor <= 0 <= ceiling <= AMOUNT_MAX:
        raise BadAccount(account=wanted.id, field="floor, ceiling")
    return LedgerAccount(
        id=wanted.id,
        owner=str(known_id(wanted.owner)),
        currency=wanted.currency,
        kind=wanted.kind,
        hot=wanted.hot,
        floor=wanted.floor,
        ceiling=wanted.ceiling,
        opened_at=tx.now,
    )


def known_id(text: str) -> Id:
    """This will read an id of any kind that is known here. Raises BadAccount, BadId."""
    kinds: Mapping[str, type[Id]] = Id.kinds
    kind = kinds.get(text.partition("_")[0])
    if kind is None:
        raise BadAccount(account=text[:40], field="owner")
    return kind(text)


def _refuse_unknown_currencies(tx: Tx, wanted: set[str]) -> None:
    others = sorted(wanted - {CNY.id})
    if others:
        known = {one.id for one in CURRENCIES.find(tx, "WHERE id = ANY(%s)", (others,))}
        for missing in sorted(set(others) - known):
            raise CurrencyUnknown(id=missing[:40])


def _bounds(floor: int | None, ceiling: int | None) -> tuple[int, int]:
    return -AMOUNT_MAX if floor is None else floor, AMOUNT_MAX if ceiling is None else ceiling
