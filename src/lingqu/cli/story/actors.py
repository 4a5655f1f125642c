# SPDX-License-Identifier: Apache-2.0
"""Who plays in the story: bodies that do not exist, with codes that are valid and nobody's.

Every name stands in 〈…〉 and ends in （演示）. The unified social credit codes come from the range
that `trust.identity` keeps for demonstrations: registering region 990000, with the check character
of GB 32100-2015. The tables they deliver are real; each table's sidecar says which body published
it, and `plays` says which of these delivers it here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from lingqu.trust import Role
from lingqu.trust.identity import OrganizationKind, OrganizationLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """One body and the person who acts for it. `login` is set where a visitor may be that person.

    `staff` are further persons of the body, acting as `key/name`, with the same roles or with those
    named; `plays` names the tables of `cli/slices` that this body delivers in the story.
    """

    key: str
    name: str
    code: str
    kind: OrganizationKind
    level: OrganizationLevel | None
    region: str
    roles: tuple[Role, ...]
    login: str | None = None
    plays: tuple[str, ...] = ()
    staff: Mapping[str, tuple[Role, ...]] = field(default_factory=dict)

    @property
    def people(self) -> Mapping[str, tuple[Role, ...]]:
        """Everyone who acts for the body, by the names the stage knows, with their roles."""
        others = {f"{self.key}/{one}": roles or self.roles for one, roles in self.staff.items()}
        return MappingProxyType({self.key: self.roles, **others})


_GOVERNMENT = OrganizationKind.GOVERNMENT
_INSTITUTION = OrganizationKind.PUBLIC_INSTITUTION
_ENTERPRISE = OrganizationKind.ENTERPRISE


def _cast(*actors: Actor) -> Mapping[str, Actor]:
    made = {actor.key: actor for actor in actors}
    assert len(made) == len(actors), "an actor is named twice"
    return MappingProxyType(made)


def _office(
    key: str,
    name: str,
    code: str,
    place: tuple[OrganizationLevel, str],
    *roles: Role,
    login: str | None = None,
    plays: tuple[str, ...] = (),
    staff: Mapping[str, tuple[Role, ...]] = MappingProxyType({}),
    kind: OrganizationKind = _GOVERNMENT,
) -> Actor:
    level, region = place
    return Actor(
        key=key,
        name=f"〈{name}〉（演示）",
        code=code,
        kind=kind,
        level=None if kind is _ENTERPRISE else level,
        region=region,
        roles=roles,
        login=login,
        plays=plays,
        staff=staff,
    )


_REGION = (OrganizationLevel.PROVINCE, "450000")
_CITY = (OrganizationLevel.CITY, "450700")

GUANGXI = _cast(
    _office(
        "government",
        "自治区人民政府",
        "11990000000000001G",
        _REGION,
        Role.MEMBER,
        Role.PRICE_AUTHORITY,
    ),
    _office("bureau", "自治区数据局", "11990000000000002K", _REGION, Role.IMPLEMENTER),
    _office(
        "center",
        "自治区公共数据管理中心",
        "12990000000000016X",
        _REGION,
        Role.IMPLEMENTER,
        Role.PROVIDER,
        login="implementer",
        kind=_INSTITUTION,
    ),
    _office(
        "statistics",
        "自治区统计局",
        "11990000000000003N",
        _REGION,
        Role.PROVIDER,
        Role.CHIEF_DATA_OFFICER,
        login="provider",
        plays=("nbs_towns", "nbs_counties"),
    ),
    _office(
        "civil_affairs",
        "自治区民政厅",
        "11990000000000004R",
        _REGION,
        Role.PROVIDER,
        Role.CHIEF_DATA_OFFICER,
        plays=("mca_towns", "mca_divisions", "mca_changes", "area_codes"),
    ),
    _office(
        "communications",
        "自治区通信管理局",
        "11990000000000005W",
        _REGION,
        Role.PROVIDER,
        Role.CHIEF_DATA_OFFICER,
        plays=("segments",),
    ),
    _office(
        "education",
        "自治区教育厅",
        "119900000000000060",
        _REGION,
        Role.PROVIDER,
        Role.CHIEF_DATA_OFFICER,
        plays=("schools",),
    ),
    _office(
        "railway",
        "铁路客运单位",
        "129900000000000070",
        _REGION,
        Role.PROVIDER,
        Role.CHIEF_DATA_OFFICER,
        plays=("stations",),
        kind=_INSTITUTION,
    ),
    _office(
        "general_office",
        "自治区人民政府办公厅",
        "119900000000000086",
        _REGION,
        Role.PROVIDER,
        Role.CHIEF_DATA_OFFICER,
        plays=("holidays",),
    ),
    _office(
        "operator",
        "公共数据运营公司",
        "919900000000000091",
        _REGION,
        Role.OPERATOR,
        Role.MERCHANT,
        login="operator",
        kind=_ENTERPRISE,
    ),
    _office(
        "registrar",
        "公共数据登记中心",
        "12990000000000010B",
        _REGION,
        Role.CLERK,
        login="clerk",
        kind=_INSTITUTION,
        staff={"reviewer": (), "signer": ()},
    ),
    _office(
        "price_authority", "自治区发展改革委", "11990000000000011H", _REGION, Role.PRICE_AUTHORITY
    ),
    _office(
        "venue",
        "区域数据交易中心",
        "91990000000000012C",
        _REGION,
        Role.VENUE,
        login="venue",
        kind=_ENTERPRISE,
        staff={"cashier": (Role.CLEARING,)},
    ),
    _office(
        "bank",
        "灵渠商业银行",
        "91990000000000013F",
        _REGION,
        Role.BUYER,
        login="bank",
        kind=_ENTERPRISE,
    ),
    _office(
        "treasury", "自治区财政厅", "11990000000000014T", _REGION, Role.TREASURY, login="treasury"
    ),
    _office(
        "regulator",
        "数据流通监管机构",
        "11990000000000015X",
        _REGION,
        Role.REGULATOR,
        login="regulator",
    ),
)
"""The cast of the region's story; those with a login are one for each role a visitor can try."""

