# SPDX-License-Identifier: Apache-2.0
"""Step 2, authorise: scheme, decision, selection, agreement, filing, the operator's grant."""

from __future__ import annotations

import hashlib

from lingqu import gate, ledger, rights
from lingqu.cli.story.collecting import resource_of
from lingqu.cli.story.papers import AGREEMENT, SCHEME
from lingqu.cli.story.stage import Scene, Stage
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.rights import operation

CALLS = 1_000_000
"""How many calls the implementing body may give on."""
OPERATOR_CALLS = 400_000
TERM_MONTHS = 36
PURPOSES = ("governance", "industry.finance")


def columns_of(stage: Stage, *tables: str) -> tuple[str, ...]:
    """This will name the columns of tables as terms of a grant name them."""
    return tuple(
        sorted(
            f"{resource_of(stage, one.table)}.{name}"
            for one in stage.region.deliveries
            if one.table in tables
            for name, _ in one.fields
        )
    )


def begin_tree(stage: Stage) -> None:
    """The government lets the implementing body hold what is to be operated."""
    stage.on("2025-03-27")
    stage.do(
        "machine",
        "calls",
        ledger.register_currency,
        currency=gate.CALL,
        scale=0,
        name_zh="次",
        name_en="calls",
    )
    ground = stage.id(rights.GroundId, "decision")
    stage.do(
        "machine",
        "decision",
        rights.record_ground,
        ground=ground,
        kind=rights.GroundKind.DUTY,
        title="关于确定公共数据授权运营实施机构的决定（演示）",
        party=stage.party("government"),
        evidence=hashlib.sha256("关于确定公共数据授权运营实施机构的决定（演示）".encode()).digest(),
    )
    stage.do(
        "machine",
        "root",
        rights.issue_root,
        grant=stage.id(rights.GrantId, "root"),
        ground=ground,
        holder=stage.party(stage.region.implementer),
        kind=rights.GrantKind.HOLDING,
        terms=TermsForm(
            territories=ScopeForm(allowed=("china",)),
            fields=columns_of(stage, *stage.region.operated),
        ),
        quotas=(rights.Quantity(currency=gate.CALL, amount=CALLS),),
    )
    stage.beat("government", "authorise.root", resources=len(stage.region.operated), calls=CALLS)


def present_scheme(stage: Stage) -> None:
    """The scheme with its twelve items is decided on collectively and filed."""
    stage.on("2025-03-28")
    scheme = stage.id(operation.SchemeId, "scheme")
    consents = {one.body for one in stage.region.deliveries if one.table in stage.region.operated}
    drafted = stage.do(
        stage.region.implementer,
        "scheme",
        operation.draft_scheme,
        scheme=scheme,
        body=stage.party(stage.region.implementer),
        authority=stage.party("government"),
        department=stage.party(stage.region.department),
        plan=operation.Plan(
            title=SCHEME["name"],
            mode=operation.Mode.BY_SCENARIO,
            term_months=TERM_MONTHS,
            resources=tuple(resource_of(stage, table) for table in stage.region.operated),
            root=stage.id(rights.GrantId, "root"),
            items=tuple(rights.Statement(item=item, text=text) for item, text in SCHEME.items()),
            consents=tuple(
                operation.Consent(
                    body=stage.party(body),
                    evidence=hashlib.sha256(f"同意授权运营/{body}".encode()).digest(),
                )
                for body in sorted(consents)
            ),
        ),
    )
    stage.move(stage.region.implementer, drafted.procedure, "present")
    stage.beat(
        stage.region.implementer, "authorise.scheme", items=len(SCHEME), consents=len(consents)
    )
    stage.on("2025-04-08")
    minutes = stage.write("三重一大会议纪要（演示）.txt", "同意实施方案。\n".encode())
    stage.move(
        "government",
        drafted.procedure,
        "approve",
        opinion="经集体研究，同意该实施方案。",
        files=(minutes,),
    )
    stage.beat("government", "authorise.decided", edition=drafted.edition)
    stage.on("2025-04-10")
    stage.move(stage.region.department, drafted.procedure, "file")
    stage.letter(drafted.procedure, "filing_notice", "实施方案备案回执")
    stage.beat(stage.region.department, "authorise.scheme_filed")


