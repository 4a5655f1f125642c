# SPDX-License-Identifier: Apache-2.0
"""A small region for the pages: bodies, a catalog, procedures in several states, grants, money."""

from __future__ import annotations

import dataclasses
from datetime import date, timedelta

from web_server import PASSWORD, Server

from lingqu import errands, ledger, rights, supply, trust
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.kernel.time import Period
from lingqu.rights import obligations, registry
from lingqu.runtime import Caller, new_id
from lingqu.supply import (
    Access,
    Description,
    Field,
    FieldKind,
    Frequency,
    Mode,
    collection,
    opening,
)
from lingqu.trust import Role, procedures, rulebook
from lingqu.trust.procedures import Part

BODIES = {
    "civil": "灵山县民政局",
    "operator": "钦州数据运营有限公司",
    "registrar": "广西公共数据资源登记中心",
    "bank": "北部湾银行钦州分行",
    "venue": "北部湾大数据交易中心",
}
PEOPLE = {
    "provider": ("civil", Role.PROVIDER),
    "officer": ("civil", Role.CHIEF_DATA_OFFICER),
    "operator": ("operator", Role.OPERATOR),
    "clerk": ("registrar", Role.CLERK),
    "reviewer": ("registrar", Role.REVIEWER),
    "buyer": ("bank", Role.BUYER),
    "venue": ("venue", Role.VENUE),
    "clearing": ("venue", Role.CLEARING),
}
RESOURCES = (
    ("行政区划代码", "县、乡镇、村三级行政区划的代码和名称，含历次变更。", Access.UNCONDITIONAL, 1),
    ("婚姻登记信息核验", "按身份证号核验婚姻登记状态，只回答是或否。", Access.CONDITIONAL, 3),
    ("低保对象名册", "享受最低生活保障的家庭与人员。", Access.NONE, 4),
    (
        "养老机构基本信息",
        "登记备案的养老机构名称、地址、床位数与评定等级。",
        Access.UNCONDITIONAL,
        None,
    ),
)


@dataclasses.dataclass(slots=True, kw_only=True)
class World:
    """The ids of what was made."""

    parties: dict[str, trust.PartyId]
    callers: dict[str, Caller]
    resources: list[supply.ResourceId]
    cases: list[procedures.ProcedureId]
    grants: list[rights.GrantId]
    account: ledger.LedgerAccountId
    load: collection.LoadId | None = None
    finding: supply.FindingId | None = None
    entry: opening.OpenEntryId | None = None
    elsewhere: opening.CatalogId | None = None


def build(server: Server) -> World:
    """Make the region through commands, on a server that runs."""
    parties = {name: new_id(trust.PartyId) for name in BODIES}
    for name, said in BODIES.items():
        kind = trust.PartyKind.ORGANIZATION
        server.execute(trust.register_party, party=parties[name], kind=kind, name=said)
    callers = _people(server, parties)
    resources = _catalog(server, parties["civil"])
    cases = _cases(server, parties, callers, resources)
    grants = _grants(server, parties)
    account = _money(server, parties, callers)
    return World(
        parties=parties,
        callers=callers,
        resources=resources,
        cases=cases,
        grants=grants,
        account=account,
    )


