# SPDX-License-Identifier: Apache-2.0
"""Step 3, build and register: products under closed policies, and the registry's clocks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date

from lingqu import gate, rights, trust
from lingqu.cli.story.authorizing import columns_of
from lingqu.cli.story.collecting import resource_of
from lingqu.cli.story.papers import REGISTRATION
from lingqu.cli.story.stage import Scene, Stage
from lingqu.errands import Opening, open_file, publish_product
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.rights import registry
from lingqu.supply import opening

EXACT, MEMBER = "city", "city_member"
VALID = "valid"
"""The predicates of the products: P2 has the first two, P3 the third."""
GUANGXI_PREFIX = "45"
VALUES, DAYS = 3, 30
"""So many different cities may be asked about one segment, in so many days."""
THRESHOLD = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One product: what it reads, what it may answer, and how many calls it may give on."""

    key: str
    form: gate.Form
    title: str
    summary: str
    tables: tuple[str, ...]
    calls: int


P2 = Planned(
    key="p2",
    form=gate.Form.VERIFICATION,
    title="移动号段归属核验",
    summary="号段是否归属所填城市：是或否；可按完整名称核验，也可按归属成员核验。不提供清单。",
    tables=("segments",),
    calls=200_000,
)
P3 = Planned(
    key="p3",
    form=gate.Form.VERIFICATION,
    title="区划代码有效性核验",
    summary="六位区划代码现行有效、从未有效，或曾经有效；曾经有效的附变更事件。",
    tables=("mca_divisions", "area_codes", "mca_changes"),
    calls=100_000,
)
COUNT = Planned(
    key="count",
    form=gate.Form.COUNT,
    title="号段分布统计",
    summary="按城市和运营商统计号段数；少于门限的合并或不显示。",
    tables=("segments",),
    calls=1_000,
)
TOWNS = Planned(
    key="towns",
    form=gate.Form.VERIFICATION,
    title="乡镇街道代码核验",
    summary="乡镇街道代码与名称是否相符：是或否。不提供清单。",
    tables=("mca_towns",),
    calls=50_000,
)
PRODUCTS = {"45": (P2, P3, COUNT), "4507": (TOWNS,)}
"""The products of each story, by the codes of its region."""


def policy_of(stage: Stage, planned: Planned) -> gate.Policy:
    """This will give the closed policy of a planned product."""
    if planned is COUNT:
        return gate.CountPolicy(
            resource=resource_of(stage, "segments"),
            entity="segment",
            dimensions=("city", "operator"),
            merged="operator",
            threshold=THRESHOLD,
        )
    if planned is P2:
        return _segment_policy(stage)
    if planned is TOWNS:
        return _town_policy(stage)
    return _code_policy(stage)


def _segment_policy(stage: Stage) -> gate.Policy:
    cities = gate.Relation(resource=resource_of(stage, "segments"), key="segment", value="city")
    return gate.VerificationPolicy(
        subject=gate.SubjectShape(characters=gate.Characters.DIGITS, shortest=7, longest=7),
        predicates=(
            gate.Predicate(name=EXACT, yes=(cities,)),
            gate.Predicate(name=MEMBER, yes=(cities,), matching=gate.Matching.MEMBERSHIP),
        ),
        enumeration=gate.Enumeration(values=VALUES, days=DAYS),
        sample=gate.Sample(least=20, most=200, altogether=400),
    )


def _town_policy(stage: Stage) -> gate.Policy:
    names = gate.Relation(resource=resource_of(stage, "mca_towns"), key="code", value="name")
    return gate.VerificationPolicy(
        subject=gate.SubjectShape(characters=gate.Characters.DIGITS, shortest=9, longest=9),
        predicates=(gate.Predicate(name=VALID, yes=(names,)),),
    )


def _code_policy(stage: Stage) -> gate.Policy:
    known, changes = resource_of(stage, "mca_divisions"), resource_of(stage, "mca_changes")
    return gate.VerificationPolicy(
        subject=gate.SubjectShape(characters=gate.Characters.DIGITS, shortest=6, longest=6),
        predicates=(
            gate.Predicate(
                name=VALID,
                yes=(gate.Relation(resource=known, key="code"),),
                once=(
                    gate.Relation(
                        resource=resource_of(stage, "area_codes"),
                        key="code",
                        prefix=GUANGXI_PREFIX,
                    ),
                ),
                evidence=(
                    gate.Evidence(
                        resource=changes,
                        key="old_code",
                        columns=("year", "kind", "old_name", "new_code", "new_name"),
                        prefix=GUANGXI_PREFIX,
                    ),
                ),
            ),
        ),
        sample=gate.Sample(least=20, most=200, altogether=400),
    )