def select_operator(stage: Stage) -> None:
    """The operator is selected by open tender, and the choice is published."""
    stage.on("2025-04-14")
    selection = stage.id(operation.SelectionId, "selection")
    opened = stage.do(
        stage.region.implementer,
        "selection",
        operation.open_selection,
        selection=selection,
        scheme=stage.id(operation.SchemeId, "scheme"),
        way=operation.Way.OPEN_TENDER,
    )
    stage.on("2025-04-21")
    minutes = stage.write("评审记录（演示）.txt", "综合评分第一名。\n".encode())
    stage.do(
        stage.region.implementer,
        "selection",
        operation.choose_operator,
        selection=selection,
        operator=stage.party("operator"),
        opinion="综合评分第一名，拟选定。",
        files=(stage.kept(minutes),),
    )
    stage.beat(stage.region.implementer, "authorise.chosen", operator=stage.cast["operator"].name)
    stage.on("2025-04-23")
    stage.clock(opened.procedure, "publicity", "authorise.publicity")
    stage.on("2025-04-25")
    stage.beat(stage.region.implementer, "authorise.selected")


def sign_agreement(stage: Stage) -> None:
    """Both sign the same thirteen items; filing the agreement issues the operator's grant."""
    stage.on("2025-04-27")
    agreement = stage.id(operation.AgreementId, "agreement")
    drafted = stage.do(
        stage.region.implementer,
        "agreement",
        operation.draft_agreement,
        agreement=agreement,
        selection=stage.id(operation.SelectionId, "selection"),
        offer=operation.Offer(
            title="区划代码等公共数据授权运营协议（演示）",
            term_months=TERM_MONTHS,
            resources=tuple(resource_of(stage, table) for table in stage.region.operated),
            terms=TermsForm(
                purposes=ScopeForm(allowed=PURPOSES),
                territories=ScopeForm(allowed=("china",)),
                fields=columns_of(stage, *stage.region.operated),
                level_max=2,
            ),
            items=tuple(rights.Statement(item=item, text=text) for item, text in AGREEMENT.items()),
            quotas=(rights.Quantity(currency=gate.CALL, amount=OPERATOR_CALLS),),
        ),
    )
    decision = stage.write("运营协议审议纪要（演示）.txt", "同意签订。\n".encode())
    stage.move(
        stage.region.implementer,
        drafted.procedure,
        "decide",
        opinion="同意签订运营协议。",
        files=(decision,),
    )
    for actor in (stage.region.implementer, "operator"):
        stage.do(actor, actor, operation.sign_agreement, agreement=agreement, digest=drafted.digest)
    stage.beat("operator", "authorise.signed", items=len(AGREEMENT), digest=drafted.digest.hex())
    stage.on("2025-05-08")
    grant = stage.id(rights.GrantId, "operator")
    filed = stage.do(
        stage.region.department,
        "agreement",
        operation.file_agreement,
        agreement=agreement,
        grant=grant,
        ground=stage.id(rights.GroundId, "agreement"),
        opinion="材料齐备，准予备案。",
    )
    assert filed.ends_at is not None, "an agreement in effect has a last day"
    stage.beat(
        stage.region.department,
        "authorise.granted",
        grant=grant,
        months=TERM_MONTHS,
        calls=OPERATOR_CALLS,
        until=f"{filed.ends_at:%Y-%m-%d}",
    )


def narrow_below(stage: Stage) -> None:
    """What the operator may not do is refused: a grant is never wider than the one above it."""
    refusal = stage.refused(
        "operator",
        "too wide",
        rights.issue_grant,
        grant=stage.id(rights.GrantId, "too wide"),
        parent=stage.id(rights.GrantId, "operator"),
        holder=stage.party("operator"),
        kind=rights.GrantKind.HOLDING,
        terms=TermsForm(),
    )
    stage.beat("operator", "authorise.refused", refusal=refusal.code, article=refusal.article or "")


SCENES: tuple[Scene, ...] = (
    begin_tree,
    present_scheme,
    select_operator,
    sign_agreement,
    narrow_below,
)
"""The scenes of the second step."""
