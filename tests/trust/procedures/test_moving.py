# SPDX-License-Identifier: Apache-2.0
"""Moving a procedure: only legal moves, only by who plays the role, only what was seen."""

from datetime import date

import pytest

from lingqu import trust
from lingqu.kernel import errors
from lingqu.runtime import new_id
from lingqu.trust import procedures
from lingqu.trust.procedures import Part, records

MONDAY = date(2026, 9, 7)


@pytest.fixture
def filed(desk):
    office = desk(MONDAY)
    office.open("registration.property", opener="applicant")
    return office


def test_a_move_changes_state_history_and_facts_and_the_audit_finds_them_so(filed):
    moved = filed.move("accept", "registrar", reason=None, files=())
    assert (moved.state, moved.turn, moved.version) == ("reviewing", "registrar", 2)
    (step,) = filed.view().steps
    assert (step.move, step.source, step.target, step.role) == (
        "accept",
        "submitted",
        "reviewing",
        "registrar",
    )
    assert step.party == filed.parties["registrar"]
    assert step.opinion == "同意。"
    (fact,) = filed.place.facts("trust.procedure.moved")
    assert fact["data"]["rule"] == "property.acceptance"
    assert "同意" not in str(filed.place.facts())
    assert filed.place.audit() == []


def test_an_illegal_move_is_refused_with_the_article_of_the_move(filed):
    with pytest.raises(records.IllegalMove) as refused:
        filed.move("record", "registrar")
    assert refused.value.article
    assert filed.state == "submitted"


@pytest.mark.parametrize("name", ["dance", "", "decision.sign"])
def test_a_move_the_chart_has_not_is_refused(filed, name):
    with pytest.raises(records.IllegalMove):
        filed.move(name, "registrar")


def test_only_who_plays_the_role_may_move(filed):
    with pytest.raises(records.WrongActor) as refused:
        filed.move("accept", "applicant")
    assert refused.value.parameters["role"] == "registrar"
    assert refused.value.article
    (fact,) = filed.place.facts("trust.command.refused")
    assert fact["data"]["code"] == "trust.procedure.wrong_actor"
    assert fact["data"]["article"] == refused.value.article


def test_nobody_makes_the_moves_of_the_clock(filed):
    with pytest.raises(records.WrongActor):
        filed.move("deem_accepted", "registrar")


def test_a_stranger_does_not_learn_of_a_procedure(filed):
    stranger = filed.place.account(role=trust.Role.MEMBER)
    with pytest.raises(records.ProcedureNotFound):
        filed.view(stranger)
    with pytest.raises(records.ProcedureNotFound):
        filed.place.do(
            procedures.move_procedure,
            stranger,
            procedure=filed.procedure,
            move="accept",
            version=1,
        )


def test_a_stale_version_is_a_conflict(filed):
    filed.move("accept", "registrar")
    with pytest.raises(records.StaleProcedure) as refused:
        filed.move("ask_evidence", "registrar", version=1)
    assert isinstance(refused.value, errors.Conflict)
    assert refused.value.parameters["version"] == 2


@pytest.mark.parametrize(
    ("missing", "refusal"),
    [
        ("opinion", records.OpinionMissing),
        ("reason", records.ReasonMissing),
    ],
)
def test_what_a_move_asks_for_must_be_given(filed, missing, refusal):
    filed.move("accept", "registrar")
    with pytest.raises(refusal):
        filed.move("refuse", "registrar", **{missing: None})
    with pytest.raises(records.BadProcedureText) as refused:
        filed.move("refuse", "registrar", **{missing: " \n"})
    assert refused.value.parameters["field"] == missing


def test_a_move_that_asks_for_a_file_needs_one(filed):
    filed.move("ask_correction", "registrar")
    with pytest.raises(records.AttachmentMissing):
        filed.move("correct", "applicant", files=())
    filed.move("correct", "applicant")
    again = procedures.GivenFile(name="材料.pdf", sha256="ab" * 32, size=9)
    with pytest.raises(records.TooManyAttachments):
        filed.move("accept", "registrar", reason=None, files=(again,) * 51)
    file = filed.view().attachments[-1]
    assert (file.name, file.sha256) == ("材料.pdf", "ab" * 32)
    assert filed.place.facts("trust.procedure.moved")[-1]["data"]["attachments"] == ["ab" * 32]


def test_notice_of_what_is_missing_is_given_once_for_one_filing(filed):
    filed.move("ask_correction", "registrar")
    filed.move("correct", "applicant")
    with pytest.raises(records.AlreadyGiven) as refused:
        filed.move("ask_correction", "registrar")
    assert refused.value.article
    assert "ask_correction" not in {
        one.name for one in filed.view(filed.person("registrar")).choices
    }


