# SPDX-License-Identifier: Apache-2.0
"""The two registries: 发改数据规〔2025〕26号 and 国数综政策〔2026〕35号."""

from datetime import date, timedelta

import pytest
from offices import FILE, NAMES, Region, digest

from lingqu import rights, trust
from lingqu.kernel.paging import PageRequest
from lingqu.rights import registry
from lingqu.rights.registry.applying import GrantUnfit
from lingqu.rights.registry.registrars import RegistrarNotFound
from lingqu.runtime import documents, new_id
from lingqu.runtime.calendar import local_day
from lingqu.trust import procedures, rulebook
from lingqu.trust.identity.organizations import demonstration_code
from lingqu.trust.procedures import records


@pytest.fixture(scope="module")
def region(trust_server, place_type):
    place = place_type(trust_server)
    yield Region(place, date(2026, 3, 2))
    place.close()


def test_a_resource_is_registered_and_looked_up_by_its_code(region):
    """26号 第八条至第十五条."""
    made = region.apply("body")
    with pytest.raises(registry.RegistrationNotFound):
        region.read(registry.get_registration, made.id, role="other")
    with pytest.raises(registry.RegistrationOpen):
        region.apply("body")
    region.published(made)
    page = region.read(registry.find_published, page=PageRequest(size=10))
    assert [one.id for one in page.items] == [made.id]
    with pytest.raises(records.IllegalMove):
        region.do("registrar", registry.code_registration, registration=made.id)
    region.go(region.day + timedelta(days=30))
    with pytest.raises(trust.AccessDenied):
        region.do("body", registry.code_registration, registration=made.id)
    with pytest.raises(records.MadeElsewhere):
        region.move("registrar", made, "assign_code")
    made = region.do("registrar", registry.code_registration, registration=made.id)
    assert made.state is registry.RegistrationState.REGISTERED
    identity = demonstration_code(0)
    assert made.code[:23] == f"7{identity}4507"
    assert rulebook.evaluate("identifier.is_valid", code=made.code)
    assert local_day(made.valid_until) == date(2029, local_day(made.coded_at).month, 2)
    found = region.read(registry.find_by_code, f" {made.code.lower()} ")
    assert (found.id, found.is_in_force(made.coded_at)) == (made.id, True)
    with pytest.raises(registry.CodeUnknown):
        region.read(registry.find_by_code, made.code[:-1])
    entry = region.read(registry.public_entry, found)
    assert (entry.registrant, entry.in_force) == (NAMES["body"], True)
    sheet = region.read(registry.certificate_paper, made.id, link=f"http://127.0.0.1/{made.code}")
    assert sheet.data["number"] == made.code
    pdf = documents.render(sheet.template, sheet.data, to=documents.Format.PDF)
    assert pdf.content.startswith(b"%PDF")
    assert region.place.audit() == []


def test_materials_are_complete_and_told_once(region):
    """第九条第一项, 第十条: seven materials, one notice, all again."""
    subject = region.describe("provider", item="门牌地址")
    given = {"subject": subject, "title": "门牌地址"}
    some = region.items("registration.first_materials", but=("risk_assessment",))
    with pytest.raises(rights.StatementMissing) as refused:
        region.apply("provider", **given, materials=some)
    assert refused.value.parameters["title"] == "数据安全风险评估"
    with pytest.raises(registry.EvidenceMissing):
        region.apply("provider", **given, evidence=b"")
    with pytest.raises(registry.NotTheirs):
        region.apply("other", **given)
    with pytest.raises(RegistrarNotFound):
        region.apply("provider", **given, registrar=region.parties["other"])
    with pytest.raises(rights.texts.BadText):
        region.apply("provider", **(given | {"title": "门牌\u202e地址"}))
    made = region.apply("provider", **given)
    region.move("registrar", made, "ask_supplement")
    all_of_it = region.items("registration.first_materials")
    again = region.do(
        "provider",
        registry.supplement_registration,
        registration=made.id,
        materials=all_of_it,
        files=(FILE,),
    )
    assert again.state is registry.RegistrationState.SUBMITTED
    with pytest.raises(records.AlreadyGiven):
        region.move("registrar", made, "ask_supplement")


def test_an_objection_that_is_upheld_ends_it_and_it_may_be_applied_for_again(region):
    """第十二条: 异议成立的，应终止登记."""
    subject = region.describe("provider", item="婚姻登记")
    agreement = region.operated()
    with pytest.raises(registry.NotTheirs):
        region.apply("operator", subject=subject, title="婚姻登记", grant=agreement.grant)
    made = region.apply("provider", subject=subject, title="婚姻登记")
    early = {"registration": made.id, "reason": "x", "files": (FILE,)}
    with pytest.raises(registry.RegistrationNotFound):
        region.do(
            "other",
            registry.object_to_registration,
            objector=region.parties["other"],
            **early,
        )
    region.published(made)
    objection = {"registration": made.id, "reason": "来源有争议。", "files": (FILE,)}
    objector = {"objector": region.parties["other"]}
    moved = region.do("other", registry.object_to_registration, **objection, **objector)
    assert moved.state is registry.RegistrationState.OBJECTED
    region.move("registrar", made, "uphold")
    gone = region.read(registry.get_registration, made.id)
    assert gone.state is registry.RegistrationState.TERMINATED
    again = region.apply("provider", subject=subject, title="婚姻登记")
    region.published(again)
    with pytest.raises(records.RolesNotApart):
        region.do(
            "registrar",
            registry.object_to_registration,
            registration=again.id,
            reason="x",
            files=(FILE,),
            objector=region.parties["registrar"],
        )