CROSSWALK = "区划代码对照表（统计、民政）"


def open_crosswalk(stage: Stage) -> None:
    """P1: the lowest level, so it goes on the yearly list and is opened free, to everyone."""
    stage.on("2025-05-09")
    entry = stage.id(opening.OpenEntryId, "crosswalk")
    resource, year = resource_of(stage, "nbs_towns"), 2025
    stage.do(
        "statistics",
        "crosswalk",
        opening.propose_entry,
        entry=entry,
        year=year,
        territory=stage.region.prefix,
        resource=resource,
        criteria=("value", "urgent"),
        due_on=date(year, 6, 30),
    )
    stage.do("bureau", "crosswalk", opening.confirm_entry, entry=entry)
    stage.do("bureau", "crosswalk", opening.publish_list, year=year, territory=stage.region.prefix)
    stage.beat(
        "bureau",
        "build.listed",
        title=CROSSWALK,
        year=str(year),
        criteria="行业增值潜力显著、社会迫切需要",
    )
    made = open_file(
        stage.app,
        stage.caller("bureau"),
        stage.id(trust.CommandId, "open/crosswalk"),
        Opening(
            entry=entry,
            title=CROSSWALK,
            summary="县级代码加规范名称为键，统计用区划代码与行政区划代码逐个对照。",
            terms="无条件开放，注明来源",
            recipe=opening.Recipe.CROSSWALK,
            resource=resource,
            other=resource_of(stage, "mca_towns"),
            name="name",
            parent="parent",
            other_name="name",
            other_parent="county",
        ),
    )
    stage.beat(
        "bureau",
        "build.opened",
        title=made.title,
        rows=made.rows,
        kilobytes=made.size_bytes // 1024,
    )


def define_products(stage: Stage) -> None:
    """Each product has a grant of its own below the operator's, and a policy all can read."""
    stage.on("2025-05-12")
    for one in PRODUCTS[stage.region.prefix]:
        grant = grant_of(stage, one)
        stage.do(
            "operator",
            one.key,
            rights.issue_grant,
            grant=grant,
            parent=stage.id(rights.GrantId, "operator"),
            holder=stage.party("operator"),
            kind=rights.GrantKind.OPERATING,
            terms=TermsForm(
                purposes=ScopeForm(allowed=("governance", "industry.finance")),
                fields=columns_of(stage, *one.tables),
                level_max=2,
            ),
            quotas=(rights.Quantity(currency=gate.CALL, amount=one.calls),),
        )
        made = stage.do(
            "operator",
            one.key,
            gate.define_product,
            product=product_of(stage, one),
            grant=grant,
            form=one.form,
            title=one.title,
            summary=one.summary,
            policy=policy_of(stage, one),
        )
        stage.beat(
            "operator",
            "build.defined",
            name=f"build.defined.{one.key}",
            title=one.title,
            columns=len(gate.find_columns(gate.policy_of(made))),
            level=made.level,
        )


def publish_products(stage: Stage) -> None:
    """The confined engine builds what each product answers from: keyed hashes, never rows."""
    for one in PRODUCTS[stage.region.prefix]:
        made = publish_product(
            stage.app,
            stage.caller("operator"),
            stage.id(trust.CommandId, f"publish/{one.key}"),
            product=product_of(stage, one),
        )
        stage.beat(
            "operator",
            "build.counted" if one is COUNT else "build.snapshot",
            name=f"build.snapshot.{one.key}",
            title=one.title,
            records=made.records,
            threshold=THRESHOLD,
            kilobytes=made.bytes // 1024,
        )


def grant_of(stage: Stage, planned: Planned) -> rights.GrantId:
    """This will give the product grant of a planned product."""
    return stage.id(rights.GrantId, planned.key)


def product_of(stage: Stage, planned: Planned) -> gate.ProductId:
    """This will give the product of a planned product."""
    return stage.id(gate.ProductId, planned.key)


