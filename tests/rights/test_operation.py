# SPDX-License-Identifier: Apache-2.0
"""Authorised operation from the scheme to the operator's grant: 发改数据规〔2025〕27号."""

from datetime import date, timedelta

import pytest
from offices import FILE, Region, digest, only

from lingqu import rights, trust
from lingqu.kernel.lattice import TermsForm
from lingqu.kernel.time import Period
from lingqu.rights import operation, quantities
from lingqu.rights.quantities import Quantity
from lingqu.runtime import documents, new_id
from lingqu.trust import procedures


@pytest.fixture(scope="module")
def region(trust_server, place_type):
    place = place_type(trust_server)
    yield Region(place, date(2026, 3, 2))
    place.close()


def test_from_the_scheme_to_the_grant_of_the_operator(region):
    agreement = region.operated()
    assert agreement.state is operation.AgreementState.IN_EFFECT
    grant = region.read(rights.get_grant, agreement.grant)
    assert (grant.parent, grant.basis) == (region.root, agreement.ground)
    assert (grant.holder, grant.kind) == (region.parties["operator"], rights.GrantKind.OPERATING)
    form = rights.read_form(grant.effective)
    assert form.territories.allowed == ("450000",)
    assert form.valid == Period(agreement.effective_at, agreement.ends_at)
    (quota,) = region.read(quantities.get_quota, grant.id)
    assert quota.available == 100_000
    ground = region.read(rights.get_ground, agreement.ground)
    assert ground.evidence == agreement.digest
    assert "第十四条" in ground.articles[0]
    told = region.read(rights.explain_grant, grant.id)
    lines = "\n".join(rights.explanation_lines(told, "zh-CN"))
    assert agreement.digest.hex() in lines
    assert "第十四条" in lines
    assert region.place.audit() == []


def test_a_scheme_is_presented_with_all_twelve_items(region):
    """第九条: twelve items; 第五条: consent of bodies whose shared data it takes in."""
    plan = {"items": region.items("operation.scheme_items", but=("security", "other"))}
    scheme = region.draft_scheme(**plan)
    with pytest.raises(rights.StatementMissing) as refused:
        region.move("body", scheme, "present")
    assert refused.value.parameters["missing"] == 2
    assert "第九条" in refused.value.article
    foreign = region.describe("provider", item="婚姻登记")
    shared = {"resources": (region.resource, foreign)}
    region.do("body", operation.revise_scheme, scheme=scheme.id, plan=region.plan(**shared))
    with pytest.raises(operation.ConsentMissing) as refused:
        region.move("body", scheme, "present")
    assert "第五条" in refused.value.article
    consent = operation.Consent(body=region.parties["provider"], evidence=digest("同意函"))
    made = region.do(
        "body",
        operation.revise_scheme,
        scheme=scheme.id,
        plan=region.plan(**shared, consents=(consent,)),
    )
    assert made.edition == 3
    region.move("body", scheme, "present")
    with pytest.raises(rights.operation.schemes.SchemeNotDraft):
        region.do("body", operation.revise_scheme, scheme=scheme.id, plan=region.plan())


def test_a_large_change_repeats_the_procedure_and_nothing_is_done_meanwhile(region):
    """第十一条: 确需作较大变更的，应按原流程重新报请审议同意."""
    scheme = region.filed_scheme()
    region.move("body", scheme, "change")
    with pytest.raises(operation.SchemeNotFiled) as refused:
        region.selected(scheme, timedelta(0))
    assert "第十一条" in refused.value.article
    for who, what in (("body", "present"), ("authority", "approve"), ("department", "file")):
        region.move(who, scheme, what)
    assert region.read(operation.get_scheme, scheme.id).state is operation.SchemeState.FILED


def test_who_authorizes_is_not_the_operator_and_an_objection_begins_it_again(region):
    scheme = region.filed_scheme()
    selection = region.do(
        "body",
        operation.open_selection,
        selection=new_id(operation.SelectionId),
        scheme=scheme.id,
        way=operation.Way.NEGOTIATION,
    )
    choice = {"selection": selection.id, "opinion": "谈判。", "files": (FILE,)}
    for role in ("body", "authority", "department"):
        with pytest.raises(rights.operation.selections.OperatorUnfit):
            region.do("body", operation.choose_operator, operator=region.parties[role], **choice)
    chosen = {"operator": region.parties["operator"], "publicity_days": 5}
    region.do("body", operation.choose_operator, **choice, **chosen)
    with pytest.raises(rights.operation.selections.NothingSelected):
        region.draft_agreement(selection)
    objection = {"selection": selection.id, "reason": "评分有误。", "files": (FILE,)}
    region.do("other", operation.object_to_selection, objector=region.parties["other"], **objection)
    region.move("body", selection, "uphold")
    region.do("body", operation.choose_operator, **choice, **chosen)
    region.go(region.day + timedelta(days=10))
    (found,) = region.read(operation.find_selections, scheme=scheme.id)
    assert found.state is operation.SelectionState.SELECTED
    assert region.draft_agreement(selection).operator == region.parties["operator"]


