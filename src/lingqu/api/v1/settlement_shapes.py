# SPDX-License-Identifier: Apache-2.0
"""How charges, bills, settlements, plans, payables and contributions travel over the API."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec

from lingqu.api.v1.market_shapes import MoneyShape, money, shaped
from lingqu.kernel import canon
from lingqu.market import distribution

Shape = TypeVar("Shape", bound=msgspec.Struct)
RuleName = Literal["free", "miss", "price", "tiers"]
ShareName = Literal["venue_fee", "service_fee", "government", "partner"]
LogDifferenceName = Literal["only_ours", "only_theirs", "amount", "twice"]


class FreezeMore(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How much more to freeze for a contract, in yuan."""

    amount: MoneyShape


class TallyView(msgspec.Struct, kw_only=True):
    """What a contract was charged to date: `charged` is `posted`, `short` and `waived` together."""

    contract: str
    units: int
    charged: MoneyShape
    posted: MoneyShape
    short: MoneyShape
    waived: MoneyShape
    refunded: MoneyShape
    distributed: MoneyShape
    hold: str | None


class ChargeView(msgspec.Struct, kw_only=True):
    """What one call was charged: `units` counted, `free` of them, by which rule."""

    call: str
    metered: str
    at: str
    day: str
    units: int
    free: int
    rule: RuleName
    amount: MoneyShape


class ChargePage(msgspec.Struct, kw_only=True):
    """Some charges, and the cursor of the page after them (null: this was the last)."""

    items: list[ChargeView]
    next: str | None


class CorrectCharge(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What of a call's charge is taken back, under an id the caller made (`cor_...`), and why."""

    correction: str
    call: str
    amount: MoneyShape
    reason: str
    reference: str


class CorrectionView(msgspec.Struct, kw_only=True):
    """What was taken back of a charge; `waived` of it was not paid yet."""

    id: str
    contract: str
    call: str
    amount: MoneyShape
    waived: MoneyShape
    transfer: str | None
    reason: str
    reference: str
    day: str


class ContestCharge(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a call should cost, under the id of the complaint the caller made (`prc_...`)."""

    procedure: str
    call: str
    claimed: MoneyShape


class OpenedView(msgspec.Struct, kw_only=True):
    """The complaint that was opened."""

    id: str
    code: str
    subject: str
    state: str


class BillRowView(msgspec.Struct, kw_only=True):
    """What the calls of one day that one rule priced cost together."""

    day: str
    rule: RuleName
    calls: int
    units: int
    amount: MoneyShape


class BillView(msgspec.Struct, kw_only=True):
    """What a contract was charged from `begins` to before `ends`."""

    contract: str
    begins: str
    ends: str
    calls: int
    units: int
    charged: MoneyShape
    corrected: MoneyShape
    net: MoneyShape
    posted: MoneyShape
    late: MoneyShape
    rows: list[BillRowView]


class ReconcileLog(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The buyer's own log as a workbook in base64, for a contract and some days."""

    contract: str
    begins: str
    ends: str
    content: str


class LogDifferenceView(msgspec.Struct, kw_only=True):
    """One call that differs; null where a side does not have it."""

    kind: LogDifferenceName
    call: str
    at: str | None
    ours: MoneyShape | None
    theirs: MoneyShape | None


class RowProblem(msgspec.Struct, kw_only=True):
    """A row that could not be read."""

    row: int
    column: str
    code: str
    text: str


class ReconciliationView(msgspec.Struct, kw_only=True):
    """The bill beside the log; `workbook` lists the differences, in base64."""

    ours: int
    theirs: int
    agreeing: int
    charged: MoneyShape
    logged: MoneyShape
    differences: list[LogDifferenceView]
    problems: list[RowProblem]
    workbook: str


class StepShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One payee: `rate` basis points of what reaches the step (the last one: 10,000)."""

    share: ShareName
    party: str
    rate: int


class RemittanceShape(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Where and in how many working days the government's share is paid."""

    payee: str
    bank: str
    account: str
    working_days: int


class RegisterPlan(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How a listing's earnings are shared, under an id the caller made (`dst_...`)."""

    plan: str
    listing: str
    steps: list[StepShape]
    source: str
    remittance: RemittanceShape | None = None


class PlanView(msgspec.Struct, kw_only=True):
    """How the earnings of a listing are shared, and where that is agreed."""

    id: str
    listing: str
    venue: str
    steps: list[StepShape]
    remittance: RemittanceShape | None
    source: str
    registered_at: str
    ended_at: str | None


class SettleDay(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which closed day of a venue to settle, under an id the caller made (`stl_...`)."""

    settlement: str
    venue: str
    day: str


class SettlementView(msgspec.Struct, kw_only=True):
    """A settled day."""

    id: str
    venue: str
    day: str
    contracts: int
    made_up: MoneyShape
    shared: MoneyShape
    settled_at: str


class SettlementPage(msgspec.Struct, kw_only=True):
    """Some settlements, and the cursor of the page after them (null: this was the last)."""

    items: list[SettlementView]
    next: str | None


class PayoutView(msgspec.Struct, kw_only=True):
    """One part of what one contract earned."""

    contract: str
    plan: str
    share: ShareName
    party: str
    rate: int
    before: MoneyShape
    amount: MoneyShape
    transfer: str | None


class PayoutList(msgspec.Struct, kw_only=True):
    """Who received which part; `unposted` are the transfers the ledger has not made."""

    items: list[PayoutView]
    unposted: list[str]


class PayableView(msgspec.Struct, kw_only=True):
    """What a venue owes a treasury for a settled day."""

    id: str
    number: str
    venue: str
    treasury: str
    settlement: str
    day: str
    amount: MoneyShape
    due_on: str
    receipt: str | None
    paid_on: str | None
    closed_at: str | None
    version: int


class PayablePage(msgspec.Struct, kw_only=True):
    """Some payables, and the cursor of the page after them (null: this was the last)."""

    items: list[PayableView]
    next: str | None


class ClosePayable(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The number of the treasury's receipt, and the day it was paid."""

    receipt: str
    paid_on: str


class ContributionLineView(msgspec.Struct, kw_only=True):
    """What one resource of a body was part of; `share` in hundredths of a percent."""

    body: str
    resource: str
    title: str
    columns: int
    calls: int
    answers: int
    share: int


class ContributionView(msgspec.Struct, kw_only=True):
    """The contributions to what a venue's contracts were answered in some days."""

    venue: str
    begins: str
    ends: str
    calls: int
    answers: int
    lines: list[ContributionLineView]


def priced(kind: type[Shape], value: object, *amounts: str, **more: Any) -> Shape:
    """This will give the shape of a value, its `amounts` in fen as money."""
    yuan = {name: money(getattr(value, name)) for name in amounts}
    return shaped(kind, value, **yuan, **more)


def plan_view(plan: distribution.Plan) -> PlanView:
    """This will map a plan."""
    where = None if plan.remittance is None else canon.decode(plan.remittance.encode())
    return shaped(PlanView, plan, steps=canon.decode(plan.steps.encode()), remittance=where)
