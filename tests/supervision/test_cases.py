# SPDX-License-Identifier: Apache-2.0
"""A supervisor sees every refused attempt, holds out of a case, and can show all of it."""

import json

import pytest

from lingqu import supervision, trust
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id
from lingqu.supervision.cases import BadCase, CaseHolds, CaseHoldsNothing, CaseNotFound
from lingqu.supervision.evidence import NothingRecorded
from lingqu.trust import AccessDenied, holds
from lingqu_verify import bundles
from lingqu_verify.errors import VerificationError

ARTICLE = "数据安全法 第四十四条"


def opened(place, subject, **changes):
    case = new_id(supervision.CaseId)
    asked = {
        "case": case,
        "kind": supervision.CaseKind.INSPECTION,
        "subject": subject,
        "summary": "例行检查",
    }
    place.do(supervision.open_case, place.regulator, None, **(asked | changes))
    return case


def held(place, case):
    hold = new_id(holds.HoldId)
    reason = holds.HoldReason.SUPERVISION
    given = {"case": case, "hold": hold, "reason": reason, "article": ARTICLE}
    place.do(supervision.hold_from_case, place.regulator, None, **given)
    return hold


def refused(place, **filters):
    with place.database.reading(place.regulator) as tx:
        return supervision.find_refused(tx, **({"page": PageRequest()} | filters))


def test_every_refused_attempt_is_seen_with_who_what_and_article(seen):
    party = seen.party("〈某银行〉（演示）")
    buyer = seen.account(party, role=trust.Role.BUYER)
    for _ in range(3):
        with pytest.raises(AccessDenied):
            seen.do(trust.rename_party, buyer, None, party=party, name="别名")
    subject = new_id(trust.PartyId)
    hold = held(seen, opened(seen, subject))
    assert refused(seen, party=party).items == (), "nothing before the log has it"
    seen.look()
    first = refused(seen, party=party, page=PageRequest(size=2))
    assert [one.act for one in first.items] == ["trust.party.rename"] * 2
    rest = refused(seen, party=party, page=PageRequest(size=2, after=first.next))
    assert (len(rest.items), rest.next) == (1, None)
    one = rest.items[0]
    assert (one.account, one.party, one.code) == (buyer.account, party, "trust.access.denied")
    with seen.database.reading(seen.regulator) as tx:
        entry = trust.get_fact(tx, one.fact).entry
    assert (entry["data"]["code"], entry["rules"]) == (one.code, one.rules)
    assert refused(seen, code="trust.access.denied", act="trust.party.rename").items[0].fact
    assert refused(seen, party=party, until=one.at).items == ()
    assert len(refused(seen, party=party, since=one.at).items) == 3
    with seen.database.reading(buyer) as tx, pytest.raises(AccessDenied):
        supervision.find_refused(tx, page=PageRequest())
    assert hold
    assert seen.audit() == []


def test_a_refused_attempt_that_was_removed_or_altered_is_named_by_the_audit(seen):
    with pytest.raises(AccessDenied):
        seen.do(trust.found_installation, seen.buyer, None, installation=new_id(
            trust.InstallationId), origin="x", verifier_key="x", story_from=None)  # fmt: skip
    seen.look()
    newest = refused(seen).items[0]
    seen.sql("UPDATE supervision.refusal SET code = 'x.y' WHERE fact = %s", (newest.fact,))
    assert [one.key for one in seen.audit()] == [newest.fact]
    seen.sql("DELETE FROM supervision.refusal WHERE fact = %s", (newest.fact,))
    assert [one.key for one in seen.audit()] == [newest.fact]
    body = seen.sql("SELECT body FROM trust.fact WHERE id = %s", (newest.fact,))[0][0]
    seen.sql(
        "INSERT INTO supervision.refusal (fact, position, at, account, act, channel, code, rules)"
        " VALUES (%s, 0, %s, %s, %s, %s, %s, %s)",
        (
            newest.fact, newest.at, newest.account, newest.act, newest.channel,
            json.loads(body)["data"]["code"], newest.rules,
        ),
    )  # fmt: skip
    assert seen.audit() == []


def test_a_case_holds_its_subject_until_it_is_lifted_and_then_ends(seen):
    subject = new_id(trust.PartyId)
    case = opened(seen, subject)
    with pytest.raises(CaseHoldsNothing):
        seen.do(supervision.lift_from_case, seen.regulator, None, case=case)
    hold = held(seen, case)
    with pytest.raises(CaseHolds):
        held(seen, case)
    with pytest.raises(CaseHolds):
        seen.do(supervision.close_case, seen.regulator, None, case=case, outcome="无")
    with seen.database.reading() as tx, pytest.raises(holds.Held) as refusal:
        holds.refuse_held(tx, subjects=(subject,))
    assert (refusal.value.article, refusal.value.parameters["hold"]) == (ARTICLE, hold)
    freed = seen.do(supervision.lift_from_case, seen.regulator, None, case=case)
    assert freed.hold is None
    with seen.database.reading() as tx:
        assert not holds.is_held(tx, subject=subject)
    closed = seen.do(supervision.close_case, seen.regulator, None, case=case, outcome="已整改")
    assert closed.closed_at is not None
    with pytest.raises(supervision.CaseClosed):
        held(seen, case)
    with seen.database.reading(seen.regulator) as tx:
        assert supervision.get_case(tx, case).outcome == "已整改"
        assert supervision.find_cases(tx, page=PageRequest(), subject=subject).items
        found = supervision.find_cases(
            tx, page=PageRequest(size=1), subject=subject, only_open=True
        )
        assert found.items == ()
    with seen.database.reading(seen.buyer) as tx, pytest.raises(CaseNotFound):
        supervision.get_case(tx, case)
    for bad in ({"subject": "什么"}, {"summary": " "}, {"summary": "一\n二"}):
        with pytest.raises(BadCase):
            opened(seen, **({"subject": subject} | bad))


def test_everything_about_a_thing_is_one_bundle_that_verifies_without_the_platform(seen):
    subject = new_id(trust.PartyId)
    case = opened(seen, subject)
    hold = held(seen, case)
    with seen.database.reading(seen.regulator) as tx, pytest.raises(NothingRecorded):
        supervision.bundle_of(tx, seen.logs, (subject,))
    seen.look()
    with seen.database.reading(seen.regulator) as tx:
        page = supervision.find_facts_about(tx, subject=subject, page=PageRequest(size=2))
        rest = supervision.find_facts_about(
            tx, subject=subject, page=PageRequest(size=2, after=page.next)
        )
        text = supervision.bundle_of(tx, seen.logs, (subject, hold))
    kinds = {"supervision.case.opened", "supervision.case.held", "trust.hold.placed"}
    assert (len(page.items), len(rest.items), rest.next) == (2, 1, None)
    report = bundles.verify_bundle(text, keys=[seen.key.verifier])
    assert {one.entry.kind for one in report.facts} == kinds
    assert report.disclosures
    bent = text.replace(ARTICLE, ARTICLE.replace("四十四", "四十五"), 1)
    with pytest.raises(VerificationError):
        bundles.verify_bundle(bent, keys=[seen.key.verifier])
    with seen.database.reading(seen.buyer) as tx, pytest.raises(AccessDenied):
        supervision.bundle_of(tx, seen.logs, (subject,))
