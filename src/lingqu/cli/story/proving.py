# SPDX-License-Identifier: Apache-2.0
"""Step 8, prove and supervise: one bundle for a stranger, every flow and refusal, the month."""

from __future__ import annotations

import json
import subprocess
from datetime import date
from pathlib import Path

from lingqu import supervision
from lingqu.cli.doctor import NoVerifier, program_beside
from lingqu.cli.facts import logs_of, verify_command, wait_until_sequenced
from lingqu.cli.story.building import P2, P3
from lingqu.cli.story.contracting import contract_of
from lingqu.cli.story.stage import Scene, Stage
from lingqu.kernel import errors
from lingqu.kernel.paging import PageRequest
from lingqu.trust import log as logs

BUNDLE = "举证材料包-区划代码有效性核验合约.json"
MONTH = date(2026, 9, 1)
_PAGE = PageRequest(size=200)


class BundleDisproved(errors.Unavailable):
    """The bundle of a contract did not verify: this must never happen."""

    code = "cli.demo.bundle_disproved"


def see_flows(stage: Stage) -> None:
    """The regulator follows each use from its right to its money."""
    stage.on("2026-09-14")
    with stage.reading("regulator") as tx:
        for planned in (P3, P2):
            flows = supervision.find_flows(
                tx, page=_PAGE, contract=contract_of(stage, planned)
            ).items
            used = [one for one in flows if one.units]
            path = supervision.get_flow(tx, used[0].batch)
            stage.beat(
                "regulator",
                "prove.flow",
                name=f"prove.flow.{planned.key}",
                title=planned.title,
                batches=len(flows),
                units=sum(one.units for one in flows),
                refused=sum(one.refused for one in flows),
                chain=len(path.chain),
                parts=len(path.parts),
            )


def see_refused(stage: Stage) -> None:
    """Every refused attempt stands there, with code and article.

    What was cut off in the middle asks again and is refused again; it is the same attempt.
    """
    with stage.reading("regulator") as tx:
        found = supervision.find_refused(tx, page=_PAGE).items
    codes = {one.code for one in found}
    different = {(one.act, one.subject, one.grant, one.code) for one in found}
    stage.beat(
        "regulator",
        "prove.refused",
        attempts=len(different),
        kinds=len(codes),
        codes="、".join(sorted(codes)),
    )


def hand_over_bundle(stage: Stage) -> None:
    """Right, contract, use, charge and payout of one contract, verified by a stranger's program."""
    contract = contract_of(stage, P3)
    with stage.reading("regulator") as tx:
        known = supervision.find_facts_about(tx, subject=contract, page=_PAGE).items
    wait_until_sequenced(stage.run, stage.app, known)
    with stage.reading("regulator") as tx:
        text = supervision.bundle_of(tx, logs_of(stage.app), (contract,))
        key = str(logs.own_log(tx).keys[0].verifier)
    file = stage.write(BUNDLE, text.encode())
    words = verify_command(file, key)
    program = program_beside(words[0])
    if program is None:
        raise NoVerifier(program=words[0])
    ended = subprocess.run([str(program), *words[1:]], capture_output=True, timeout=60, check=False)
    if ended.returncode != 0:
        raise BundleDisproved(file=file.name)
    stage.beat(
        "regulator",
        "prove.bundle",
        file=file.name,
        kilobytes=len(text.encode()) // 1024,
        facts=len(json.loads(text)["leaves"]),
    )


def verify_bundle(file: Path, key: str) -> None:
    """This will let the stranger's program verify a bundle. Raises BundleDisproved, NoVerifier."""
    words = verify_command(file, key)
    program = program_beside(words[0])
    if program is None:
        raise NoVerifier(program=words[0])
    ended = subprocess.run([str(program), *words[1:]], capture_output=True, timeout=60, check=False)
    if ended.returncode != 0:
        raise BundleDisproved(file=file.name)


def report_month(stage: Stage) -> None:
    """The month's report comes out of the records, and comes out the same when added up again."""
    stage.on("2026-10-09")
    made = stage.do(
        "regulator",
        "month",
        supervision.make_report,
        report=stage.id(supervision.ReportId, "month"),
        month=MONTH,
        issuer=stage.party("regulator"),
    )
    with stage.reading("regulator") as tx:
        again = supervision.is_reproduced(tx, made)
        letter = supervision.report_paper(tx, made)
    stage.paper("监管月报-2026年9月.docx", letter)
    stage.write("监管月报-2026年9月.xlsx", supervision.write_report(made))
    stage.beat(
        "regulator",
        "prove.month",
        indicators=len(supervision.read_figures(made)),
        is_reproduced=int(again),
    )


SCENES: tuple[Scene, ...] = (see_flows, see_refused, hand_over_bundle, report_month)
"""The scenes of the eighth step."""
