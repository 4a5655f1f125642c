# SPDX-License-Identifier: Apache-2.0
"""What does not agree: the platform compares two official code books, and a body has to mend it."""

from __future__ import annotations

import io

from lingqu import errands, supply
from lingqu.cli.story.collecting import resource_of
from lingqu.cli.story.stage import Scene, Stage
from lingqu.trust import procedures

NOTICE, CLOSED = "整改通知书", "整改办结通知书"


def compare_books(stage: Stage, *, name: str, code: str = "collect.compared") -> errands.Seen:
    """This will compare the two books of towns, as whoever coordinates, and tell what was found."""
    seen = errands.look_at(
        stage.app,
        stage.caller("bureau"),
        errands.Look(
            kind=supply.FindingKind.COMPARISON,
            resource=resource_of(stage, "nbs_towns"),
            other=resource_of(stage, "mca_towns"),
            name="name",
            parent="parent",
            other_name="name",
            other_parent="county",
        ),
    )
    found = seen.comparison
    assert found is not None, "two tables were compared"
    stage.beat(
        "bureau",
        code,
        name=name,
        left_rows=found.left_rows,
        right_rows=found.right_rows,
        shared=found.shared_keys,
        conflicts=len(found.conflicts),
        swapped=found.swapped,
        matched=found.derived_matches,
        left_only=len(found.left_only),
        right_only=len(found.right_only),
        safe_key=found.safe_key.value,
    )
    return seen


def compare(stage: Stage) -> None:
    """County codes agree; town codes do not; five segments carry two cities."""
    stage.on("2025-03-06")
    counties = errands.look_at(
        stage.app,
        stage.caller("bureau"),
        errands.Look(
            kind=supply.FindingKind.COMPARISON,
            resource=resource_of(stage, "nbs_counties"),
            other=resource_of(stage, "mca_divisions"),
            name="name",
            parent="parent",
        ),
    ).comparison
    assert counties is not None, "two tables were compared"
    stage.beat(
        "bureau",
        "collect.counties",
        rows=counties.left_rows,
        shared=counties.shared_keys,
        conflicts=len(counties.conflicts),
    )
    towns = compare_books(stage, name="collect.compared")
    example = next(one for one in _conflicts(towns) if one.left_elsewhere is not None)
    stage.beat(
        "bureau",
        "collect.example",
        key=example.key,
        left=example.left_name,
        right=example.right_name,
        elsewhere=example.left_elsewhere or "",
    )
    segments = _two_cities(stage)
    stage.beat(
        "bureau",
        "collect.two_cities",
        count=segments.observation.faults,
        examples="、".join(segments.observation.examples),
    )


def _conflicts(seen: errands.Seen) -> tuple[supply.Conflict, ...]:
    assert seen.comparison is not None, "two tables were compared"
    return seen.comparison.conflicts


def _two_cities(stage: Stage) -> errands.Seen:
    return errands.look_at(
        stage.app,
        stage.caller("bureau"),
        errands.Look(
            kind=supply.FindingKind.ONE_VALUE,
            resource=resource_of(stage, "segments"),
            column="city",
        ),
    )


def feed_back(stage: Stage) -> None:
    """Both findings go to the body that answers, with a notice and a time to mend it."""
    stage.on("2025-03-07")
    towns = compare_books(stage, name="collect.again", code="collect.attached")
    assert towns.comparison is not None, "two tables were compared"
    book = io.BytesIO()
    supply.write_comparison(book, towns.comparison)
    sheet = stage.write("两表比对.xlsx", book.getvalue())
    open_finding(
        stage, "towns", towns.observation, "统计用区划代码与行政区划代码同码异名", "statistics"
    )
    segments = _two_cities(stage).observation
    open_finding(stage, "segments", segments, "一个号段填了两个城市", "communications")
    for name, demand in (
        ("towns", "乡级九位代码不得单独作为关联键；公布以县级代码加规范名称为键的对照表。"),
        ("segments", "填有两个城市的号段，逐条声明按成员归属核验。"),
    ):
        procedure = procedure_of(stage, name)
        stage.move("bureau", procedure, "feed_back", opinion=demand, files=(sheet,))
        stage.letter(procedure, "rectification_notice", f"{NOTICE}-{name}")
    stage.beat("bureau", "collect.fed_back", count=2, body=stage.cast["statistics"].name)


def open_finding(
    stage: Stage, name: str, observation: supply.Observation, title: str, responsible: str
) -> None:
    """This will record a finding, as whoever coordinates, against the body that answers."""
    stage.do(
        "bureau",
        name,
        supply.open_finding,
        finding=stage.id(supply.FindingId, name),
        observation=observation,
        title=title,
        inspector=stage.party("bureau"),
        responsible=stage.party(responsible),
        superior=stage.party("government"),
    )


def procedure_of(stage: Stage, name: str) -> procedures.ProcedureId:
    """This will give the rectification of a finding."""
    return procedures.ProcedureId.of(stage.id(supply.FindingId, name).uuid)


def mend(stage: Stage) -> None:
    """The bodies report what they mended; it is checked again, shared, and closed."""
    stage.on("2025-03-18")
    for name, body, told in (
        ("towns", "statistics", "已声明九位代码不作关联键，采用对照表。"),
        ("segments", "communications", "五条号段均为双归属，已声明按成员核验。"),
    ):
        procedure = procedure_of(stage, name)
        stage.clock(procedure, "rectification", f"collect.rectification.{name}")
        report = stage.write(f"整改报告-{name}.txt", f"{told}\n".encode())
        stage.move(body, procedure, "report", opinion=told, files=(report,))
        stage.beat(body, "collect.mended", name=f"collect.mended.{name}", told=told)
    stage.on("2025-03-20")
    for name in ("towns", "segments"):
        procedure = procedure_of(stage, name)
        stage.move("bureau", procedure, "pass", opinion="复核通过。")
        stage.move("bureau", procedure, "share", opinion="关联前先做两表比对。")
        stage.letter(procedure, "closing_notice", f"{CLOSED}-{name}")
    stage.beat("bureau", "collect.closed", count=2)


GUANGXI: tuple[Scene, ...] = (compare, feed_back, mend)
"""The scenes between the deliveries and the confirmed levels."""