def test_an_agreement_stays_inside_its_scheme_and_the_permitted_term(region):
    selection = region.selected(region.filed_scheme(), timedelta(days=14))
    with pytest.raises(operation.schemes.TermTooLong) as refused:
        region.draft_agreement(selection, term_months=61)
    assert refused.value.parameters["most"] == 60
    assert "第十四条" in refused.value.article
    with pytest.raises(operation.BeyondScheme):
        region.draft_agreement(selection, term_months=37)
    foreign = region.describe("provider", item="低保名册")
    with pytest.raises(operation.BeyondScheme):
        region.draft_agreement(selection, resources=(foreign,))


def test_both_sign_the_same_text_and_what_was_not_filed_gives_no_right(region):
    selection = region.selected(region.filed_scheme(), timedelta(days=14))
    some = region.items("operation.agreement_items", but=("dispute",))
    agreement = region.draft_agreement(selection, items=some)
    with pytest.raises(rights.StatementMissing):
        region.move("body", agreement, "decide")
    agreement = region.do(
        "body", operation.revise_agreement, agreement=agreement.id, offer=region.offer()
    )
    region.move("body", agreement, "decide")
    with pytest.raises(trust.AccessDenied):
        region.sign("operator", agreement)
    with pytest.raises(operation.OtherText):
        region.do(
            "body",
            operation.sign_agreement,
            agreement=agreement.id,
            digest=digest("another"),
        )
    region.sign("body", agreement)
    with pytest.raises(procedures.moving.IllegalMove):
        region.file(agreement)
    signed = region.sign("operator", agreement)
    parties = [one.party for one in signed.signed_by()]
    assert parties == [region.parties["body"], region.parties["operator"]]
    assert (signed.grant, signed.state) == (None, operation.AgreementState.SIGNED)
    with pytest.raises(operation.AgreementNotSignable):
        region.sign("body", agreement)
    with pytest.raises(trust.AccessDenied):
        region.file(agreement, role="body")
    assert region.file(agreement).grant is not None


def test_an_agreement_wider_than_the_right_of_its_body_gives_only_that_right(region):
    asked = TermsForm(territories=only("450000", "440000"), level_max=5)
    agreement = region.operated(terms=asked)
    grant = region.read(rights.get_grant, agreement.grant)
    own = rights.read_form(region.read(rights.get_grant, region.root).effective)
    assert own.territories.allowed == ("china",)
    assert rights.read_form(grant.effective).territories.allowed == ("440000", "450000")
    calls = (Quantity(currency="CALL", amount=10_000_000),)
    before = region.place.count("rights.grant")
    with pytest.raises(Exception, match="ledger"):
        region.operated(quotas=calls)
    assert region.place.count("rights.grant") == before


def test_ending_an_agreement_revokes_everything_below_it(region):
    agreement = region.operated()
    product = region.product_grant(agreement)
    region.do(
        "body",
        operation.end_agreement,
        agreement=agreement.id,
        cause=rights.RevocationCause.MISCONDUCT,
        opinion="经评估提前终止。",
        reason="超范围使用。",
    )
    found = region.read(rights.get_grant, product)
    life = region.read(rights.find_life, found)
    assert life.standing is rights.Standing.REVOKED
    assert "第十四条" in life.article
    assert region.read(operation.get_agreement, agreement.id).state.value == "ended"


def test_scheme_and_agreement_can_be_written_and_are_seen_by_those_they_concern(region):
    agreement = region.operated()
    sheets = (
        region.read(operation.scheme_paper, agreement.scheme),
        region.read(operation.agreement_paper, agreement.id),
    )
    for sheet in sheets:
        made = documents.render(sheet.template, sheet.data, to=documents.Format.DOCX)
        assert made.content
    assert len(sheets[0].data["clauses"]) == 12
    assert len(sheets[1].data["clauses"]) == 13
    assert sheets[1].data["digest"] == agreement.digest.hex()
    region.read(operation.get_agreement, agreement.id, role="operator")
    with pytest.raises(operation.AgreementNotFound):
        region.read(operation.get_agreement, agreement.id, role="other")
    with pytest.raises(operation.SchemeNotFound):
        region.read(operation.get_scheme, agreement.scheme, role="operator")
    assert region.place.audit() == []
