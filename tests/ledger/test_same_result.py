# SPDX-License-Identifier: Apache-2.0
"""A batch is what posting one by one in queue order is, refused groups included; on both paths."""

import itertools
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lingqu import ledger
from lingqu.ledger import Phase
from lingqu.ledger.rules import Books, Standing, decide
from lingqu.ledger.transfers import plain_rows
from lingqu.runtime import new_id

sys.path.insert(0, str(Path(__file__).parent))

from oracle import Oracle  # the folder is on the path only now

LIMITS = ((None, None), (0, None), (0, 12), (-6, 6), (-3, None), (None, 9))

moves = st.tuples(
    st.sampled_from(("posted", "posted", "posted", "pending", "post", "void", "again", "reuse")),
    st.integers(0, 7),
    st.integers(0, 6),
    st.integers(1, 9),
    st.integers(0, 30),
)
submissions = st.lists(
    st.lists(st.tuples(st.booleans(), moves), min_size=1, max_size=9), min_size=1, max_size=4
)


class World:
    """Two sets of the same accounts (one for each path), an oracle, and how transfers are made."""

    def __init__(self, till=None):
        self.till = till
        self.sets = [[new_id(ledger.LedgerAccountId) for _ in range(8)] for _ in range(2)]
        if till is not None:
            bounds = [*LIMITS, (None, None)]
            till.open_many(
                (account, *bounds[place], "calls" if place == 6 else "CNY")
                for side in self.sets
                for place, account in enumerate(side[:7])
            )
        names = range(len(LIMITS) + 2)
        bound = ledger.AMOUNT_MAX
        known = {
            name: ["CNY", -bound if low is None else low, bound if high is None else high]
            for name, (low, high) in enumerate(LIMITS)
        }
        known[names[-2]] = ["calls", -bound, bound]
        self.oracle = Oracle(known)
        self.ids = [{}, {}]
        self.made = []
        self.count = itertools.count()

    def draw(self, drawn):
        """One submission in the oracle's terms: groups, and steps that refer to earlier ones."""
        rows = []
        group = None
        for joined, (what, debit, shift, amount, back) in drawn:
            group = (group or f"g{next(self.count)}") if joined else None
            one = self._make(what, debit, shift, amount, back)
            if group is not None and any(r["id"] == one["id"] and r["group"] for r in rows):
                one = {**one, "id": next(self.count)}
            rows.append({**one, "group": group} if what != "again" else one)
            group = rows[-1]["group"]
        return self._tidy(rows)

    def _make(self, what, debit, shift, amount, back):
        credit = (debit + 1 + shift) % 8
        one = {
            "id": next(self.count),
            "debit": debit,
            "credit": credit,
            "amount": amount,
            "phase": "posted",
            "pending": None,
            "group": None,
        }
        earlier = self.made[-1 - back % len(self.made)] if self.made else None
        if what == "pending":
            one["phase"] = "pending"
        elif what in {"post", "void"}:
            held = next(
                (m for m in reversed(self.made[-1 - back :]) if m["phase"] == "pending"), one
            )
            one = {**one, "debit": held["debit"], "credit": held["credit"], "phase": what}
            one["pending"] = held["id"] if held is not one else -1
            one["amount"] = held["amount"] if what == "void" or amount > 3 else amount
        elif what == "again" and earlier is not None:
            return dict(earlier)
        elif what == "reuse" and earlier is not None:
            one["id"] = earlier["id"]
        self.made.append(one)
        return one

    @staticmethod
    def _tidy(rows):
        """A submission as it may be: members of a group together, each id once in it."""
        kept, seen, last = [], set(), None
        for drawn in rows:
            group = drawn["group"]
            if group is not None and group != last and group in seen:
                group = None
            row = {**drawn, "group": group}
            if group is not None and any(
                k["group"] == group and k["id"] == row["id"] for k in kept
            ):
                continue
            if group is not None:
                seen.add(group)
            last = group
            kept.append(row)
        return kept

    def transfer(self, side, row):
        """The transfer of one of the two sets."""
        ids = self.ids[side]

        def named(number):
            return ids.setdefault(number, new_id(ledger.TransferId))

        return ledger.Transfer(
            id=named(row["id"]),
            debit=self.sets[side][row["debit"]],
            credit=self.sets[side][row["credit"]],
            amount=row["amount"],
            kind="t",
            phase=Phase(row["phase"]),
            pending=None if row["pending"] is None else named(row["pending"]),
            group=row["group"],
        )

    def check_figures(self):
        for side in (0, 1):
            known = self.sets[side][:7]
            expected = [self.oracle.figures(name) for name in range(7)]
            assert self.till.figures(*known) == expected


@pytest.fixture(scope="module")
def shared(trust_server, place_type, till_type):
    place = place_type(trust_server)
    place.found()
    till = till_type(place)
    words = {"scale": 0, "name_zh": "调用次数", "name_en": "calls"}
    place.do(ledger.register_currency, till.clerk, currency="calls", **words)
    yield till
    place.close()


def books(world):
    """The same accounts as the rules know them."""
    return Books(
        today="2026-03-02",
        closed_through="",
        standings={
            world.sets[0][name]: Standing(currency, low, high)
            for name, (currency, low, high) in world.oracle.accounts.items()
        },
    )


@given(submissions)
def test_the_rules_are_what_the_oracle_says(drawn):
    world = World()
    known = books(world)
    for one in drawn:
        rows = world.draw(one)
        plain = plain_rows([world.transfer(0, row) for row in rows])
        found = [decision.outcome for decision in decide(known, plain)]
        assert found == world.oracle.post(rows)
        for name in range(7):
            held = known.standings[world.sets[0][name]]
            figures = (held.posted, held.pending_out, held.pending_in)
            assert figures == world.oracle.figures(name)
            assert held.floor <= held.posted - held.pending_out
            assert held.posted + held.pending_in <= held.ceiling


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(submissions, min_size=1, max_size=3))
def test_a_batch_is_what_posting_one_by_one_is(shared, rounds):
    world = World(shared)
    for drawn in rounds:
        batch = [world.draw(one) for one in drawn]
        expected, at_once = [], []
        for rows in batch:
            expected.append(world.oracle.post(rows))
            at_once.append(shared.outcomes(*[world.transfer(0, row) for row in rows]))
            shared.queue(*[world.transfer(1, row) for row in rows])
        assert at_once == expected
        result = shared.post()
        flat = [row for rows in batch for row in rows]
        assert result.accepted + result.refused + result.repeated + result.reused == len(flat)
        reused = [outcome for rows in expected for outcome in rows].count("id_reused")
        assert result.reused == reused
        for row in flat:
            first, outcome = world.oracle.verdicts.get(row["id"], (row, None))
            said = outcome if first == row else "id_reused"
            assert shared.verdicts(world.transfer(1, row)) == [said]
        world.check_figures()


def test_the_books_of_all_these_rounds_are_in_order(shared):
    assert shared.place.count("ledger.transfer") > 50
    assert shared.place.audit() == []
