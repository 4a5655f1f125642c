# SPDX-License-Identifier: Apache-2.0
"""Quantities of grants: given on, used, leased, and back to the living; nothing is ever lost."""

import itertools
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from lingqu import ledger, rights, trust
from lingqu.kernel.errors import LingquError
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.time import Period
from lingqu.rights import quantities
from lingqu.runtime import new_id
from lingqu.trust import LOCAL_ADMINISTRATOR, PLATFORM

HOUR = timedelta(hours=1)


def calls(amount):
    return (rights.Quantity(currency="calls", amount=amount),)


class Stock:
    """Quantities in a place where calls are counted."""

    def __init__(self, tree):
        self.tree, self.do = tree, tree.do
        self.do(ledger.register_currency, currency="calls", scale=0, name_zh="次", name_en="calls")

    def spend(self, grant, amount, caller=LOCAL_ADMINISTRATOR):
        return self.do(
            quantities.spend_quota,
            caller,
            grant=grant.id,
            currency="calls",
            amount=amount,
            transfer=new_id(ledger.TransferId),
        )

    def lease(self, grant, amount, expires_at=None):
        return self.do(
            quantities.take_lease,
            lease=new_id(quantities.LeaseId),
            grant=grant.id,
            currency="calls",
            amount=amount,
            expires_at=expires_at or datetime.now(UTC) + HOUR,
        )

    def settle(self, lease, used):
        return self.do(quantities.settle_lease, lease=lease.id, used=used)

    def has(self, grant):
        """Available, reserved, unswept."""
        with self.tree.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            found = quantities.get_quota(tx, getattr(grant, "id", grant))
        return tuple((one.available, one.reserved, one.unswept) for one in found)

    def count(self, ground):
        with self.tree.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            counted = quantities.count_quota(tx, ground=ground, currency="calls")
            assert sum(line.holding + line.owing for line in trial(tx)) == 0
        whole = counted.living + counted.unswept + counted.reserved + counted.consumed
        assert counted.issued == whole
        return counted

    def sweep(self):
        """What the job does."""
        with self.tree.place.database.reading(PLATFORM) as tx:
            roots = quantities.find_unswept(tx)
        return [self.do(quantities.sweep_quotas, PLATFORM, root=root) for root in roots]


def trial(tx):
    return ledger.trial_balance(tx).lines


@pytest.fixture
def stock(tree):
    return Stock(tree)


def test_a_part_of_the_quantity_is_given_on_and_used(stock, tree):
    root = tree.root(quotas=calls(100))
    child = tree.child(root, quotas=calls(30))
    stock.spend(child, 5)
    assert (stock.has(root), stock.has(child)) == (((70, 0, 0),), ((25, 0, 0),))
    assert stock.count(root.ground).consumed == 5
    with pytest.raises(ledger.FloorCrossed):
        stock.spend(child, 26)
    with pytest.raises(ledger.FloorCrossed):
        tree.child(root, quotas=calls(71))
    with pytest.raises(quantities.NoQuota):
        tree.child(tree.child(root), quotas=calls(1))
    stock.do(quantities.add_quota, grant=child.id, currency="calls", amount=10)
    stock.do(quantities.add_quota, grant=root.id, currency="calls", amount=40)
    assert (stock.has(root), stock.has(child)) == (((100, 0, 0),), ((35, 0, 0),))
    assert tree.place.audit() == []


def test_what_a_revoked_grant_had_left_belongs_to_its_parent_at_once(stock, tree):
    root = tree.root(quotas=calls(100))
    child = tree.child(root, quotas=calls(60))
    below = tree.child(child, quotas=calls(20))
    stock.spend(below, 5)
    tree.revoke(child)
    assert stock.has(root) == ((40, 0, 55),)
    assert stock.count(root.ground).unswept == 55
    with pytest.raises(rights.GrantRevoked):
        stock.spend(below, 1)
    stock.spend(root, 90)
    assert stock.has(root) == ((5, 0, 0),)
    assert stock.sweep() == []


def test_what_an_expired_grant_had_left_belongs_to_its_parent_from_that_instant(
    bare_place, tree_type
):
    start = datetime(2026, 3, 2, tzinfo=UTC)
    bare_place.found(story_from=start)
    bare_place.database.use_story_clock(story=True)
    tree = tree_type(bare_place)
    stock = Stock(tree)
    root = tree.root(quotas=calls(10))
    bounded = TermsForm(valid=Period(start, start + HOUR))
    child = tree.child(root, bounded, quotas=calls(6))
    stock.spend(child, 2)
    assert stock.has(root) == ((4, 0, 0),)
    tree.do(trust.move_story_clock, to=start + HOUR)
    assert stock.has(root) == ((4, 0, 4),)
    with pytest.raises(rights.GrantExpired):
        stock.spend(child, 1)
    assert stock.sweep() == [1]
    assert stock.has(root) == ((8, 0, 0),)


