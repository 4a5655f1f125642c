# SPDX-License-Identifier: Apache-2.0
"""Any sequence of acts on a tree of grants, against an oracle that never asks the database."""

import itertools
import os
from dataclasses import dataclass, field
from datetime import timedelta

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

from lingqu import rights
from lingqu.kernel.errors import LingquError
from lingqu.kernel.lattice import ScopeForm, TermsForm, meet
from lingqu.kernel.time import Period
from lingqu.runtime import new_id
from lingqu.trust import LOCAL_ADMINISTRATOR, holds

PURPOSES = ("research", "research.academic", "research.training", "industry", "welfare")
HOUR = timedelta(hours=1)


@dataclass
class Known:
    """What the oracle knows of one grant; `line` are the grants it stands in for, and itself."""

    id: str
    parent: object
    limits: list
    until: object
    line: tuple
    revoked: bool = False
    succeeded: bool = False
    holds: set = field(default_factory=set)

    @property
    def path(self):
        return (*(self.parent.path if self.parent else ()), self)

    def standing(self, now, held):
        path = self.path
        if any(one.revoked for one in path):
            return "revoked"
        if any(one.succeeded for one in path):
            return "succeeded"
        if any(one.until is not None and one.until <= now for one in path):
            return "expired"
        if any(name in held for one in path for name in one.line):
            return "held"
        return "alive"

    def permits(self, purpose, level):
        for one in self.path:
            for allowed, prohibited, level_max in one.limits:
                if level_max is not None and level > level_max:
                    return False
                if allowed is not None and not any(_below(purpose, name) for name in allowed):
                    return False
                if any(_below(purpose, no) or _below(no, purpose) for no in prohibited):
                    return False
        return True

    def keeps(self, purpose):
        """Whether something under a purpose is left, be it codes that are registered later."""
        return all(
            (allowed is None or any(_below(purpose, name) for name in allowed))
            and not any(_below(purpose, no) for no in prohibited)
            for one in self.path
            for allowed, prohibited, _ in one.limits
        )


def _below(code, above):
    return code == above or code.startswith(f"{above}.")


limits = st.tuples(
    st.none() | st.lists(st.sampled_from(PURPOSES), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(PURPOSES[1:3]), max_size=1),
    st.none() | st.integers(0, 4),
)


def form_of(limit, until=None, now=None):
    allowed, prohibited, level_max = limit
    if allowed is None:
        prohibited = ()
    purposes = allowed and ScopeForm(allowed=tuple(allowed), prohibited=tuple(prohibited))
    valid = None if until is None else Period(now - HOUR, until)
    return TermsForm(purposes=purposes, level_max=level_max, valid=valid)


@pytest.fixture(scope="module")
def grown(trust_server, place_type, tree_type):
    made = place_type(trust_server)
    made.found()
    yield made, tree_type(made)
    made.close()