QINZHOU = _cast(
    _office(
        "government",
        "钦州市人民政府",
        "11990000000000031K",
        _CITY,
        Role.MEMBER,
        Role.PRICE_AUTHORITY,
    ),
    _office("province", "自治区数据局", "11990000000000002K", _REGION, Role.IMPLEMENTER),
    _office(
        "bureau",
        "钦州市数据局",
        "11990000000000032N",
        _CITY,
        Role.IMPLEMENTER,
        Role.MEMBER,
        login="officer",
        staff={"reviewer": (), "signer": ()},
    ),
    _office(
        "statistics",
        "钦州市统计局",
        "11990000000000033R",
        _CITY,
        Role.PROVIDER,
        Role.CHIEF_DATA_OFFICER,
        login="provider",
        plays=("nbs_towns", "nbs_villages"),
    ),
    _office(
        "civil_affairs",
        "钦州市民政局",
        "11990000000000034W",
        _CITY,
        Role.PROVIDER,
        Role.CHIEF_DATA_OFFICER,
        plays=("mca_towns",),
    ),
    _office(
        "operator",
        "钦州公共数据运营公司",
        "91990000000000035P",
        _CITY,
        Role.OPERATOR,
        Role.MERCHANT,
        login="operator",
        kind=_ENTERPRISE,
    ),
    _office(
        "registrar",
        "钦州公共数据登记点",
        "129900000000000360",
        _CITY,
        Role.CLERK,
        login="clerk",
        kind=_INSTITUTION,
        staff={"reviewer": (), "signer": ()},
    ),
    _office(
        "regulator",
        "钦州数据流通监管机构",
        "119900000000000376",
        _CITY,
        Role.REGULATOR,
        login="regulator",
    ),
)
"""The cast of the officer's story: a city without a venue of its own."""