def test_a_new_filing_may_be_told_again_what_is_missing(desk):
    office = desk(MONDAY)
    text = TWO_FILINGS
    office.place.do(procedures.register_chart, chart=procedures.read_chart(text))
    clerk = office.person("clerk")
    office.procedure = new_id(procedures.ProcedureId)
    office.place.do(
        procedures.open_procedure,
        clerk,
        procedure=office.procedure,
        chart="test.two_filings",
        subject="x",
        title="x",
        owner=office.parties["clerk"],
        parts=(Part(role="clerk", party=office.parties["clerk"]),),
    )
    office.move("tell", "clerk")
    with pytest.raises(records.AlreadyGiven):
        office.move("tell", "clerk")
    office.move("again", "clerk")
    assert office.move("tell", "clerk").filing == 2


TWO_FILINGS = """
code = "test.two_filings"
edition = 1
label = { zh = "试", en = "test" }
initial = "open"
roles = [{ name = "clerk", label = { zh = "员", en = "clerk" } }]
states = [
  { name = "open", turn = "clerk", label = { zh = "办", en = "open" } },
  { name = "done", standing = "terminal", label = { zh = "毕", en = "done" } },
]

[[moves]]
name = "tell"
sources = ["open"]
target = "open"
actor = "clerk"
at_most = 1
label = { zh = "告", en = "tell" }

[[moves]]
name = "again"
sources = ["open"]
target = "open"
actor = "clerk"
new_filing = true
label = { zh = "再", en = "again" }

[[moves]]
name = "end"
sources = ["open"]
target = "done"
actor = "clerk"
label = { zh = "毕", en = "end" }
"""


def test_who_applies_cannot_also_decide(desk):
    office = desk(MONDAY)
    office.person("applicant")
    party = office.parties["applicant"]
    with pytest.raises(records.RolesNotApart):
        office.place.do(
            office.opening,
            office.person("applicant"),
            procedure=new_id(procedures.ProcedureId),
            chart="registration.property",
            subject="x",
            title="x",
            owner=party,
            parts=(Part(role="applicant", party=party), Part(role="registrar", party=party)),
        )


def test_the_one_who_begins_must_be_named(desk):
    office = desk(MONDAY)
    office.person("applicant")
    party = office.parties["applicant"]
    for parts in ((), (Part(role="cook", party=party),), (Part(role="applicant"),)):
        with pytest.raises(records.RoleNotNamed):
            office.place.do(
                office.opening,
                office.person("applicant"),
                procedure=new_id(procedures.ProcedureId),
                chart="registration.property",
                subject="x",
                title="x",
                owner=party,
                parts=parts,
            )


def test_an_id_is_used_once_and_an_unknown_chart_is_not_found(filed):
    more = {
        "procedure": filed.procedure,
        "subject": "x",
        "title": "x",
        "owner": filed.parties["applicant"],
        "parts": (Part(role="registrar", party=filed.parties["registrar"]),),
    }
    with pytest.raises(records.ProcedureExists):
        filed.place.do(
            filed.opening,
            filed.person("applicant"),
            chart="registration.property",
            **more,
        )
    with pytest.raises(records.ChartNotFound):
        filed.place.do(procedures.open_procedure, filed.person("applicant"), chart="none", **more)


def test_drafting_reviewing_and_signing_are_three_people_and_give_back(desk):
    office = desk(MONDAY)
    office.person("drafter")
    house = office.parties["drafter"]
    for role in ("reviewer", "signer"):
        office.person(role, house)
    office.procedure = new_id(procedures.ProcedureId)
    office.place.do(
        procedures.open_procedure,
        office.person("drafter"),
        procedure=office.procedure,
        chart="approval",
        subject="paper_1",
        title="关于开放荔枝数据的请示",
        owner=house,
        parts=tuple(Part(role=role, party=house) for role in ("drafter", "reviewer", "signer")),
    )
    office.move("present", "drafter")
    with pytest.raises(records.SamePerson):
        office.move("agree", "drafter")
    office.move("give_back", "reviewer", opinion="第二条请写明依据。")
    office.move("present", "drafter")
    office.move("agree", "reviewer")
    with pytest.raises(records.SamePerson):
        office.move("sign", "reviewer")
    office.move("send_back", "signer")
    office.move("present", "drafter")
    office.move("agree", "reviewer")
    signed = office.move("sign", "signer")
    assert signed.state == "issued"
    assert signed.ended_at is not None
    assert [step.opinion for step in office.view().steps][1] == "第二条请写明依据。"
    with pytest.raises(records.IllegalMove):
        office.move("present", "drafter")


def test_participants_are_named_and_released(filed):
    party = filed.parties["registrar"]
    clerk = filed.place.account(party)
    part = new_id(procedures.ParticipantId)
    filed.place.do(
        procedures.name_participant,
        filed.person("registrar"),
        participant=part,
        procedure=filed.procedure,
        role="registrar",
        party=party,
        account=clerk.account,
    )
    filed.people["clerk"] = clerk
    with pytest.raises(trust.AccessDenied):
        filed.place.do(
            procedures.name_participant,
            filed.person("applicant"),
            participant=new_id(procedures.ParticipantId),
            procedure=filed.procedure,
            role="registrar",
            party=filed.parties["applicant"],
        )
    with pytest.raises(records.RolesNotApart):
        filed.place.do(
            procedures.name_participant,
            participant=new_id(procedures.ParticipantId),
            procedure=filed.procedure,
            role="registrar",
            party=filed.parties["applicant"],
        )
    assert filed.move("accept", "clerk").state == "reviewing"
    filed.place.do(procedures.release_participant, participant=part)
    with pytest.raises(records.ParticipantNotFound):
        filed.place.do(procedures.release_participant, participant=part)
    with pytest.raises(records.ProcedureNotFound):
        filed.view(clerk)
    assert filed.place.audit() == []


