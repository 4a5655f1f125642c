# SPDX-License-Identifier: Apache-2.0
"""Step 6, use: the bank asks over HTTP with a program of its own; what is outside fails."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from lingqu import gate, rights, supervision
from lingqu.cli.story.building import COUNT, EXACT, MEMBER, P2, P3, Planned, grant_of, product_of
from lingqu.cli.story.collecting import resource_of
from lingqu.cli.story.contracting import PURPOSE, buyer_grant, guangxi_codes, own_segments
from lingqu.cli.story.stage import NotRefused, Scene, Stage, slice_file
from lingqu.gate import lists
from lingqu.kernel.lattice import ScopeForm, TermsForm
from lingqu.kernel.time import Period, parse_instant
from lingqu.trust import holds

BATCH = 1_000
CITIES = (
    "南宁", "柳州", "桂林", "梧州", "北海", "防城港", "钦州", "贵港", "玉林", "百色", "贺州",
    "河池", "来宾", "崇左",
)  # fmt: skip
EXAMPLE_CODE, EXAMPLE_SEGMENT = "450122", "1300069"
TRIAL_ENDS = parse_instant("2026-08-19T16:00:00Z")
OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the platform answered to a call: its answers, or code, reason and article."""

    status: int
    told: dict[str, Any]

    @property
    def answers(self) -> tuple[str, ...]:
        """The answers in the order of the subjects."""
        return tuple(str(one["answer"]) for one in self.told["answers"])


def ask(
    stage: Stage,
    name: str,
    planned: Planned,
    subjects: Iterable[tuple[str, str]],
    *,
    predicate: str = "",
    purpose: str = PURPOSE,
    grant: rights.GrantId | None = None,
    actor: str = "bank",
) -> Said:
    """This will let an actor's program make one call, and keep what it heard in its own log."""
    asked = tuple(subjects)
    call = stage.id(gate.CallId, name)
    status, told = stage.machine(actor)(
        "POST",
        "/api/v1/gate/calls",
        {
            "call": call,
            "grant": grant or buyer_grant(stage, planned),
            "product": product_of(stage, planned),
            "purpose": purpose,
            "predicate": predicate,
            "subjects": [{"key": key, "value": value} for key, value in asked],
        },
    )
    assert isinstance(told, dict), "the API answers in JSON"
    if actor == "bank" and status == OK:
        _log(stage, call, planned, told)
    return Said(status=status, told=told)


def _log(stage: Stage, call: gate.CallId, planned: Planned, told: dict[str, Any]) -> None:
    """What the bank writes down for itself: one line a call, kept once."""
    file = stage.files / CALL_LOG
    known = {line["call"] for line in read_call_log(stage)}
    if call in known:
        return
    line = {"call": call, "product": planned.key, "units": told["units"]}
    with file.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


CALL_LOG = "银行调用记录.jsonl"


def read_call_log(stage: Stage) -> tuple[dict[str, Any], ...]:
    """This will read the bank's own log of its calls; a line that a kill has cut is left out."""
    file = stage.files / CALL_LOG
    if not file.exists():
        return ()
    whole, _, _ = file.read_text(encoding="utf-8").rpartition("\n")
    return tuple(json.loads(line) for line in whole.splitlines())


def give_trials(stage: Stage) -> None:
    """The operator lets the bank try P3 for some days; one trial is taken back early."""
    stage.on("2026-08-10")
    for name in ("expiring", "revoked"):
        stage.do(
            "operator",
            name,
            rights.issue_grant,
            grant=stage.id(rights.GrantId, name),
            parent=grant_of(stage, P3),
            holder=stage.party("bank"),
            kind=rights.GrantKind.USING,
            terms=TermsForm(
                purposes=ScopeForm(allowed=(PURPOSE,)),
                valid=Period(parse_instant("2026-08-09T16:00:00Z"), TRIAL_ENDS)
                if name == "expiring"
                else None,
            ),
            quotas=(rights.Quantity(currency=gate.CALL, amount=10),),
        )
    stage.on("2026-08-14")
    stage.do(
        "operator",
        "revoked",
        rights.revoke_grant,
        grant=stage.id(rights.GrantId, "revoked"),
        cause=rights.RevocationCause.WITHDRAWN,
    )
    stage.beat("operator", "use.trials", count=2)


def verify_codes(stage: Stage) -> None:
    """P3: is this code valid, was it ever, and what became of it?"""
    stage.on("2026-09-01")
    one = ask(stage, "code", P3, [(EXAMPLE_CODE, "")])
    answer = one.told["answers"][0]
    event = answer["evidence"][0]
    stage.beat(
        "bank",
        "use.once",
        key=EXAMPLE_CODE,
        answer=answer["answer"],
        was=event["old_name"],
        year=event["year"],
        new_code=event["new_code"],
        new_name=event["new_name"],
    )
    many = ask(stage, "codes", P3, [(code, "") for code in [*guangxi_codes(), "459999"]])
    stage.beat(
        "bank",
        "use.codes",
        asked=len(many.answers),
        yes=many.answers.count("yes"),
        once=many.answers.count("once"),
        no=many.answers.count("no"),
        explained=sum(bool(one["evidence"]) for one in many.told["answers"]),
    )