def test_a_product_needs_its_grant_and_counts_no_longer_than_it(region):
    """第十五条: 以实际运营期限为准; 27号 第十六条: products are registered too."""
    agreement = region.operated(term_months=14)
    product = {"subject": "prd_1", "title": "区划代码核验", "kind": "product"}
    with pytest.raises(GrantUnfit):
        region.apply("operator", **product)
    with pytest.raises(GrantUnfit):
        region.apply("other", **product, grant=agreement.grant)
    grant = region.product_grant(agreement)
    made = region.registered("operator", **product, grant=grant)
    assert made.code.startswith("6")
    assert made.valid_until == agreement.ends_at
    assert made.grant == grant
    clock = next(
        one
        for one in region.read(procedures.get_procedure, made.procedure).clocks
        if one.name == "validity"
    )
    assert local_day(agreement.ends_at) - timedelta(days=31) <= clock.due_on


def test_a_change_is_published_before_it_counts_and_a_correction_needs_proof(region):
    """第九条第二项、第三项."""
    subject = region.describe("body", item="桥梁名录")
    made = region.registered("body", subject=subject, title="桥梁名录")
    change = {
        "registration": made.id,
        "kind": registry.ChangeKind.CHANGE,
        "title": "桥梁名录（含人行天桥）",
        "summary": "增加人行天桥。",
        "materials": region.items("registration.first_materials"),
        "evidence": digest("新存证"),
    }
    with pytest.raises(registry.changes.ChangedByOther):
        apply_change(region, "other", change)
    with pytest.raises(registry.changes.ProofMissing) as refused:
        apply_change(region, "other", change | {"kind": registry.ChangeKind.CORRECTION})
    assert "第九条" in refused.value.article
    wanted = apply_change(region, "body", change)
    region.move("registrar", wanted, "accept")
    region.move("registrar", wanted, "publish")
    assert region.read(registry.get_registration, made.id).title == "桥梁名录"
    region.go(region.day + timedelta(days=20))
    after = region.do("registrar", registry.record_change, change=wanted.id)
    assert (after.title, after.code) == ("桥梁名录（含人行天桥）", made.code)
    assert [one.id for one in region.read(registry.find_changes, registration=made.id)] == [
        wanted.id
    ]
    assert region.place.audit() == []


def apply_change(region, role, change):
    return region.do(
        role,
        registry.apply_change,
        change=new_id(registry.ChangeId),
        party=region.parties[role],
        **change,
    )


def test_property_is_registered_by_the_same_commands_and_numbered_by_the_month(region):
    """国数综政策〔2026〕35号 第十四条以下, 附件6."""
    region.go(max(region.day, date(2026, 7, 6)))
    keeper = region.registrar("property", number=3)
    with pytest.raises(registry.registrars.RegistrarTaken):
        region.registrar("property", number=4)
    codes = []
    for number in (1, 2):
        made = region.apply("other", "property", subject=f"own_{number}", title="物流轨迹")
        for move in ("accept", "publish"):
            region.move("registrar", made, move)
        region.go(region.day + timedelta(days=12))
        made = region.do("registrar", registry.code_registration, registration=made.id, months=24)
        codes.append(made.code)
        assert local_day(made.valid_until).year == local_day(made.coded_at).year + 2
    today = local_day(made.coded_at)
    assert codes[1] == f"SJ453{today.year}{today.month:02d}000{codes[1][-1]}"
    assert len(codes[1]) == 15
    with pytest.raises(registry.GovernmentData):
        region.apply("body", "property", subject=region.resource)
    with pytest.raises(rights.texts.BadText):
        region.apply("other", "property", subject="own_3", title="数" * 41)
    region.place.do(registry.end_registrar, registrar=keeper.id)
    with pytest.raises(RegistrarNotFound):
        region.apply("other", "property", subject="own_4", title="x")
    with pytest.raises(RegistrarNotFound):
        region.place.do(registry.end_registrar, registrar=keeper.id)


def test_a_registration_is_renewed_in_its_window_and_lapses_otherwise(region):
    """第十五条: 期满前 60 日内; 自上一届有效期满次日起计算; 期满未续展由登记机构注销."""
    subject = region.describe("body", item="路名")
    made = region.registered("body", subject=subject, title="路名")
    first = made.valid_until
    with pytest.raises(records.OutsideWindow):
        region.move("body", made, "apply_renewal")
    region.go(local_day(first) - timedelta(days=40))
    region.move("body", made, "apply_renewal")
    renewed = region.do(
        "registrar", registry.renew_registration, registration=made.id, opinion="同意续展。"
    )
    assert (renewed.code, renewed.coded_at) == (made.code, made.coded_at)
    assert local_day(renewed.valid_until).year == local_day(first).year + 3
    region.go(local_day(renewed.valid_until) + timedelta(days=1))
    gone = region.read(registry.find_by_code, made.code)
    assert gone.state is registry.RegistrationState.EXPIRED
    region.move("registrar", made, "strike_off")
    assert region.read(registry.find_by_code, made.code).state.value == "cancelled"
