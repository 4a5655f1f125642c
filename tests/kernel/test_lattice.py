# SPDX-License-Identifier: Apache-2.0
"""The lattice of terms: its laws, the rules of the trees, and codes that outlive a tree."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingqu.kernel import canon
from lingqu.kernel.lattice import (
    ANYTHING,
    NOTHING,
    BadTerms,
    BadTree,
    Scope,
    ScopeForm,
    Terms,
    TermsForm,
    Tree,
    UnknownCode,
    Vocabulary,
    meet,
)
from lingqu.kernel.time import Period
from lingqu.kernel.values import from_plain, to_plain

ENTRIES = (
    ("research", None),
    ("credit", None),
    ("research.academic", "research"),
    ("research.trade", "research"),
    ("research.trade.market", "research.trade"),
    ("credit.loan", "credit"),
)
LATER = (("research.public", "research"), ("research.trade.price", "research.trade"))
CODES = tuple(code for code, _ in ENTRIES)
TREE = Tree("purposes", ENTRIES)
VOCABULARY = Vocabulary(
    purposes=TREE,
    territories=Tree("territories", (("450000", None), ("450700", "450000"), ("450100", "450000"))),
    actions=Tree("actions", (("use", None), ("verify", "use"), ("query", "use"))),
    environments=Tree("environments", (("gate", None), ("sandbox", None))),
)
first = datetime(2026, 1, 1, tzinfo=UTC)
day = timedelta(days=1)


def scopes(tree):
    codes = st.frozensets(st.sampled_from([code for code, _ in tree.entries()]))
    return st.builds(lambda allowed, prohibited: Scope.of(tree, allowed, prohibited), codes, codes)


def names(*choices):
    return st.none() | st.frozensets(st.sampled_from(choices))


terms = st.builds(
    Terms,
    purposes=st.none() | scopes(VOCABULARY.purposes),
    territories=st.none() | scopes(VOCABULARY.territories),
    actions=st.none() | scopes(VOCABULARY.actions),
    environments=st.none() | scopes(VOCABULARY.environments),
    fields=names("company.name", "company.address", "tax.paid"),
    recipients=names("bank", "insurer"),
    level_max=st.none() | st.integers(0, 4),
    valid=st.none()
    | st.builds(
        lambda start, length: Period(
            first + start * day, length and first + (start + length) * day
        ),
        st.integers(0, 6),
        st.none() | st.integers(1, 6),
    ),
    cross_border=st.booleans(),
) | st.sampled_from([ANYTHING, NOTHING, Terms()])


@given(terms, terms)
def test_meet_does_not_depend_on_the_order(a, b):
    assert meet(a, b) == meet(b, a)


@given(terms, terms, terms)
def test_meet_does_not_depend_on_the_grouping(a, b, c):
    assert meet(meet(a, b), c) == meet(a, meet(b, c))


@given(terms)
def test_meet_with_itself_with_anything_and_with_nothing(a):
    assert meet(a, a) == a
    assert meet(a, ANYTHING) == a
    assert meet(a, NOTHING) == NOTHING
    assert NOTHING <= a <= ANYTHING


@given(terms, terms)
def test_no_wider_than_is_the_order_of_meet(a, b):
    assert (a <= b) == (meet(a, b) == a)


@given(terms, terms)
def test_two_terms_no_wider_than_each_other_are_the_same(a, b):
    assert (a <= b <= a) == (a == b)
    if a == b:
        assert hash(a) == hash(b)


@given(terms, terms, terms)
def test_meet_is_the_greatest_lower_bound(a, b, c):
    both = meet(a, b)
    assert both <= a
    assert both <= b
    assert (c <= a and c <= b) == (c <= both)


@given(terms, terms, terms)
def test_narrowing_is_monotone(a, b, c):
    narrow = meet(a, b)
    assert meet(narrow, c) <= meet(a, c)


@given(terms, terms, terms)
def test_no_wider_than_is_transitive(a, b, c):
    low, high = meet(meet(a, b), c), meet(a, b)
    assert low <= high <= a
    assert low <= a


@given(terms)
def test_terms_survive_their_canonical_text(a):
    text = canon.encode(to_plain(a.form()))
    form = from_plain(TermsForm, canon.decode(text))
    assert VOCABULARY.read(form) == a
    assert canon.encode(to_plain(VOCABULARY.read(form).form())) == text


@given(scopes(TREE), scopes(TREE))
def test_a_tree_may_grow_under_its_codes(a, b):
    grown = TREE.grow(LATER)
    assert grown.extends(TREE)
    assert a.on(grown).form() == a.form()
    assert a.on(grown) == a
    assert hash(a.on(grown)) == hash(a)
    assert (a & b).on(grown) == a.on(grown) & b.on(grown) == a & b.on(grown)
    assert (a <= b) == (a.on(grown) <= b.on(grown)) == (a <= b.on(grown)) == (a.on(grown) <= b)


@given(st.frozensets(st.sampled_from(CODES)), st.frozensets(st.sampled_from(CODES)))
def test_permission_covers_what_is_below_and_prohibition_wins(allowed, prohibited):
    scope = Scope.of(TREE, allowed, prohibited)
    for code in CODES:
        path = TREE.path(code)
        below = [other for other in CODES if code in TREE.path(other)]
        named = any(step in allowed for step in path)
        barred = any(step in prohibited for other in below for step in TREE.path(other))
        assert (code in scope) == (named and not barred)
        if code in scope:
            assert all(other in scope for other in below)


@given(scopes(TREE), st.sampled_from(CODES))
def test_a_scope_holds_a_code_when_it_holds_the_scope_of_that_code(scope, code):
    assert (code in scope) == (Scope.of(TREE, (code,)) <= scope)


def test_what_is_added_later_below_a_permitted_code_is_permitted():
    scope = Scope.of(TREE, ("research",), ("research.trade",)).on(TREE.grow(LATER))
    assert "research.public" in scope
    assert "research.trade.price" not in scope
    assert "research" not in scope
    assert scope.form() == ScopeForm(allowed=("research",), prohibited=("research.trade",))


def test_use_across_the_border_is_never_part_of_unlimited_terms():
    assert not Terms(cross_border=True) <= Terms()
    assert Terms() <= Terms(cross_border=True)
    assert not meet(Terms(cross_border=True), Terms()).cross_border


def test_terms_with_an_empty_part_permit_nothing_and_are_one_value():
    empty = Terms(purposes=Scope.of(TREE, ()), level_max=3, cross_border=True)
    assert empty == NOTHING
    assert empty.form() == TermsForm(nothing=True)
    early, late = Period(first, first + day), Period(first + day)
    assert meet(Terms(valid=early), Terms(valid=late)) == NOTHING
    assert not NOTHING.holds_at(first)


def test_terms_hold_in_their_period_only():
    bounded = Terms(valid=Period(first, first + day))
    assert bounded.holds_at(first)
    assert not bounded.holds_at(first + day)
    assert Terms().holds_at(first)


@pytest.mark.parametrize(
    "entries", [(("a", None), ("a", None)), (("b", "a"), ("a", None)), (("", None),)]
)
def test_a_tree_that_does_not_hold_is_refused(entries):
    with pytest.raises(BadTree):
        Tree("purposes", entries)


def test_codes_and_terms_that_are_not_well_formed_are_refused():
    with pytest.raises(UnknownCode):
        VOCABULARY.read(TermsForm(purposes=ScopeForm(allowed=("gossip",))))
    with pytest.raises(UnknownCode):
        TREE.parent("gossip")
    with pytest.raises(BadTerms):
        Terms(level_max=-1)
    with pytest.raises(BadTerms):
        Terms(fields=frozenset({""}))


def test_a_tree_tells_its_codes_parents_and_paths():
    assert TREE.path("research.trade.market") == (
        "research",
        "research.trade",
        "research.trade.market",
    )
    assert tuple(TREE.entries()) == ENTRIES
    assert ("research" in TREE, "gossip" in TREE, len(TREE)) == (True, False, 6)
    assert "research" in repr(Scope.of(TREE, ("research",)))
    assert Scope.of(TREE, ("research",)) != "research"