class TreeMachine(RuleBasedStateMachine):
    """Every act is done in both worlds; a refusal in one must be a refusal in the other."""

    grown = None
    grants = Bundle("grants")
    placed = Bundle("placed")

    @initialize(target=grants)
    def begin(self):
        self.place, self.tree = self.grown
        self.known, self.in_force, self.serial = {}, {}, itertools.count()
        self.cache = rights.EffectiveGrants()
        root = self.tree.root()
        above = self.known[root.id] = Known(root.id, None, [], None, (root.id,))
        for limit in ((["research"], [], 3), (None, [], None)):
            made = self.tree.child(above.id, form_of(limit), kind=rights.GrantKind.HOLDING)
            above = self.known[made.id] = Known(made.id, above, [limit], None, (made.id,))
        self.read(all_of_it=True)
        return multiple(*self.known)

    def now(self):
        with self.place.database.reading() as tx:
            return tx.now

    def read(self, *, all_of_it=False):
        with self.place.database.reading() as tx:
            (self.cache.load if all_of_it else self.cache.refresh)(tx)

    def held(self):
        return set(self.in_force.values())

    def attempt(self, allowed, act):
        """Do an act that the oracle expects to succeed or not."""
        if allowed:
            return act()
        with pytest.raises(LingquError):
            act()
        return None

    @rule(target=grants, parent=grants, limit=limits, expires=st.booleans())
    def grant(self, parent, limit, expires):
        above, now = self.known[parent], self.now()
        until = now + HOUR if expires else None
        if limit[0] is None:
            limit = (None, [], limit[2])
        made = Known(str(new_id(rights.GrantId)), above, [limit], until, ())
        some = any(made.keeps(code) for code in PURPOSES)
        form = form_of(limit, until, now)
        alive = above.standing(now, self.held()) == "alive"
        grant = rights.GrantId(made.id)
        child = self.attempt(
            alive and some and len(above.path) < 6,
            lambda: (
                self.tree.child(parent, form, grant=grant, kind=rights.GrantKind.HOLDING)
                if len(above.path) < 6
                else self.refuse()
            ),
        )
        if child is None:
            return multiple()
        made.line = (made.id,)
        self.known[made.id] = made
        return made.id

    def refuse(self):
        raise rights.TooDeep

    @rule(grant=grants)
    def revoke(self, grant):
        one = self.known[grant]
        before = self.alive()
        done = self.attempt(
            not one.revoked and not one.succeeded,
            lambda: self.tree.revoke(grant, article=f"第{next(self.serial)}条"),
        )
        if done is not None:
            one.revoked = True
            gone = {name for name, other in self.known.items() if one in other.path}
            assert self.alive() == before - gone
        with pytest.raises(LingquError):
            self.tree.revoke(grant)
        assert self.alive() == before - {n for n, o in self.known.items() if one in o.path}

    @rule(target=grants, grant=grants, limit=limits)
    def narrow(self, grant, limit):
        one, now = self.known[grant], self.now()
        if limit[0] is None:
            limit = (None, [], limit[2])
        over = one.standing(now, set()) != "alive"
        if not over:
            effective = self.effective(grant)
            new = meet(effective, self.terms(form_of(limit)))
            over = new == effective or new.nothing
        done = self.attempt(
            not over,
            lambda: self.place.do(
                rights.narrow_grant, grant=rights.GrantId(grant), terms=form_of(limit)
            ),
        )
        return multiple() if done is None else self.succeed(one, done, narrowed=limit)

    @rule(target=grants, grant=grants, upwards=st.booleans())
    def adopt(self, grant, upwards):
        one, now = self.known[grant], self.now()
        if upwards and one.parent is not None:
            one = one.parent
        allowed = one.parent is not None and one.standing(now, self.held()) == "alive"
        done = self.attempt(
            allowed, lambda: self.place.do(rights.adopt_children, grant=rights.GrantId(one.id))
        )
        return multiple() if done is None else self.succeed(one, done)

    def succeed(self, ended, done, *, narrowed=None):
        """The oracle's successors: the same limits under the same parents, and never wider."""
        now = self.now()
        living = [
            name
            for name, other in self.known.items()
            if ended in other.path and other.standing(now, set()) == "alive"
        ]
        if narrowed is None:
            living.remove(ended.id)
        assert set(done.old) == set(living)
        ended.succeeded = True
        new = {}
        for old_id, new_id_ in zip(done.old, done.new, strict=True):
            old = self.known[old_id]
            above = new.get(old.parent.id, old.parent) if old.parent else None
            more = []
            if old is ended:
                more = [narrowed]
            elif old.parent is ended and narrowed is None:
                above, more = ended.parent, ended.limits
            until = old.until
            if narrowed is None and old.parent is ended:
                until = min((u for u in (old.until, ended.until) if u), default=None)
            new[old_id] = Known(new_id_, above, [*old.limits, *more], until, (*old.line, new_id_))
        for made in new.values():
            self.known[made.id] = made
        return multiple(*(one.id for one in new.values()))

    @rule(target=placed, grant=grants)
    def hold(self, grant):
        made = self.tree.hold(grant, f"第{next(self.serial)}条")
        self.in_force[made.id] = grant
        return made

    @rule(hold=placed)
    def lift(self, hold):
        if self.attempt(hold.id in self.in_force, lambda: self.tree.lift(hold)):
            del self.in_force[hold.id]

    @rule(grant=grants)
    def expire(self, grant):
        """In half an hour nothing has changed; an hour on, whatever had an hour is over."""
        one, now = self.known[grant], self.now()
        use = self.tree.use(purpose="research.academic", level=0, fields=())
        for moment in (now + HOUR / 2, now + 2 * HOUR):
            expected = one.standing(moment, self.held())
            assert self.judged(grant, use, moment) == (
                expected if expected != "alive" else one.permits("research.academic", 0)
            )

    def judged(self, grant, use, now):
        self.read()
        verdict = self.cache.judge(grant, use, now)
        code = verdict.code or ""
        return code.rpartition(".")[2] if code.startswith("rights.grant.") else verdict.permitted

    def terms(self, form):
        with self.place.database.reading() as tx:
            return rights.load_vocabulary(tx).read(form)

    def effective(self, grant):
        return self.terms(rights.read_form(self.tree.get(rights.GrantId(grant)).effective))

    def alive(self):
        found = set()
        with self.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            for name in self.known:
                if rights.find_life(tx, rights.get_grant(tx, rights.GrantId(name))).alive:
                    found.add(name)
        return found

    @invariant()
    def every_edge_attenuates_and_all_checks_agree(self):
        if not hasattr(self, "known"):
            return
        self.read()
        with self.place.database.reading(LOCAL_ADMINISTRATOR) as tx:
            vocabulary = rights.load_vocabulary(tx)
            for name, one in self.known.items():
                grant = rights.get_grant(tx, rights.GrantId(name))
                mine = vocabulary.read(rights.read_form(grant.effective))
                if grant.parent is not None:
                    above = rights.get_grant(tx, grant.parent)
                    assert mine <= vocabulary.read(rights.read_form(above.effective))
                assert grant.parent == (one.parent.id if one.parent else None)
                standing = one.standing(tx.now, self.held())
                assert rights.find_life(tx, grant).standing.value == standing
                for purpose in ("research", "research.training", "industry"):
                    use = self.tree.use(purpose=purpose, level=2, fields=())
                    walked = rights.judge_use(tx, grant=grant.id, use=use)
                    assert self.cache.judge(name, use, tx.now) == walked
                    expected = standing == "alive" and one.permits(purpose, 2)
                    assert walked.permitted == expected

    def teardown(self):
        if hasattr(self, "known"):
            for hold in tuple(self.in_force):
                self.place.do(holds.lift_hold, hold=holds.HoldId(hold))


def test_any_sequence_of_acts_keeps_the_tree_true(grown):
    class Machine(TreeMachine):
        pass

    Machine.grown = grown
    state = settings(
        max_examples=40 if os.environ.get("FULL_MATRIX") else 8,
        stateful_step_count=16,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

    run_state_machine_as_test(Machine, settings=state)
    assert grown[0].audit() == []


def test_the_order_of_revocations_does_not_matter(tree):
    def grown_tree():
        root = tree.root()
        left, right = tree.child(root), tree.child(root)
        return [root, left, right, tree.child(left), tree.child(right)]

    for chosen in itertools.combinations(range(5), 2):
        alive = []
        for order in (chosen, chosen[::-1]):
            made = grown_tree()
            for number in order:
                tree.revoke(made[number])
            alive.append([tree.life(one).alive for one in made])
        assert alive[0] == alive[1]
