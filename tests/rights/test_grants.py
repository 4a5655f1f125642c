# SPDX-License-Identifier: Apache-2.0
"""Issuing, ending and holding grants, one by one."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from lingqu import rights, trust
from lingqu.kernel import errors
from lingqu.kernel.lattice import ScopeForm, TermsForm, UnknownCode
from lingqu.kernel.time import Period
from lingqu.runtime import new_id
from lingqu.trust import holds

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
ASSESSMENT = hashlib.sha256(b"assessment").digest()


def only(*allowed, without=()):
    return ScopeForm(allowed=allowed, prohibited=without)


RESEARCH = TermsForm(purposes=only("research"), level_max=3)


def test_a_root_stands_on_its_ground_and_its_fact_names_both(tree):
    ground = tree.ground()
    root = tree.root(RESEARCH, ground=ground)
    assert (root.root, root.ancestors, root.parent) == (root.id, (), None)
    assert rights.read_form(root.effective) == RESEARCH
    fact = tree.place.facts("rights.grant.issued")[-1]["data"]
    assert (fact["grant"], fact["ground"], fact["epoch"]) == (root.id, ground, 1)
    assert fact["effective"] == hashlib.sha256(root.effective.encode()).hexdigest()
    assert tree.place.audit() == []


def test_a_child_is_never_wider_than_its_parent(tree):
    root = tree.root(RESEARCH)
    wide = TermsForm(purposes=only("industry", "research.academic"), level_max=4)
    child = tree.child(root, wide)
    narrow = TermsForm(purposes=only("research.academic"), level_max=3)
    assert rights.read_form(child.effective) == narrow
    assert child.ancestors == (root.id,)


def test_terms_that_leave_no_use_at_all_are_refused(tree):
    root = tree.root(RESEARCH)
    with pytest.raises(rights.GrantsNothing):
        tree.child(root, TermsForm(purposes=only("welfare")))
    with pytest.raises(rights.GrantsNothing):
        tree.root(TermsForm(purposes=only("research", without=("research",))))


def test_an_unknown_code_is_refused_until_it_is_registered(tree):
    with pytest.raises(UnknownCode):
        tree.root(TermsForm(purposes=only("research.ocean")))
    grants = tree.cache()
    ocean = {
        "tree": rights.TreeName.PURPOSES,
        "code": "research.ocean",
        "zh": "海洋",
        "en": "ocean",
    }
    tree.do(rights.register_code, parent="research", **ocean)
    root = tree.root(TermsForm(purposes=only("research.ocean")))
    with tree.place.database.reading() as tx:
        grants.refresh(tx)
        assert "research.ocean" in {one.code for one in rights.find_codes(tx)}
    assert grants.judge(root.id, tree.use(purpose="research.ocean"), MOMENT).permitted
    with pytest.raises(rights.CodeTaken):
        tree.do(rights.register_code, parent=None, **ocean)
    for field, bad in (("code", "two words"), ("zh", "\u3000"), ("en", "x" * 201)):
        with pytest.raises(errors.Rejected) as refused:
            tree.do(rights.register_code, parent=None, **ocean | {"code": "more", field: bad})
        assert (refused.value.code, refused.value.parameters["field"]) == ("rights.code.bad", field)


@pytest.mark.parametrize(
    ("parent", "kind"),
    [
        (rights.GrantKind.USING, rights.GrantKind.OPERATING),
        (rights.GrantKind.USING, rights.GrantKind.HOLDING),
        (rights.GrantKind.OPERATING, rights.GrantKind.HOLDING),
    ],
)
def test_who_may_only_use_lets_nobody_offer_data_property_guide_article_3(tree, parent, kind):
    root = tree.root(kind=parent)
    with pytest.raises(rights.KindNotBegotten) as caught:
        tree.child(root, kind=kind)
    assert caught.value.article == "数据产权登记工作指引（试行） 第三条"


def test_use_across_the_border_needs_a_recorded_assessment(tree):
    abroad = TermsForm(cross_border=True)
    with pytest.raises(rights.BorderNotAssessed) as caught:
        tree.root(abroad)
    assert caught.value.article
    root = tree.root(abroad, ground=tree.ground(assessment=ASSESSMENT))
    child = tree.child(root)
    far = tree.use(territory="asean")
    assert tree.judge(root, far).permitted
    verdict = tree.judge(child, far)
    assert (verdict.permitted, verdict.part) == (False, "cross_border")
    assert verdict.article == "《网络数据安全管理条例》第三十七条"


def test_a_grant_with_the_same_id_is_refused(tree):
    root = tree.root()
    with pytest.raises(rights.GrantTaken):
        tree.child(root, grant=root.id)


def test_a_chain_that_nobody_could_oversee_is_refused(tree):
    one = tree.root()
    for _ in range(31):
        one = tree.child(one, kind=rights.GrantKind.HOLDING)
    with pytest.raises(rights.TooDeep):
        tree.child(one)


def test_revoking_ends_the_subtree_with_one_row_and_nothing_else(tree):
    root = tree.root()
    left, right = tree.child(root), tree.child(root)
    below = tree.child(left)
    before = tree.place.count("rights.ending")
    tree.revoke(left, article="授权运营协议 第九条")
    assert tree.place.count("rights.ending") == before + 1
    assert [tree.life(one).standing for one in (root, left, below, right)] == [
        rights.Standing.ALIVE,
        rights.Standing.REVOKED,
        rights.Standing.REVOKED,
        rights.Standing.ALIVE,
    ]
    assert tree.life(below).by == left.id
    with pytest.raises(rights.GrantRevoked):
        tree.revoke(left)
    with pytest.raises(rights.GrantRevoked) as caught:
        tree.child(below)
    assert caught.value.article == "授权运营协议 第九条"
    assert tree.judge(below, tree.use()).article == "授权运营协议 第九条"
    assert tree.place.audit() == []


def test_only_those_above_a_grant_may_revoke_it(tree, member):
    party, acting = member()
    other, stranger = member("别的公司")
    root = tree.root(holder=party)
    child = tree.child(root, caller=acting, holder=other)
    below = tree.child(child, caller=stranger)
    with pytest.raises(trust.AccessDenied):
        tree.revoke(root, stranger)
    with pytest.raises(trust.AccessDenied):
        tree.child(root, caller=stranger)
    tree.revoke(below, acting)
    tree.revoke(child, acting)
    with tree.place.database.reading(stranger) as tx:
        assert rights.get_grant(tx, child.id).id == child.id
        with pytest.raises(rights.GrantNotFound):
            rights.get_grant(tx, root.id)


def test_narrowing_puts_successors_in_the_place_of_the_whole_subtree(tree):
    root = tree.root(RESEARCH)
    child = tree.child(root)
    below = tree.child(child, TermsForm(purposes=only("research.academic"), level_max=1))
    succession = tree.do(rights.narrow_grant, grant=child.id, terms=TermsForm(level_max=2))
    assert succession.old == (child.id, below.id)
    new_child, new_below = (tree.get(one) for one in succession.new)
    assert (new_child.parent, new_below.parent) == (root.id, new_child.id)
    assert (new_child.succeeds, new_below.succeeds) == (child.id, below.id)
    assert rights.read_form(new_child.effective).level_max == 2
    assert rights.read_form(new_below.effective).level_max == 1
    assert tree.life(below) == rights.Life(
        standing=rights.Standing.SUCCEEDED, by=child.id, successor=new_child.id
    )
    with pytest.raises(rights.GrantSucceeded) as caught:
        tree.revoke(child)
    assert caught.value.parameters["successor"] == new_child.id
    with pytest.raises(rights.NothingNarrowed):
        tree.do(rights.narrow_grant, grant=new_child.id, terms=TermsForm(level_max=3))
    assert tree.place.audit() == []


def test_narrowing_a_root_begins_a_new_tree(tree):
    root = tree.root()
    child = tree.child(root)
    succession = tree.do(rights.narrow_grant, grant=root.id, terms=RESEARCH)
    new_root, new_child = (tree.get(one) for one in succession.new)
    assert (new_root.root, new_child.root) == (new_root.id, new_root.id)
    assert rights.read_form(new_child.effective) == RESEARCH
    assert not tree.life(child).alive
    tree.child(new_child)


def test_adopting_never_widens_what_the_children_had(tree):
    root = tree.root()
    middle = tree.child(root, RESEARCH, kind=rights.GrantKind.OPERATING)
    child = tree.child(middle)
    below = tree.child(child, TermsForm(level_max=1))
    succession = tree.do(rights.adopt_children, grant=middle.id)
    new_child, new_below = (tree.get(one) for one in succession.new)
    assert (succession.old, new_child.ancestors) == ((child.id, below.id), (root.id,))
    assert (new_child.effective, new_below.effective) == (child.effective, below.effective)
    assert not tree.life(middle).alive
    with pytest.raises(rights.RootNotAdopted):
        tree.do(rights.adopt_children, grant=root.id)


def test_a_hold_suspends_everything_below_and_survives_a_change_of_terms(tree):
    root = tree.root()
    child = tree.child(root)
    hold = tree.hold(root)
    assert tree.life(child).standing is rights.Standing.HELD
    with pytest.raises(holds.Held) as caught:
        tree.child(child)
    assert caught.value.article == hold.article
    succession = tree.do(rights.narrow_grant, grant=root.id, terms=TermsForm(level_max=1))
    assert tree.life(succession.new[1]).standing is rights.Standing.HELD
    tree.lift(hold)
    assert tree.life(succession.new[1]).alive


def test_a_hold_on_a_grant_that_goes_is_not_left_to_the_adopted(tree):
    root = tree.root()
    middle = tree.child(root)
    tree.child(middle)
    hold = tree.hold(middle)
    with pytest.raises(holds.Held):
        tree.do(rights.adopt_children, grant=middle.id)
    tree.lift(hold)
    succession = tree.do(rights.adopt_children, grant=middle.id)
    tree.hold(middle)
    assert tree.life(succession.new[0]).alive


def test_a_hold_on_the_holder_or_on_the_ground_suspends_the_grant(tree):
    party = tree.place.party("某公司")
    root = tree.root(holder=party)
    for subject in (party, root.ground):
        hold = tree.hold(subject)
        assert tree.life(root).standing is rights.Standing.HELD
        tree.lift(hold)
    assert tree.life(root).alive


def test_a_grant_begins_and_expires_by_the_period_of_its_whole_chain(tree):
    early, late = Period(MOMENT, MOMENT + DAY), Period(MOMENT + 36500 * DAY)
    past, future = tree.root(TermsForm(valid=early)), tree.root(TermsForm(valid=late))
    assert tree.life(past).standing is rights.Standing.EXPIRED
    assert tree.life(future).standing is rights.Standing.NOT_BEGUN
    with pytest.raises(rights.GrantExpired):
        tree.child(past)
    with pytest.raises(rights.GrantNotBegun):
        tree.child(future)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"purpose": "industry"}, "purposes"),
        ({"purpose": "research"}, "purposes"),
        ({"territory": "440100"}, "territories"),
        ({"territory": "asean"}, "cross_border"),
        ({"action": "offer"}, "actions"),
        ({"environment": "outside"}, "environments"),
        ({"fields": ("company.name", "tax.paid")}, "fields"),
        ({"recipient": "insurer"}, "recipients"),
        ({"level": 4}, "level_max"),
    ],
)
def test_a_use_outside_the_terms_is_refused_naming_the_part_and_the_article(tree, change, part):
    root = tree.root(
        TermsForm(
            purposes=only("research", without=("research.training",)),
            territories=only("450000"),
            actions=only("use"),
            environments=only("domain"),
            fields=("company.address", "company.name"),
            recipients=("bank",),
            level_max=3,
        )
    )
    grants = tree.cache()
    assert tree.judge(root, tree.use()).permitted
    wanted = tree.use(**change)
    verdict = tree.judge(root, wanted)
    assert (verdict.permitted, verdict.part) == (False, part)
    assert verdict.article
    assert grants.judge(root.id, wanted, MOMENT) == verdict
    refusal = rights.BorderClosed if part == "cross_border" else rights.UseOutside
    with tree.place.database.reading() as tx, pytest.raises(refusal) as caught:
        rights.check_grant(tx, grant=root.id, use=wanted)
    assert (caught.value.code, caught.value.article) == (verdict.code, verdict.article)


def test_a_checker_answers_only_as_fresh_as_was_asked_for(tree):
    root = tree.root()
    grants = tree.cache()
    tree.child(root)
    with tree.place.database.reading() as tx:
        fresh = rights.get_freshness(tx, root.id)
        assert rights.check_grant(tx, grant=root.id, use=tree.use(), at_least=fresh) == fresh
        ahead = rights.Freshness(epoch=fresh.epoch + 1)
        with pytest.raises(rights.NotFresh):
            rights.check_grant(tx, grant=root.id, use=tree.use(), at_least=ahead)
    with pytest.raises(rights.NotFresh):
        grants.check(root.id, tree.use(), MOMENT, at_least=fresh)
    with tree.place.database.reading() as tx:
        grants.refresh(tx)
    grants.check(root.id, tree.use(), MOMENT, at_least=fresh)


def test_a_checker_that_hears_nothing_permits_nothing(tree):
    root = tree.root()
    grants = rights.EffectiveGrants()
    with pytest.raises(rights.NotListening):
        grants.judge(root.id, tree.use(), MOMENT)


def test_a_ground_needs_evidence_and_articles_in_words(tree):
    with pytest.raises(rights.BadGround):
        tree.ground(articles=("",))
    with pytest.raises(rights.BadGround):
        tree.ground(assessment=b"short")
    with pytest.raises(rights.GroundNotFound):
        tree.root(ground=new_id(rights.GroundId))
    with pytest.raises(rights.PartyUnknown):
        tree.root(holder=new_id(trust.PartyId))
