# SPDX-License-Identifier: Apache-2.0
"""A bank uses a product under a contract: calls are metered by the gate, charged by the market."""

import dataclasses
import hashlib
import sys
from datetime import timedelta
from pathlib import Path

from lingqu import gate, ledger, market, rights, supervision, trust
from lingqu.market import contracts, settlement
from lingqu.market.fees import FeeSchedule, write_fees
from lingqu.market.funds import need_fund
from lingqu.market.listings import ListingId
from lingqu.runtime import new_id
from lingqu.trust import PLATFORM
from lingqu.trust import log as logs

if (gates := str(Path(__file__).parents[1] / "gate")) not in sys.path:
    sys.path.insert(0, gates)

from gate_world import CREDIT, World, shape  # found through the path above

CITIES = ("南宁", "柳州", "桂林", "梧州", "北海")
ROWS = [{"segment": f"13{number:05}", "city": CITIES[number % 5]} for number in range(60)]
PRICE = 37


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Concluded(trust.Fact):
    """Stands for the fact of the second signature."""

    kind = "tests.supervision.concluded"
    contract: market.ContractId
    grant: str


@trust.command("tests.supervision.conclude", internal=True)
def conclude(tx, *, contract: contracts.Contract) -> contracts.Contract:
    """What the second signature does to the money of a contract."""
    trust.authorize(tx, trust.Action.CHANGE, trust.Kind.CONTRACT, owner=contract.buyer)
    made = dataclasses.replace(
        contract,
        funds=need_fund(tx, venue=contract.venue, owner=contract.buyer, purpose="funds"),
        charged=need_fund(tx, venue=contract.venue, owner=contract.id, purpose="charged"),
    )
    held = contracts.freeze(tx, contract=made)
    concluded = contracts.CONTRACTS.insert(tx, dataclasses.replace(made, held=held))
    trust.record(tx, Concluded(contract=contract.id, grant=contract.grant_id))
    return concluded


class Supervised(World):
    """The gate's world with a venue, contracts, a regulator and a log."""

    def __init__(self, place, folder):
        super().__init__(place, folder)
        self.logs = folder / "logs"
        self.regulator = place.account(role=trust.Role.REGULATOR)
        self.venue = place.party("〈交易中心〉（演示）")
        self.do(market.open_venue, venue=self.venue)
        self.clearing = place.account(self.venue, role=trust.Role.CLEARING)
        self.sequencer = logs.Sequencer(place.database, self.logs, lambda _: (place.key,))
        resource = self.load("号段", ROWS, level=2)
        relation = gate.Relation(resource=resource, key="segment", value="city")
        predicate = gate.Predicate(name="city", yes=(relation,))
        enumeration = gate.Enumeration(values=1, days=30)
        policy = gate.VerificationPolicy(
            subject=shape(7), predicates=(predicate,), enumeration=enumeration
        )
        self.offered = self.product(policy)
        self.deposits = 0
        self.used = iter(ROWS)

    def contract(self, *, frozen=100_000):
        self.deposits += 1
        self.do(
            market.record_deposit,
            self.clearing,
            deposit=new_id(market.DepositId),
            venue=self.venue,
            party=self.buyer,
            direction=market.Direction.IN,
            amount=frozen,
            reference=f"R{self.deposits}",
            paid_on=self.now.date(),
        )
        made = contracts.Contract(
            id=new_id(market.ContractId),
            listing=self._listing(),
            product=self.offered.id,
            registration="reg",
            seller=self.operator,
            buyer=self.buyer,
            venue=self.venue,
            grant_id=self.buy(self.offered).id,
            purposes=(CREDIT,),
            quota=1_000,
            starts_at=self.now - timedelta(days=1),
            ends_at=self.now + timedelta(days=365),
            fees=write_fees(FeeSchedule(unit_price_minor=PRICE)),
            duties="[]",
            sample=None,
            commitment=hashlib.sha256(b"c").digest(),
            text="{}",
            digest="0" * 64,
            edition=1,
            deposit=frozen,
            state=market.ContractState.PERFORMING,
            funds=None,
            charged=None,
            held=None,
            held_minor=frozen,
            proposed_at=self.now,
            finalized_at=self.now,
        )
        return self.do(conclude, PLATFORM, contract=made)

    @property
    def now(self):
        return self.place.database.time.now()

    def _listing(self):
        """A listing as it stands in its table; how it came there is another's test."""
        name = new_id(ListingId)
        row = {
            "id": name, "venue": self.venue, "seller": self.operator,
            "product": self.offered.id, "registration": "reg", "code": "450000",
            "grant_id": self.offered.grant_id, "title": "号段核验", "summary": "s",
            "form": "verification", "terms": "{}", "state": "delisted", "procedure": "p",
            "applied_at": self.now, "registered_until": self.now,
            "version": 1, "price": "prc", "fees": "{}",
        }  # fmt: skip
        known = "SELECT attname FROM pg_attribute WHERE attrelid = 'market.listing'::regclass"
        columns = {name for (name,) in self.place.sql(known)}
        row = {key: value for key, value in row.items() if key in columns}
        names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
        self.place.sql(f"INSERT INTO market.listing ({names}) VALUES ({marks})", [*row.values()])
        return name

    def use(self, desk, contract, count=1):
        """Ask so many questions under a contract, each about another segment; gives the answers."""
        made = []
        with self.place.database.reading(PLATFORM) as tx:
            grant = rights.get_grant(tx, contract.grant_id)
        for _ in range(count):
            row = next(self.used)
            asked = self.request(self.offered, grant, (row["segment"], row["city"]))
            made.append((asked, desk.ask(asked, self.asker)))
        return made

    def charge(self):
        """Charge every metered batch that was not charged, as the subscriber does."""
        found = self.place.sql(
            "SELECT DISTINCT batch, grant_id FROM gate.call WHERE batch NOT IN"
            " (SELECT metered FROM market.charge_batch) ORDER BY batch"
        )
        for batch, grant in found:
            with self.place.database.reading(PLATFORM) as tx:
                deal = market.find_contract_by_grant(tx, rights.GrantId(grant))
                calls = gate.find_batch_calls(tx, gate.MeterBatchId(batch))
            if deal is not None:
                self.do(
                    settlement.charge_calls,
                    PLATFORM,
                    batch=batch,
                    grant=grant,
                    calls=tuple(supervision.chargeable(one) for one in calls),
                )

    def look(self):
        self.sequencer.step()
        while trust.deliver(self.place.database, supervision.FOLLOWER):
            pass

    def read(self, query, *words, caller=None, **named):
        with self.place.database.reading(caller or self.regulator) as tx:
            return query(tx, *words, **named)

    def reconcile(self, contract, *, caller=None):
        day = ledger.local_day(self.now)
        return self.do(
            supervision.reconcile_contract,
            caller or self.regulator,
            reconciliation=new_id(supervision.ReconciliationId),
            contract=contract.id,
            begins=day,
            ends=day + timedelta(days=1),
        )
