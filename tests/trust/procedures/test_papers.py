# SPDX-License-Identifier: Apache-2.0
"""Documents of a procedure: the words are those of the step, and a story says that it is one."""

from datetime import date

import pytest

from lingqu.runtime import documents
from lingqu.trust import procedures
from lingqu.trust.procedures import records


@pytest.fixture
def told(desk):
    """A filing of which something is missing."""
    office = desk(date(2026, 9, 28))
    office.open("registration.property", opener="applicant")
    office.move(
        "ask_correction",
        "registrar",
        reason="缺少来源说明。\n缺少数据样例。",
        terms={"correction": 5},
    )
    return office


def paper(office, name, caller=None):
    with office.place.database.reading(caller or office.person("applicant")) as tx:
        return procedures.document_data(tx, procedure=office.procedure, document=name)


def test_the_one_time_notice_says_what_is_missing_until_when_and_by_which_article(told):
    found = paper(told, "correction_notice")
    assert found.template == "supplement"
    assert found.data["materials"] == ["缺少来源说明。", "缺少数据样例。"]
    assert found.data["issuer"] == "registrar"
    assert found.data["addressee"] == "applicant"
    assert found.data["due_on"] == "2026-10-10"
    assert "35号" in found.data["ground"]
    assert found.is_story
    assert found.sealers == (told.parties["registrar"],)
    made = documents.render(found.template, found.data, to=documents.Format.DOCX)
    assert made.content[:2] == b"PK"


def test_a_clock_writes_in_the_name_of_the_office_that_was_silent(told):
    told.move("correct", "applicant")
    told.go(date(2026, 10, 12))
    found = paper(told, "deemed_notice")
    assert found.data["step"] == "视为受理"
    assert found.data["issuer"] == "registrar"
    assert found.data["done_on"] == "2026-10-09"


def test_a_document_that_was_not_produced_is_not_there(told):
    for name in ("acceptance_notice", "no_such"):
        with pytest.raises(records.DocumentNotFound):
            paper(told, name)
    stranger = told.place.account()
    with pytest.raises(records.ProcedureNotFound):
        paper(told, "correction_notice", stranger)
