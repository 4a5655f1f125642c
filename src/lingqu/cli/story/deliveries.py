# SPDX-License-Identifier: Apache-2.0
"""The real tables of each story: who delivers them, and what is done with them in which region."""

from __future__ import annotations

from dataclasses import dataclass

from lingqu.supply import Access, Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One table: who delivers it, under which duty, what it is, and its security level.

    With `has_key` the first column tells its rows apart.
    """

    table: str
    body: str
    item: str
    title: str
    summary: str
    fields: tuple[tuple[str, str], ...]
    level: int = 1
    has_key: bool = True
    mode: Mode = Mode.PHYSICAL
    opening: Access = Access.UNCONDITIONAL


_GUANGXI: tuple[Delivery, ...] = (
    Delivery(
        table="nbs_towns",
        body="statistics",
        item="统计用区划代码（乡级）",
        title="统计用区划代码（乡级）",
        summary="国家统计局统计用区划代码，截至 2023-06-30，乡镇街道一级。",
        fields=(("code", "统计用区划代码"), ("name", "名称"), ("parent", "所属县级代码")),
    ),
    Delivery(
        table="nbs_counties",
        body="statistics",
        item="统计用区划代码（县级）",
        title="统计用区划代码（县级）",
        summary="国家统计局统计用区划代码，截至 2023-06-30，县级。",
        fields=(("code", "统计用区划代码"), ("name", "名称"), ("parent", "所属市级代码")),
    ),
    Delivery(
        table="mca_towns",
        body="civil_affairs",
        item="行政区划代码（乡级）",
        title="行政区划代码（乡级）",
        summary="民政部行政区划代码，2026 年 9 月获取，乡镇街道一级。",
        fields=(
            ("code", "行政区划代码"),
            ("name", "名称"),
            ("county", "所属县级代码"),
            ("county_name", "所属县级名称"),
        ),
    ),
    Delivery(
        table="mca_divisions",
        body="civil_affairs",
        item="行政区划代码（县级以上）",
        title="行政区划代码（县级以上）",
        summary="民政部行政区划代码，2026 年 9 月获取，省、市、县三级。",
        fields=(
            ("code", "行政区划代码"),
            ("name", "名称"),
            ("parent", "上级代码"),
            ("level", "级别"),
        ),
    ),
    Delivery(
        table="mca_changes",
        body="civil_affairs",
        item="行政区划变更情况",
        title="行政区划变更情况",
        summary="1980 年以来县级以上行政区划代码与名称的变更。",
        fields=(
            ("year", "年份"),
            ("kind", "变更类型"),
            ("old_code", "原代码"),
            ("old_name", "原名称"),
            ("new_code", "新代码"),
            ("new_name", "新名称"),
            ("document", "批准文件"),
        ),
        has_key=False,
    ),
    Delivery(
        table="area_codes",
        body="civil_affairs",
        item="历史区划代码",
        title="历史区划代码",
        summary="曾用于公民身份号码的区划代码与名称。",
        fields=(("code", "区划代码"), ("name", "名称")),
    ),
    Delivery(
        table="segments",
        body="communications",
        item="移动电话号段归属",
        title="移动电话号段归属",
        summary="移动电话号码前七位的归属城市与运营商；不含任何号码。",
        fields=(
            ("segment", "号段"),
            ("city", "归属城市"),
            ("operator", "电信运营商"),
            ("area_code", "电话区号"),
            ("post_code", "邮政编码"),
            ("district", "归属城市区划代码"),
        ),
        level=2,
        mode=Mode.LOGICAL,
        opening=Access.CONDITIONAL,
    ),
    Delivery(
        table="schools",
        body="education",
        item="高等学校名单",
        title="高等学校名单",
        summary="自治区内高等学校的名称、所在城市、办学层次与性质。",
        fields=(("school", "学校"), ("city", "所在城市"), ("level", "层次"), ("kind", "性质")),
    ),
    Delivery(
        table="stations",
        body="railway",
        item="铁路客运车站",
        title="铁路客运车站",
        summary="铁路客运车站的站名、电报码与所在城市。",
        fields=(
            ("station", "车站"),
            ("telecode", "电报码"),
            ("pinyin", "拼音"),
            ("city", "所在城市"),
        ),
        has_key=False,
    ),
    Delivery(
        table="holidays",
        body="general_office",
        item="节假日安排",
        title="节假日安排",
        summary="国务院办公厅公布的节假日与调休安排。",
        fields=(("day", "日期"), ("is_working", "是否上班"), ("title", "名称")),
    ),
)

_QINZHOU: tuple[Delivery, ...] = (
    *(one for one in _GUANGXI if one.table in {"nbs_towns", "mca_towns"}),
    Delivery(
        table="nbs_villages",
        body="statistics",
        item="统计用区划代码（村级）",
        title="统计用区划代码（村级）",
        summary="国家统计局统计用区划代码，截至 2023-06-30，村居一级。",
        fields=(("code", "统计用区划代码"), ("name", "名称"), ("parent", "所属乡级代码")),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """Where a story plays: the beginning of its codes, its tables, and which offices do what.

    `operated` are the tables whose resources are operated; `implementer` is the implementing body,
    `department` who files its scheme. Tables of the whole region are cut to `prefix`.
    """

    prefix: str
    deliveries: tuple[Delivery, ...]
    operated: tuple[str, ...]
    implementer: str
    department: str


GUANGXI = Region(
    prefix="45",
    deliveries=_GUANGXI,
    operated=(
        "nbs_towns",
        "mca_towns",
        "mca_divisions",
        "mca_changes",
        "area_codes",
        "segments",
    ),
    implementer="center",
    department="bureau",
)
"""The region: six bodies and their tables."""
QINZHOU = Region(
    prefix="4507",
    deliveries=_QINZHOU,
    operated=("nbs_towns", "mca_towns"),
    implementer="bureau",
    department="province",
)
"""The city: two bodies, and the towns and villages of its own codes."""
