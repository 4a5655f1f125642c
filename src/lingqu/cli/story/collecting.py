# SPDX-License-Identifier: Apache-2.0
"""Step 1, collect: duties, resources, deliveries, what does not agree, and security levels."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from lingqu import supply, trust
from lingqu.cli.story.deliveries import Delivery
from lingqu.cli.story.numbering import SCHEMA, TABLE, keep_numbering_database
from lingqu.cli.story.stage import Scene, Stage, slice_file
from lingqu.errands import deliver_file, deliver_source
from lingqu.runtime.calendar import national_table
from lingqu.runtime.settings import source_location
from lingqu.supply import Access, Description, Field, FieldKind, Frequency, Mode, collection

WHOLE = "45"
"""The beginning of the codes that the tables were cut to when they were packed."""


def register_duties(stage: Stage) -> None:
    """Each body registers what it answers for, and describes the resource it delivers."""
    stage.on("2025-03-04")
    for one in stage.region.deliveries:
        duty = stage.id(supply.DutyId, one.table)
        stage.do(
            one.body,
            one.table,
            supply.register_duty,
            duty=duty,
            body=stage.party(one.body),
            item=one.item,
            basis="部门职能",
            territory=stage.region.prefix,
        )
        stage.do(
            one.body,
            one.table,
            supply.describe_resource,
            resource=resource_of(stage, one.table),
            duty=duty,
            description=_description(one),
        )
    for body in dict.fromkeys(one.body for one in stage.region.deliveries):
        titles = [one.title for one in stage.region.deliveries if one.body == body]
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
        bodies=len({one.body for one in stage.region.deliveries}),
        resources=len(stage.region.deliveries),
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
    for one in stage.region.deliveries:
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
    file = _file(stage, one)
    return deliver_file(
        stage.app,
        stage.caller(one.body),
        stage.id(trust.CommandId, f"deliver/{one.table}"),
        resource=resource_of(stage, one.table),
        name=file.name,
        content=file.read_bytes(),
    )


def _file(stage: Stage, one: Delivery) -> Path:
    """The table as the body hands it over: as it is, or cut to the codes of its city."""
    if one.table == "holidays":
        return stage.write("holidays.csv", _holidays())
    file = slice_file(one.table)
    if stage.region.prefix == WHOLE:
        return file
    first, *rows = file.read_text(encoding="utf-8").splitlines(keepends=True)
    own = "".join(row for row in rows if row.startswith(stage.region.prefix))
    return stage.write(file.name, (first + own).encode())


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
    for one in stage.region.deliveries:
        stage.do(
            one.body,
            one.table,
            supply.grade_resource,
            resource=resource_of(stage, one.table),
            level=one.level,
            reason="不含个人信息；公开渠道可得" if one.level == 1 else "汇聚后可反映网络资源分布",
        )
    levels = [one.level for one in stage.region.deliveries]
    stage.beat(
        "bureau",
        "collect.graded",
        resources=len(levels),
        first=levels.count(1),
        second=levels.count(2),
    )


SCENES: tuple[Scene, ...] = (register_duties, deliver_tables)
"""The scenes with which the first chapter begins."""