def build_supply(server: Server, world: World) -> None:
    """A delivery with rows that were not accepted, a finding, and a list with an open file."""
    resource, civil = world.resources[0], world.parties["civil"]
    head, rows = "xzqhdm,mc,sfzh,gxrq\n", "450721,灵山县,,2026-01-05\n450722,浦北县,,x\n"
    command = new_id(trust.CommandId)
    app, caller = server.app, trust.LOCAL_ADMINISTRATOR
    load = errands.deliver_file(
        app, caller, command, resource=resource, name="行政区划.csv", content=(head + rows).encode()
    )
    world.load = load.id
    look = errands.Look(kind=supply.FindingKind.FILLED, resource=resource, column="sfzh")
    seen = errands.look_at(app, caller, look)
    world.finding = new_id(supply.FindingId)
    server.execute(
        supply.open_finding,
        finding=world.finding,
        observation=seen.observation,
        title="证件号码未填写",
        inspector=server.party,
        responsible=civil,
    )
    world.entry, world.elsewhere = new_id(opening.OpenEntryId), new_id(opening.CatalogId)
    server.execute(
        opening.propose_entry,
        entry=world.entry,
        year=2026,
        territory="450721",
        resource=resource,
        criteria=("livelihood", "value"),
        due_on=date(2026, 12, 31),
    )
    server.execute(opening.confirm_entry, entry=world.entry)
    server.execute(opening.publish_list, year=2026, territory="450721")
    wanted = errands.Opening(
        entry=world.entry,
        title="行政区划代码表",
        summary="全县行政区划代码和名称。",
        terms="可自由使用、传播和再利用，请注明来源。",
        recipe=opening.Recipe.TABLE,
        resource=resource,
    )
    errands.open_file(app, caller, new_id(trust.CommandId), wanted)
    server.execute(
        opening.register_catalog,
        catalog=world.elsewhere,
        title="自治区公共数据开放平台",
        operator="自治区数据局",
    )
    server.execute(
        opening.write_catalog, catalog=world.elsewhere, base_url="https://lingqu.example"
    )


def _people(server: Server, parties: dict[str, trust.PartyId]) -> dict[str, Caller]:
    password = trust.hash_password(PASSWORD)
    callers = {}
    for login, (body, role) in PEOPLE.items():
        account = new_id(trust.AccountId)
        server.execute(
            trust.open_account,
            account=account,
            party=parties[body],
            kind=trust.AccountKind.PERSON,
            login=login,
            password=password,
        )
        server.execute(
            trust.assign_role,
            assignment=new_id(trust.AssignmentId),
            account=account,
            role=role,
            party=parties[body],
        )
        callers[login] = Caller(account=account, channel="web")
    return callers


def _catalog(server: Server, body: trust.PartyId) -> list[supply.ResourceId]:
    made = []
    for title, summary, opened, level in RESOURCES:
        duty, resource = new_id(supply.DutyId), new_id(supply.ResourceId)
        server.execute(
            supply.register_duty,
            duty=duty,
            body=body,
            item=title,
            basis="灵山县民政局“三定”规定第三条",
            territory="450721",
        )
        fields = (
            Field(
                name="xzqhdm",
                label="行政区划代码",
                kind=FieldKind.TEXT,
                meaning="GB/T 2260",
                is_key=True,
                level=1,
            ),
            Field(name="mc", label="名称", kind=FieldKind.TEXT),
            Field(name="sfzh", label="证件号码", kind=FieldKind.TEXT, is_personal=level == 4),
            Field(name="gxrq", label="更新日期", kind=FieldKind.DATE, meaning="最近一次核对的日期"),
        )
        described = Description(
            title=title,
            summary=summary,
            frequency=Frequency.MONTHLY,
            mode=Mode.PHYSICAL,
            sharing=Access.CONDITIONAL,
            opening=opened,
            fields=fields,
            reason="《中华人民共和国个人信息保护法》第三十四条",
        )
        server.execute(
            supply.describe_resource, resource=resource, duty=duty, description=described
        )
        if level is not None:
            server.execute(
                supply.grade_resource, resource=resource, level=level, reason="按分类分级指南确认"
            )
        made.append(resource)
    return made


def _do(server: Server, caller: Caller, what, **values):
    return trust.execute(server.app.database, what, caller, new_id(trust.CommandId), **values)


def _cases(server, parties, callers, resources) -> list[procedures.ProcedureId]:
    """Two registrations, the first accepted, and a complaint that waits for more from the bank."""
    server.execute(
        registry.name_registrar,
        registrar=new_id(registry.RegistrarId),
        party=parties["registrar"],
        registry=registry.Registry.PUBLIC,
        area="45",
        number=1,
    )
    cases = [
        _application(server, parties, callers, resources[place], RESOURCES[place][0])
        for place in range(2)
    ]
    _move(
        server, callers["clerk"], cases[0], "accept", opinion="材料齐全，符合法定形式，予以受理。"
    )
    complaint = new_id(procedures.ProcedureId)
    server.execute(
        procedures.open_procedure,
        procedure=complaint,
        chart="complaint",
        subject=resources[2],
        title="低保对象名册字段说明不清",
        owner=parties["bank"],
        parts=(
            Part(role="complainant", party=parties["bank"]),
            Part(role="handler", party=parties["registrar"]),
        ),
    )
    _move(
        server, callers["clerk"], complaint, "ask_supplement", reason="请附上具体的字段和查询结果。"
    )
    return [*cases, complaint]


