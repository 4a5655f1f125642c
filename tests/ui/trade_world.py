# SPDX-License-Identifier: Apache-2.0
"""Step one of the story, done by commands: bodies, people, small tables that are loaded and graded.

What follows is played through the pages (`trade_story`).
"""

from __future__ import annotations

import dataclasses
from datetime import datetime

from stdnum.cn import uscc
from web_server import PASSWORD, Server

from lingqu import errands, ledger, supply, trust
from lingqu.kernel.time import parse_instant
from lingqu.runtime import Caller, new_id
from lingqu.runtime.calendar import LOCAL_TIME
from lingqu.supply import Access, Description, Field, FieldKind, Frequency, Mode
from lingqu.trust import Role, identity, procedures

BEGINS = parse_instant("2025-03-03T00:00:00Z")
BODIES = {
    "government": ("区人民政府（演示）", (Role.MEMBER, Role.PRICE_AUTHORITY)),
    "bureau": ("区数据局（演示）", (Role.IMPLEMENTER,)),
    "implementer": ("公共数据管理中心（演示）", (Role.IMPLEMENTER,)),
    "provider": ("通信管理局（演示）", (Role.PROVIDER, Role.CHIEF_DATA_OFFICER)),
    "operator": ("公共数据运营公司（演示）", (Role.OPERATOR, Role.MERCHANT)),
    "clerk": ("公共数据登记中心（演示）", (Role.CLERK,)),
    "price": ("发展改革委（演示）", (Role.PRICE_AUTHORITY,)),
    "venue": ("区域数据交易中心（演示）", (Role.VENUE,)),
    "bank": ("灵渠商业银行（演示）", (Role.BUYER,)),
    "treasury": ("财政厅（演示）", (Role.TREASURY,)),
    "regulator": ("数据流通监管机构（演示）", (Role.REGULATOR,)),
}
STAFF = {
    "reviewer": ("clerk", Role.REVIEWER),
    "signer": ("clerk", Role.REVIEWER),
    "cashier": ("venue", Role.CLEARING),
}
CITIES = ("钦州", "南宁", "柳州", "桂林")
SEGMENTS = tuple(
    (f"13{number:05d}", CITIES[number % len(CITIES)], "移动" if number % 3 else "联通")
    for number in range(48)
)
TITLE = "移动电话号段归属"


@dataclasses.dataclass(slots=True, kw_only=True)
class Region:
    """What the story begins with, and the clock it is told by."""

    server: Server
    parties: dict[str, trust.PartyId]
    callers: dict[str, Caller]
    resource: supply.ResourceId

    def name(self, body: str) -> str:
        """What a body is called."""
        return BODIES[body][0]

    def on(self, day: str, at: str = "09:00") -> None:
        """Move the story's clock forward to local time on a day; clocks that passed act."""
        to = datetime.fromisoformat(f"{day}T{at}").replace(tzinfo=LOCAL_TIME)
        self.server.execute(trust.move_story_clock, to=parse_instant(_utc(to)))
        procedures.fire_due_timers(self.server.app.database, trust.PLATFORM)

    def today(self) -> str:
        """The day the clock shows."""
        with self.server.app.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
            return f"{tx.now.astimezone(LOCAL_TIME):%Y-%m-%d}"


def _utc(moment: datetime) -> str:
    return f"{moment.astimezone(BEGINS.tzinfo):%Y-%m-%dT%H:%M:%SZ}"


def _code(number: int) -> str:
    """A code that is valid and nobody's."""
    head = f"12990000{number:09d}"
    return head + uscc.calc_check_digit(head)


def build(server: Server) -> Region:
    """Make bodies, people and one loaded, graded table, through commands."""
    parties = {name: new_id(trust.PartyId) for name in BODIES}
    for number, (name, (said, _)) in enumerate(BODIES.items(), start=1):
        server.execute(
            identity.register_organization,
            party=parties[name],
            name=said,
            kind=identity.OrganizationKind.PUBLIC_INSTITUTION,
            region="450000",
            code=_code(number),
        )
    callers = {}
    password = trust.hash_password(PASSWORD)
    people = {name: (name, roles) for name, (_, roles) in BODIES.items()}
    people |= {name: (body, (role,)) for name, (body, role) in STAFF.items()}
    for login, (body, roles) in people.items():
        account = new_id(trust.AccountId)
        party = parties[body]
        known = "supervisor" if login == "regulator" else login
        server.execute(
            trust.open_account, account=account, party=party, kind=trust.AccountKind.PERSON,
            login=known, password=password,
        )  # fmt: skip
        for role in roles:
            given = new_id(trust.AssignmentId)
            server.execute(
                trust.assign_role, assignment=given, account=account, role=role, party=party
            )
        callers[login] = Caller(account=account, channel="web")
    server.execute(
        ledger.register_currency, currency="CALL", scale=0, name_zh="次", name_en="calls"
    )
    made = Region(
        server=server, parties=parties, callers=callers, resource=new_id(supply.ResourceId)
    )
    _load(made)
    return made


def _load(region: Region) -> None:
    duty, caller = new_id(supply.DutyId), region.callers["provider"]
    server, body = region.server, region.parties["provider"]
    server.execute(
        supply.register_duty, duty=duty, body=body, item=TITLE, basis="“三定”规定", territory="45"
    )
    fields = tuple(
        Field(name=name, label=label, kind=FieldKind.TEXT, is_key=name == "segment")
        for name, label in (("segment", "号段"), ("city", "归属城市"), ("operator", "运营商"))
    )
    described = Description(
        title=TITLE,
        summary="移动电话号码前七位的归属城市与运营商；不含任何号码。",
        frequency=Frequency.YEARLY,
        mode=Mode.PHYSICAL,
        sharing=Access.UNCONDITIONAL,
        opening=Access.CONDITIONAL,
        fields=fields,
        reason="涉及通信网络资源，按场景授权使用",
    )
    server.execute(
        supply.describe_resource, resource=region.resource, duty=duty, description=described
    )
    rows = "".join(f"{','.join(one)}\n" for one in SEGMENTS)
    errands.deliver_file(
        server.app, caller, new_id(trust.CommandId), resource=region.resource,
        name="segments.csv", content=f"segment,city,operator\n{rows}".encode(),
    )  # fmt: skip
    server.execute(
        supply.grade_resource, resource=region.resource, level=2, reason="汇聚后可反映网络资源分布"
    )