def test_the_local_administrator_plays_only_roles_named_for_that_account(desk):
    office = desk(MONDAY)
    office.person("drafter")
    office.procedure = new_id(procedures.ProcedureId)
    local = trust.LOCAL_ADMINISTRATOR
    office.place.do(
        procedures.open_procedure,
        procedure=office.procedure,
        chart="approval",
        subject="x",
        title="x",
        owner=office.parties["drafter"],
        parts=(
            Part(role="drafter", account=local.account),
            Part(role="reviewer", party=office.parties["drafter"]),
        ),
    )
    office.people["local"] = local
    office.move("present", "local")
    with pytest.raises(records.WrongActor):
        office.move("agree", "local")


@pytest.mark.usefixtures("registries")
def test_a_matter_of_a_package_is_moved_by_its_commands_only(desk):
    office = desk(MONDAY)
    chart = procedures.read_chart(OWNED)
    office.place.do(procedures.register_chart, chart=chart)
    owner = office.place.party()
    procedure = new_id(procedures.ProcedureId)
    what = {
        "procedure": procedure,
        "chart": "test.owned",
        "subject": "contract_1",
        "title": "合约",
        "owner": owner,
        "parts": (Part(role="clerk", account=trust.LOCAL_ADMINISTRATOR.account),),
    }
    with pytest.raises(records.MadeElsewhere):
        office.place.do(procedures.open_procedure, **what)

    @trust.command("test.contract.sign")
    def sign(tx, *, contract: str) -> str:
        trust.authorize(tx, trust.Action.OPERATE, trust.Kind.PROCEDURE)
        procedures.begin_procedure(tx, **what)
        for step in ("offer", "take_effect"):
            procedures.advance_procedure(tx, procedure=procedure, move=step)
        return contract

    office.place.do(sign, contract="contract_1")
    office.procedure = procedure
    assert office.state == "effective"
    office.people["local"] = trust.LOCAL_ADMINISTRATOR
    with pytest.raises(records.MadeElsewhere):
        office.move("end", "local")
    with pytest.raises(records.MadeElsewhere):
        office.move("take_effect", "local")
    assert office.place.audit() == []


OWNED = """
code = "test.owned"
edition = 1
label = { zh = "试", en = "test" }
initial = "open"
through = "market"
roles = [{ name = "clerk", label = { zh = "员", en = "clerk" } }]
states = [
  { name = "open", turn = "clerk", label = { zh = "办", en = "open" } },
  { name = "offered", label = { zh = "要约", en = "offered" } },
  { name = "effective", label = { zh = "生效", en = "effective" } },
  { name = "ended", standing = "terminal", label = { zh = "毕", en = "ended" } },
]

[[moves]]
name = "offer"
sources = ["open"]
target = "offered"
actor = "clerk"
through = "market"
label = { zh = "要约", en = "offer" }

[[moves]]
name = "take_effect"
sources = ["offered"]
target = "effective"
actor = "platform"
label = { zh = "生效", en = "take effect" }

[[moves]]
name = "end"
sources = ["effective"]
target = "ended"
actor = "clerk"
through = "market"
label = { zh = "毕", en = "end" }
"""


def test_a_chart_is_registered_once_and_its_edition_never_changes(desk):
    office = desk(MONDAY)
    chart = procedures.read_chart(TWO_FILINGS)
    office.place.do(procedures.register_chart, chart=chart)
    with pytest.raises(records.ChartKnown):
        office.place.do(procedures.register_chart, chart=chart)
    with pytest.raises(records.ChartDiffers):
        office.place.do(
            procedures.register_chart, chart=procedures.read_chart(TWO_FILINGS.replace("试", "改"))
        )
    guarded = TWO_FILINGS.replace("initial", 'guards = ["no.such"]\ninitial').replace(
        "at_most = 1", 'guard = "no.such"'
    )
    unknown = procedures.read_chart(guarded.replace("edition = 1", "edition = 2"))
    with pytest.raises(records.GuardUnknown):
        office.place.do(procedures.register_chart, chart=unknown)
    with pytest.raises(trust.AccessDenied):
        office.place.do(procedures.register_chart, office.person("clerk"), chart=chart)


@pytest.mark.parametrize(
    "text",
    ["= 1", "code = 1", 'code = "x"', "embeds = 1", "\x00", 'embeds = [{chart = "none"}]'],
)
def test_what_is_no_chart_is_refused(text):
    with pytest.raises(errors.LingquError):
        procedures.read_chart(text)
