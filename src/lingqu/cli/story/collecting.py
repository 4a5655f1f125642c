# SPDX-License-Identifier: Apache-2.0
"""Step 1, collect: duties, resources, deliveries, what does not agree, and security levels."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from lingqu import supply, trust
from lingqu.cli.story.numbering import SCHEMA, TABLE, keep_numbering_database
from lingqu.cli.story.stage import Scene, Stage, slice_file
from lingqu.errands import deliver_file, deliver_source
from lingqu.runtime.calendar import national_table
from lingqu.runtime.settings import source_location
from lingqu.supply import Access, Description, Field, FieldKind, Frequency, Mode, collection


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


_CODE_BASIS = "《中华人民共和国统计法》及部门职能"
_BASIS = "部门职能"

DELIVERIES: tuple[Delivery, ...] = (
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
"""What the six bodies of the region's story deliver."""


def register_duties(stage: Stage) -> None:
    """Each body registers what it answers for, and describes the resource it delivers."""
    stage.on("2025-03-04")
    for one in DELIVERIES:
        duty = stage.id(supply.DutyId, one.table)
        stage.do(
            one.body,
            one.table,
            supply.register_duty,
            duty=duty,
            body=stage.party(one.body),
            item=one.item,
            basis=_BASIS,
            territory="45",
        )
        stage.do(
            one.body,
            one.table,
            supply.describe_resource,
            resource=resource_of(stage, one.table),
            duty=duty,
            description=_description(one),
        )
    for body in dict.fromkeys(one.body for one in DELIVERIES):
        titles = [one.title for one in DELIVERIES if one.body == body]
        stage.beat(
            body,
            "collect.duties",
            name=f"collect.duties.{body}",
            count=len(titles),
            titles="、".join(titles),
        )
    stage.beat(
        "bureau",
        "collect.catalog",
        bodies=len({one.body for one in DELIVERIES}),
        resources=len(DELIVERIES),
    )


def resource_of(stage: Stage, table: str) -> supply.ResourceId:
    """This will give the catalogued resource of a table."""
    return stage.id(supply.ResourceId, table)


def _description(one: Delivery) -> Description:
    free = one.opening is Access.UNCONDITIONAL
    return Description(
        title=one.title,
        summary=one.summary,
        frequency=Frequency.YEARLY,
        mode=one.mode,
        sharing=Access.UNCONDITIONAL,
        opening=one.opening,
        fields=tuple(
            Field(
                name=name,
                label=label,
                kind=FieldKind.TEXT,
                is_key=one.has_key and name == one.fields[0][0],
            )
            for name, label in one.fields
        ),
        reason="" if free else "涉及通信网络资源，按场景授权使用",
    )


def deliver_tables(stage: Stage) -> None:
    """Each body delivers; one resource is read where it lies, the others are handed over."""
    stage.on("2025-03-05")
    stage.write("holidays.csv", _holidays())
    for one in DELIVERIES:
        made = _deliver_logically(stage, one) if one.mode is Mode.LOGICAL else _deliver(stage, one)
        stage.beat(
            one.body,
            f"collect.delivered_{one.mode.value}",
            name=f"collect.delivered.{one.table}",
            title=one.title,
            rows=made.rows,
            rejected=made.rejected,
        )


def _deliver(stage: Stage, one: Delivery) -> collection.Load:
    file = stage.files / "holidays.csv" if one.table == "holidays" else slice_file(one.table)
    return deliver_file(
        stage.app,
        stage.caller(one.body),
        stage.id(trust.CommandId, f"deliver/{one.table}"),
        resource=resource_of(stage, one.table),
        name=file.name,
        content=file.read_bytes(),
    )


def _deliver_logically(stage: Stage, one: Delivery) -> collection.Load:
    """The body's own database stays where it is; the platform reads the columns it declared."""
    source = stage.id(collection.SourceId, one.table)
    keep_numbering_database(stage, source, source_location(stage.app.settings))
    stage.do(
        one.body,
        one.table,
        collection.register_source,
        source=source,
        resource=resource_of(stage, one.table),
        title=f"{one.title}（业务库）",
        kind=collection.SourceKind.POSTGRES,
        schema_name=SCHEMA,
        table_name=TABLE,
    )
    return deliver_source(
        stage.app,
        stage.caller(one.body),
        stage.id(trust.CommandId, f"deliver/{one.table}"),
        source=source,
    )


def _holidays() -> bytes:
    """The arrangement of holidays and make-up days that the program's calendar carries."""
    text = io.StringIO()
    write = csv.writer(text, lineterminator="\n")
    write.writerow(("day", "is_working", "title"))
    for one in national_table().days:
        write.writerow((one.day.isoformat(), "是" if one.is_working else "否", one.title_zh))
    return text.getvalue().encode()


def confirm_levels(stage: Stage) -> None:
    """A person of each body confirms the security level; what is not graded does not move."""
    stage.on("2025-03-26")
    for one in DELIVERIES:
        stage.do(
            one.body,
            one.table,
            supply.grade_resource,
            resource=resource_of(stage, one.table),
            level=one.level,
            reason="不含个人信息；公开渠道可得" if one.level == 1 else "汇聚后可反映网络资源分布",
        )
    levels = [one.level for one in DELIVERIES]
    stage.beat(
        "bureau",
        "collect.graded",
        resources=len(levels),
        first=levels.count(1),
        second=levels.count(2),
    )


GUANGXI: tuple[Scene, ...] = (register_duties, deliver_tables)
"""The scenes with which the region's first chapter begins."""