def test_sweeping_twice_moves_nothing_twice(stock, tree):
    root = tree.root(quotas=calls(10))
    child = tree.child(root, quotas=calls(4))
    tree.revoke(child)
    assert stock.sweep() == [1]
    assert stock.has(root) == ((10, 0, 0),)
    assert stock.do(quantities.sweep_quotas, PLATFORM, root=root.id) == 0
    tree.revoke(root)
    assert stock.sweep() == [1]
    counted = stock.count(root.ground)
    assert (counted.issued, counted.living) == (0, 0)


def test_quantities_and_leases_move_along_when_a_grant_is_narrowed(stock, tree):
    root = tree.root(quotas=calls(100))
    child = tree.child(root, quotas=calls(40))
    below = tree.child(child, quotas=calls(10))
    lease = stock.lease(child, 15)
    done = stock.do(rights.narrow_grant, grant=child.id, terms=TermsForm(level_max=1))
    new_child, new_below = done.new
    assert (stock.has(new_child), stock.has(new_below)) == (((15, 15, 0),), ((10, 0, 0),))
    assert stock.has(below) == ((0, 0, 0),)
    settled = stock.settle(lease, 4)
    assert (settled.grant_id, settled.used) == (new_child, 4)
    assert stock.has(new_child) == ((26, 0, 0),)
    done = stock.do(rights.adopt_children, grant=new_child)
    assert (stock.has(root), stock.has(done.new[0])) == (((86, 0, 0),), ((10, 0, 0),))
    stock.count(root.ground)
    assert tree.place.audit() == []


def test_a_lease_is_spent_locally_and_settled_also_after_its_time_and_after_death(stock, tree):
    root = tree.root(quotas=calls(100))
    child = tree.child(root, quotas=calls(40))
    first, second = stock.lease(child, 10), stock.lease(child, 20)
    assert stock.has(child) == ((10, 30, 0),)
    with pytest.raises(ledger.FloorCrossed):
        stock.lease(child, 11)
    stock.settle(first, 0)
    tree.revoke(child)
    assert stock.has(root) == ((60, 0, 20),)
    tree.place.sql(
        "UPDATE rights.lease SET taken_at = now() - interval '2 hours',"
        " expires_at = now() - interval '1 hour' WHERE id = %s",
        (second.id,),
    )
    with tree.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
        (overdue,) = quantities.find_overdue_leases(tx, now=datetime.now(UTC))
    assert overdue.id == second.id
    assert stock.settle(second, 13).used == 13
    assert stock.has(root) == ((60, 0, 27),)
    assert stock.count(root.ground).consumed == 13
    with pytest.raises(quantities.LeaseClosed):
        stock.settle(second, 13)


def test_a_lease_that_is_none_is_refused(stock, tree):
    root = tree.root(quotas=calls(100))
    lease = stock.lease(root, 1)
    with pytest.raises(quantities.BadLease):
        stock.lease(root, 1, datetime.now(UTC) - HOUR)
    with pytest.raises(quantities.BadLease):
        stock.lease(root, 1, datetime.now(UTC) + 48 * HOUR)
    with pytest.raises(quantities.BadLease):
        stock.settle(lease, 2)
    with pytest.raises(quantities.BadQuantity):
        stock.lease(root, 0)
    tree.hold(root)
    with pytest.raises(rights.GrantHeld):
        stock.lease(root, 1)


def test_only_the_holder_spends_and_leases(stock, tree, member):
    party, acting = member()
    _, stranger = member("别的公司")
    root = tree.root(quotas=calls(10), holder=party)
    stock.spend(root, 1, acting)
    with pytest.raises(trust.AccessDenied):
        stock.spend(root, 1, stranger)


@dataclass
class Held:
    """The oracle's grant: what it holds itself, whether it ended, what is leased from it."""

    grant: object
    parent: object
    own: int
    dead: bool = False

    @property
    def path(self):
        return (*(self.parent.path if self.parent else ()), self)

    @property
    def alive(self):
        return not any(one.dead for one in self.path)

    @property
    def heir(self):
        """Itself while alive, else the nearest living grant above it."""
        living = list(itertools.takewhile(lambda one: not one.dead, self.path))
        return living[-1] if living else None