def verify_segments(stage: Stage) -> None:
    """P2: the bank's whole file, under the exact name and under declared membership."""
    stage.on("2026-09-02")
    own = own_segments()
    for predicate, code in ((EXACT, "use.exact"), (MEMBER, "use.member")):
        answers: list[str] = []
        for number, start in enumerate(range(0, len(own), BATCH)):
            part = own[start : start + BATCH]
            answers += ask(stage, f"{predicate}/{number}", P2, part, predicate=predicate).answers
        stage.beat(
            "bank",
            code,
            asked=len(answers),
            calls=-(-len(own) // BATCH),
            yes=answers.count("yes"),
            no=answers.count("no"),
        )


def reconcile(stage: Stage) -> None:
    """The provider looks at the same list in its own table, for itself and labelled so."""
    with slice_file("buyer_segments").open(encoding="utf-8", newline="") as file:
        listed = tuple(
            gate.Subject(key=row["segment"], value=row["city"]) for row in csv.DictReader(file)
        )
    found = lists.reconcile_list(
        stage.app.database,
        stage.caller("communications"),
        resource=resource_of(stage, "segments"),
        key="segment",
        value="city",
        listed=listed,
        tables=stage.app.tables,
        engine=stage.app.engine,
    )
    most = found.pairs[0]
    stage.beat(
        "communications",
        "use.reconciled",
        side=found.side,
        common=found.common,
        changed=found.changed,
        pair=f"{most.theirs}→{most.ours}",
        pair_count=most.count,
    )


def refuse_outside(stage: Stage) -> None:
    """What is outside the right is refused, each with code, reason and article."""
    stage.on("2026-09-03")
    known = dict(own_segments())[EXAMPLE_SEGMENT]
    others = [(EXAMPLE_SEGMENT, city) for city in CITIES if city != known]
    _refuse(stage, "enumeration", ask(stage, "others", P2, others, predicate=EXACT), len(others))
    many = own_segments()[:BATCH]
    _refuse(stage, "quota", ask(stage, "too many", P2, many, predicate=EXACT), len(many))
    code = [(EXAMPLE_CODE, "")]
    _refuse(stage, "purpose", ask(stage, "logistics", P3, code, purpose="industry.logistics"), 1)
    for name in ("expiring", "revoked"):
        grant = stage.id(rights.GrantId, name)
        _refuse(stage, name, ask(stage, name, P3, code, grant=grant), 1)


def hold_and_free(stage: Stage) -> None:
    """The regulator holds the bank's grant, and frees it when the case is over."""
    case = stage.id(supervision.CaseId, "hold")
    grant = buyer_grant(stage, P3)
    stage.do(
        "regulator",
        "hold",
        supervision.open_case,
        case=case,
        kind=supervision.CaseKind.INSPECTION,
        subject=grant,
        summary="抽查：核对用途承诺与实际调用是否一致",
    )
    stage.do(
        "regulator",
        "hold",
        supervision.hold_from_case,
        case=case,
        hold=stage.id(holds.HoldId, "hold"),
        reason=holds.HoldReason.SUPERVISION,
        article=ARTICLE,
    )
    _await_decision(stage, is_allowed=False)
    _refuse(stage, "held", ask(stage, "held", P3, [(EXAMPLE_CODE, "")]), 1)
    stage.do("regulator", "freed", supervision.lift_from_case, case=case)
    stage.do("regulator", "freed", supervision.close_case, case=case, outcome="用途一致，恢复使用")
    _await_decision(stage, is_allowed=True)
    freed = ask(stage, "freed", P3, [(EXAMPLE_CODE, "")])
    stage.beat("regulator", "use.freed", answer=freed.answers[0])


def _await_decision(stage: Stage, *, is_allowed: bool) -> None:
    """Wait until the gate has heard of a hold or its end; asking how it would decide is free."""
    question = {
        "call": stage.id(gate.CallId, "explained"),
        "grant": buyer_grant(stage, P3),
        "product": product_of(stage, P3),
        "purpose": PURPOSE,
        "subjects": [{"key": EXAMPLE_CODE}],
    }

    def decided() -> bool:
        _, told = stage.machine("bank")("POST", "/api/v1/gate/explain", question)
        return isinstance(told, dict) and told.get("allowed") is is_allowed

    stage.wait_for(decided, "gate.explain")


ARTICLE = "《广西加快数据要素市场化改革实施方案》第7项（数据用途和用量控制制度）"


def count_segments(stage: Stage) -> None:
    """A count for public governance: small cells are merged, and no total gives them away."""
    grant = stage.id(rights.GrantId, "count/center")
    stage.do(
        "operator",
        "count/center",
        rights.issue_grant,
        grant=grant,
        parent=grant_of(stage, COUNT),
        holder=stage.party("center"),
        kind=rights.GrantKind.USING,
        terms=TermsForm(purposes=ScopeForm(allowed=("governance",))),
        quotas=(rights.Quantity(currency=gate.CALL, amount=10),),
    )
    said = ask(stage, "count", COUNT, (), purpose="governance", grant=grant, actor="center")
    released = said.told["released"]
    groups: Sequence[dict[str, Any]] = released["groups"]
    stage.beat(
        "center",
        "use.count",
        groups=len(groups),
        merged=sum(None in one["values"] for one in groups),
        smallest=min(one["entities"] for one in groups),
        threshold=released["threshold"],
        withheld=int(released["has_withheld"]),
        rule=released["rule"],
    )


def _refuse(stage: Stage, name: str, said: Said, subjects: int) -> None:
    if said.status == OK:
        raise NotRefused(command=f"gate.call/{name}")
    stage.beat(
        "bank",
        "use.refused",
        name=f"use.refused.{name}",
        what=stage.run.word(f"story.use.what.{name}"),
        subjects=subjects,
        refusal=str(said.told["code"]),
        reason=str(said.told.get("title", "")),
        article=str(said.told.get("article") or ""),
    )


SCENES: tuple[Scene, ...] = (
    give_trials,
    verify_codes,
    verify_segments,
    reconcile,
    refuse_outside,
    hold_and_free,
    count_segments,
)
"""The scenes of the sixth step."""
