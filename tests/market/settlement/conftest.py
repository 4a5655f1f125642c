# SPDX-License-Identifier: Apache-2.0
"""A venue with contracts in force, and short words for what is charged, shared and paid there."""

import dataclasses
from datetime import timedelta

import pytest

from lingqu import ledger, market, rights, supply, trust
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.time import parse_instant
from lingqu.market import contracts, distribution, settlement
from lingqu.market.fees import write_fees
from lingqu.market.funds import need_fund
from lingqu.runtime import new_id
from lingqu.trust import LOCAL_ADMINISTRATOR, PLATFORM

NOON = parse_instant("2026-03-06T04:00:00Z")
"""Friday the sixth of March 2026, noon in the region."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Concluded(trust.Fact):
    """Stands for the fact of the second signature."""

    kind = "tests.market.concluded"
    contract: market.ContractId


@trust.command("tests.market.conclude", internal=True)
def conclude(tx, *, contract: contracts.Contract) -> contracts.Contract:
    """What the second signature does to the money of a contract."""
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.CONTRACT, owner=contract.buyer)
    venue = contract.venue
    made = dataclasses.replace(
        contract,
        funds=need_fund(tx, venue=venue, owner=contract.buyer, purpose="funds"),
        charged=need_fund(tx, venue=venue, owner=contract.id, purpose="charged"),
    )
    held = contracts.freeze(tx, contract=made)
    concluded = contracts.CONTRACTS.insert(tx, dataclasses.replace(made, held=held))
    for party in (contract.buyer, contract.seller):
        signature = contracts.Signature(
            id=new_id(contracts.SignatureId),
            contract=contract.id,
            party=party,
            account=tx.caller.account,
            digest=contract.digest,
            signed_at=tx.now,
        )
        contracts.SIGNATURES.insert(tx, signature)
    trust.record(tx, Concluded(contract=contract.id))
    return concluded


class Market:
    """A venue with one listed product, its buyer, and the people who settle there."""

    def __init__(self, bazaar):
        self.bazaar, self.place, self.do = bazaar, bazaar.place, bazaar.place.do
        self.venue, self.staff, self.clearing = bazaar.venue, bazaar.staff, bazaar.clerk
        self.seller, self.bank, self.buyer = bazaar.seller, bazaar.buyer, bazaar.banker
        self.pay_in = bazaar.pay_in
        self.treasury, self.officer = bazaar.organization(
            "〈市财政局〉（演示）", trust.Role.TREASURY
        )
        self.body, _ = bazaar.organization("〈民政局〉（演示）", trust.Role.PROVIDER)
        self.product = bazaar.listed()
        self.listing = self.product.id

    def resource(self, body, title):
        """A catalogued resource of a body."""
        duty = self.do(
            supply.register_duty,
            duty=new_id(supply.DutyId),
            body=body,
            item=title,
            basis="三定规定",
            territory="450000",
        )
        described = supply.Description(
            title=title,
            summary=title,
            frequency=supply.Frequency.YEARLY,
            mode=supply.Mode.PHYSICAL,
            sharing=supply.Access.UNCONDITIONAL,
            opening=supply.Access.UNCONDITIONAL,
            fields=(supply.Field(name="code", label="代码", kind=supply.FieldKind.TEXT),),
        )
        return self.do(
            supply.describe_resource,
            resource=new_id(supply.ResourceId),
            duty=duty.id,
            description=described,
        ).id

    def contract(self, *, frozen, **fees):
        """A contract in force with so much frozen; gives it as it stands."""
        if frozen:
            self.pay_in(frozen)
        grant = self.do(
            rights.issue_grant,
            grant=new_id(rights.GrantId),
            parent=self.product.grant_id,
            holder=self.bank,
            kind=rights.GrantKind.USING,
            terms=TermsForm(),
        )
        made = contracts.Contract(
            id=new_id(market.ContractId),
            listing=self.listing,
            product=self.product.product,
            registration=self.product.registration,
            seller=self.seller,
            buyer=self.bank,
            venue=self.venue,
            grant_id=grant.id,
            purposes=("finance.credit",),
            quota=10**6,
            starts_at=NOON,
            ends_at=NOON + timedelta(days=365),
            fees=write_fees(market.FeeSchedule(**fees)),
            duties="[]",
            sample=None,
            commitment=b"c" * 32,
            text="{}",
            digest="0" * 64,
            edition=1,
            deposit=frozen,
            state=market.ContractState.PERFORMING,
            funds=None,
            charged=None,
            held=None,
            held_minor=frozen,
            proposed_at=NOON,
            finalized_at=NOON,
        )
        return self.do(conclude, PLATFORM, contract=made)

    def charge(self, contract, *calls, batch=None, command_id=None, caller=PLATFORM):
        return self.do(
            settlement.charge_calls,
            caller,
            command_id,
            batch=batch or new_id(ledger.TransferBatchId),
            grant=contract.grant_id,
            calls=calls,
        )

    def correct(
        self, contract, call, amount, *, caller=None, reason="重复计费", reference="投诉 1"
    ):
        return self.do(
            settlement.correct_charge,
            caller or self.staff,
            correction=new_id(settlement.CorrectionId),
            contract=contract.id,
            call=call,
            amount=amount,
            reason=reason,
            reference=reference,
        )

    def plan(self, *rates, working_days=5):
        """Share by (share, party, rate) steps from now on."""
        steps = tuple(distribution.Step(share=a, party=b, rate=c) for a, b, c in rates)
        owes = any(one.share is distribution.Share.GOVERNMENT for one in steps)
        where = distribution.Remittance(
            payee="〈市财政局〉非税收入专户",
            bank="〈城市银行〉营业部",
            account="6200 0000 0000 0000",
            working_days=working_days,
        )
        return self.do(
            distribution.register_plan,
            self.staff,
            plan=new_id(distribution.PlanId),
            listing=self.listing,
            steps=steps,
            source="〈授权运营协议〉第七条，〈交易服务费标准〉",
            remittance=where if owes else None,
        )

    def common_plan(self):
        return self.plan(
            (distribution.Share.VENUE_FEE, self.venue, 250),
            (distribution.Share.GOVERNMENT, self.treasury, 3_000),
            (distribution.Share.SERVICE_FEE, self.seller, 10_000),
        )

    def next_day(self):
        """End the day: the clock goes on by one, the ledger closes the day before."""
        day = self.bazaar.day
        self.bazaar.pass_days(1)
        self.do(ledger.close_day, self.clearing, day=day)
        return day

    def settle(self, day, caller=None):
        settled = self.do(
            distribution.settle_day,
            caller or self.clearing,
            settlement=new_id(distribution.SettlementId),
            venue=self.venue,
            day=day,
        )
        self.do(ledger.post_batch, PLATFORM)
        return settled

    def read(self, query, *words, caller=LOCAL_ADMINISTRATOR, **named):
        with self.place.database.reading(caller) as tx:
            found = query(tx, *words, **named)
            return tuple(found) if hasattr(found, "__next__") else found

    def tally(self, contract):
        return self.read(settlement.get_tally, contract.id)

    def balance(self, account):
        (found,) = self.read(ledger.find_balances, accounts=(account,))
        return found.posted, found.pending_out


def call(yes=1, no=0, unknown=0, refusal=None, at=NOON):
    return settlement.MeteredCall(
        call=new_id(ledger.TransferId), at=at, yes=yes, no=no, unknown=unknown, refusal=refusal
    )


@pytest.fixture(scope="module")
def world(bazaar):
    """One venue with one listed product for a module; its clock shows Friday, 6 March 2026."""
    return Market(bazaar)


@pytest.fixture(scope="session")
def metered():
    return call