class QuotaMachine(RuleBasedStateMachine):
    """Whatever is done, every grant can spend what the oracle says, and all of it adds up."""

    shared = None
    grants = Bundle("grants")
    leases = Bundle("leases")

    @initialize(target=grants)
    def begin(self):
        self.stock = self.shared
        self.tree = self.stock.tree
        root = Held(self.tree.root(quotas=calls(1000)), None, 1000)
        self.known, self.used, self.reserved, self.open = [root], 0, 0, {}
        return root

    def entitled(self, held):
        return sum(one.own for one in self.known if one.heir is held)

    def take(self, held, amount):
        if held.own < amount:
            for one in self.known:
                heir = one.heir
                if heir is not one and heir is not None and held in one.path:
                    heir.own, one.own = heir.own + one.own, 0
        held.own -= amount

    def attempt(self, allowed, act):
        if allowed:
            return act()
        with pytest.raises(LingquError):
            act()
        return None

    @rule(target=grants, parent=grants, amount=st.integers(1, 400))
    def grant(self, parent, amount):
        allowed = parent.alive and self.entitled(parent) >= amount and len(parent.path) < 5
        if len(parent.path) >= 5:
            return multiple()
        made = self.attempt(allowed, lambda: self.tree.child(
            parent.grant, quotas=calls(amount), kind=rights.GrantKind.HOLDING
        ))  # fmt: skip
        if made is None:
            return multiple()
        self.take(parent, amount)
        child = Held(made, parent, amount)
        self.known.append(child)
        return child

    @rule(held=grants, amount=st.integers(1, 400))
    def spend(self, held, amount):
        allowed = held.alive and self.entitled(held) >= amount
        if self.attempt(allowed, lambda: self.stock.spend(held.grant, amount)):
            self.take(held, amount)
            self.used += amount

    @rule(target=leases, held=grants, amount=st.integers(1, 200))
    def lease(self, held, amount):
        allowed = held.alive and self.entitled(held) >= amount
        made = self.attempt(allowed, lambda: self.stock.lease(held.grant, amount))
        if made is None:
            return multiple()
        self.take(held, amount)
        self.open[made.id] = held
        self.reserved += amount
        return made

    @rule(lease=leases, part=st.integers(0, 100))
    def settle(self, lease, part):
        used = lease.amount * part // 100
        if self.attempt(lease.id in self.open, lambda: self.stock.settle(lease, used)):
            self.open.pop(lease.id).own += lease.amount - used
            self.reserved -= lease.amount
            self.used += used

    @rule(held=grants)
    def revoke(self, held):
        if self.attempt(not held.dead, lambda: self.tree.revoke(held.grant)):
            held.dead = True

    @rule(target=grants, held=grants, level=st.integers(0, 5))
    def narrow(self, held, level):
        form = rights.read_form(self.tree.get(held.grant).effective)
        narrower = form.level_max is None or level < form.level_max
        act = {"grant": held.grant.id, "terms": TermsForm(level_max=level)}
        done = self.attempt(
            held.alive and narrower, lambda: self.stock.do(rights.narrow_grant, **act)
        )
        return multiple() if done is None else self.succeed(held, done, held.parent)

    @rule(target=grants, held=grants)
    def adopt(self, held):
        allowed = held.alive and held.parent is not None
        done = self.attempt(
            allowed, lambda: self.stock.do(rights.adopt_children, grant=held.grant.id)
        )
        if done is None:
            return multiple()
        held.parent.own, held.own = held.parent.own + held.own, 0
        return self.succeed(held, done, held.parent)

    def succeed(self, ended, done, above):
        """The successors take over what the old ones hold; a lease stays with the ended middle."""
        by_id = {one.grant.id: one for one in self.known}
        new = {}
        for old_id, new_name in zip(done.old, done.new, strict=True):
            old = by_id[old_id]
            parent = new.get(old.parent.grant.id, above) if old.parent else None
            made = Held(self.tree.get(new_name), parent, old.own)
            old.own = 0
            new[old_id] = made
            for name, holder in self.open.items():
                if holder is old:
                    self.open[name] = made
        ended.dead = True
        self.known.extend(new.values())
        return multiple(*new.values())

    @rule()
    def sweep(self):
        for root in {one.path[0].grant.id for one in self.known}:
            self.stock.do(quantities.sweep_quotas, PLATFORM, root=root)
        for one in self.known:
            heir = one.heir
            if heir is not one:
                amount, one.own = one.own, 0
                if heir is None:
                    self.returned = getattr(self, "returned", 0) + amount
                else:
                    heir.own += amount

    @invariant()
    def everyone_has_what_is_due_and_it_adds_up(self):
        if not hasattr(self, "known"):
            return
        for one in self.known:
            if one.alive:
                ((available, _, unswept),) = self.stock.has(one.grant)
                assert available + unswept == self.entitled(one)
        counted = self.stock.count(self.known[0].grant.ground)
        assert (counted.consumed, counted.reserved) == (self.used, self.reserved)
        living = sum(self.entitled(one) for one in self.known if one.alive)
        assert counted.living + counted.unswept >= living
        assert counted.issued == 1000 - getattr(self, "returned", 0)


@pytest.fixture(scope="module")
def shared_stock(trust_server, place_type, tree_type):
    made = place_type(trust_server)
    made.found()
    yield Stock(tree_type(made))
    made.close()


def test_quantities_are_conserved_under_any_sequence_of_acts(shared_stock):
    class Machine(QuotaMachine):
        shared = shared_stock

    state = settings(
        max_examples=40 if os.environ.get("FULL_MATRIX") else 8,
        stateful_step_count=16,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Machine, settings=state)
    assert shared_stock.tree.place.audit() == []