def apply_registrations(stage: Stage) -> None:
    """The implementing body registers the resources, the operator its products."""
    stage.on("2025-05-14")
    stage.do(
        "machine",
        "registrar",
        registry.name_registrar,
        registrar=stage.id(registry.RegistrarId, "registrar"),
        party=stage.party("registrar"),
        registry=registry.Registry.PUBLIC,
        area="45",
        number=1,
    )
    for name, applicant, kind, subject, grant, title in _applications(stage):
        file = stage.write(f"登记申请材料-{name}.txt", f"{title}\n".encode())
        stage.do(
            applicant,
            name,
            registry.apply_registration,
            registration=registration_of(stage, name),
            kind=kind,
            subject=subject,
            applicant=stage.party(applicant),
            registrar=stage.party("registrar"),
            title=title,
            summary=f"{title}（演示登记）",
            materials=tuple(
                rights.Statement(item=item, text=text) for item, text in REGISTRATION.items()
            ),
            evidence=hashlib.sha256(title.encode()).digest(),
            files=(stage.kept(file),),
            grant=grant,
            department=stage.party(stage.region.department),
        )
    stage.beat("operator", "build.applied", count=len(_applications(stage)))


_Application = tuple[str, str, registry.RegistrationKind, str, rights.GrantId, str]


def _applications(stage: Stage) -> tuple[_Application, ...]:
    table, title = (
        ("segments", "移动电话号段归属")
        if PRODUCTS[stage.region.prefix][0] is P2
        else ("mca_towns", "行政区划代码（乡级）")
    )
    resource = (
        table,
        stage.region.implementer,
        registry.RegistrationKind.RESOURCE,
        resource_of(stage, table),
        stage.id(rights.GrantId, "root"),
        title,
    )
    return (
        resource,
        *(
            (
                one.key,
                "operator",
                registry.RegistrationKind.PRODUCT,
                product_of(stage, one),
                grant_of(stage, one),
                one.title,
            )
            for one in PRODUCTS[stage.region.prefix]
        ),
    )


def registration_of(stage: Stage, name: str) -> registry.RegistrationId:
    """This will give the registration of a resource or product."""
    return stage.id(registry.RegistrationId, name)


def decide_registrations(stage: Stage) -> None:
    """Acceptance, review by three persons, publicity over a holiday, and the query code."""
    stage.on("2025-05-16")
    names = [application[0] for application in _applications(stage)]
    first = PRODUCTS[stage.region.prefix][0].key
    filed = {}
    for name in names:
        with stage.reading() as tx:
            filed[name] = registry.get_registration(tx, registration_of(stage, name)).procedure
    stage.clock(filed[first], "acceptance", "build.acceptance")
    for procedure in filed.values():
        stage.move("registrar", procedure, "accept")
    stage.beat("registrar", "build.accepted", count=len(filed))
    stage.letter(filed[first], "acceptance_notice", "受理通知书")
    stage.on("2025-05-23")
    stage.clock(filed[first], "review", "build.review")
    for procedure in filed.values():
        stage.move("registrar", procedure, "draft_decision")
        stage.move("registrar", procedure, "decision.present")
        stage.move(
            "registrar/reviewer", procedure, "decision.agree", opinion="材料齐全，同意公示。"
        )
        stage.move("registrar/signer", procedure, "decision.sign", opinion="同意。")
    stage.beat("registrar", "build.published", count=len(filed))
    stage.on("2025-06-03")
    stage.clock(filed[first], "publicity", "build.publicity")
    stage.on("2025-06-10")
    for name in names:
        coded = stage.do(
            "registrar",
            name,
            registry.code_registration,
            registration=registration_of(stage, name),
        )
        stage.beat(
            "registrar",
            "build.coded",
            name=f"build.coded.{name}",
            title=coded.title,
            query_code=coded.code or "",
        )
    stage.letter(filed[first], "result_notice", "登记结果通知书")


REGISTERED: tuple[Scene, ...] = (
    define_products,
    publish_products,
    apply_registrations,
    decide_registrations,
)
"""The scenes of every story's products."""
SCENES: tuple[Scene, ...] = (open_crosswalk, *REGISTERED)
"""The scenes of the region's third step."""