def _application(server, parties, callers, resource, title) -> procedures.ProcedureId:
    with server.app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        items = rulebook.of(tx).items("registration.first_materials")
    content = server.app.blobs.put(b"%PDF-1.7 application", limit_bytes=1000)
    registration = new_id(registry.RegistrationId)
    made = _do(
        server,
        callers["provider"],
        registry.apply_registration,
        registration=registration,
        kind=registry.RegistrationKind.RESOURCE,
        subject=resource,
        applicant=parties["civil"],
        registrar=parties["registrar"],
        title=f"{title}首次登记",
        summary="按公共数据资源登记管理暂行办法申请首次登记。",
        materials=tuple(
            rights.Statement(item=one.code, text=f"{one.zh}：详见附件。") for one in items
        ),
        evidence=b"e" * 32,
        files=(
            procedures.GivenFile(name="登记申请表.pdf", sha256=content.sha256, size=content.size),
        ),
    )
    return made.procedure


def _move(server, caller, procedure, move, **given) -> None:
    with server.app.database.reading(caller) as tx:
        version = procedures.get_procedure(tx, procedure).procedure.version
    _do(
        server,
        caller,
        procedures.move_procedure,
        procedure=procedure,
        move=move,
        version=version,
        **given,
    )


def _grants(server, parties) -> list[rights.GrantId]:
    ground = new_id(rights.GroundId)
    server.execute(
        rights.record_ground,
        ground=ground,
        kind=rights.GroundKind.CONTRACT,
        title="灵山县民政数据授权运营协议",
        party=parties["civil"],
        evidence=b"e" * 32,
        articles=("发改数据规〔2025〕27号 第十三条",),
    )
    with server.app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        now, codes = tx.now, {one.tree.value: one.code for one in reversed(rights.find_codes(tx))}
    year = Period(start=now - timedelta(days=1), end=now + timedelta(days=365))
    purposes = ScopeForm(allowed=(codes["purposes"],))
    root, child, leaf = (new_id(rights.GrantId) for _ in range(3))
    server.execute(
        rights.issue_root,
        grant=root,
        ground=ground,
        holder=parties["civil"],
        kind=rights.GrantKind.HOLDING,
        terms=TermsForm(),
        quotas=(),
        duties=(),
    )
    server.execute(
        rights.issue_grant,
        grant=child,
        parent=root,
        holder=parties["operator"],
        kind=rights.GrantKind.OPERATING,
        terms=TermsForm(purposes=purposes, level_max=3, valid=year),
        quotas=(),
        duties=(
            obligations.Duty(
                kind=obligations.ObligationKind.REPORT,
                days=30,
                starts=obligations.ClockStart.ISSUED,
                article="运营协议第八条",
            ),
        ),
    )
    server.execute(
        rights.issue_grant,
        grant=leaf,
        parent=child,
        holder=parties["bank"],
        kind=rights.GrantKind.USING,
        terms=TermsForm(fields=("xzqhdm", "mc"), recipients=(str(parties["bank"]),), level_max=2),
        quotas=(),
        duties=(),
    )
    return [root, child, leaf]


def _money(server, parties, callers) -> ledger.LedgerAccountId:
    bank, venue = new_id(ledger.LedgerAccountId), new_id(ledger.LedgerAccountId)
    for account, owner, floor in ((bank, parties["bank"], None), (venue, parties["venue"], 0)):
        server.execute(
            ledger.open_account,
            account=ledger.NewAccount(id=account, owner=owner, kind="funds", floor=floor),
        )
    transfers = tuple(
        ledger.Transfer(
            id=new_id(ledger.TransferId),
            debit=bank,
            credit=venue,
            amount=amount,
            kind="fee",
            phase=ledger.Phase.POSTED,
            reference=f"对账单 2026-{place:02d}",
        )
        for place, amount in enumerate((12_345, 98_700, 45), start=1)
    )
    _do(server, callers["clearing"], ledger.submit_transfers, transfers=transfers)
    return venue
