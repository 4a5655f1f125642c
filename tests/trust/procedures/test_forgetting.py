# SPDX-License-Identifier: Apache-2.0
"""Erasing a person empties their own words and leaves what was done (decision 0027)."""

from datetime import date

import pytest

from lingqu import trust
from lingqu.trust.procedures import GivenFile

MONDAY = date(2026, 3, 2)
OWN = ("我家住沙埠镇", "韦某的身体不好", "韦某的病历.pdf")
OFFICIAL = "经查，情况属实。"


@pytest.fixture
def complained(desk):
    office = desk(MONDAY)
    person = office.place.party("韦某", trust.PartyKind.PERSON)
    office.person("complainant", person)
    office.open("complaint", opener="complainant")
    file = GivenFile(name=OWN[2], sha256="cd" * 32, size=9)
    office.move("ask_supplement", "handler", opinion=None, reason="请补充。", files=())
    office.move("supplement", "complainant", opinion=OWN[0], reason=OWN[1], files=(file,))
    office.move("accept", "handler", opinion=OFFICIAL, reason=None, files=())
    return office, person


def test_a_persons_own_words_go_and_what_was_done_stays(complained):
    office, person = complained
    before, steps = office.place.everything(), office.view().steps
    for text in (*OWN, "灵山县荔枝产销数据", OFFICIAL):
        assert text in before
    office.place.do(trust.erase_party, party=person)
    after = office.place.everything()
    for text in (*OWN, "灵山县荔枝产销数据", "韦某"):
        assert text not in after
    assert OFFICIAL in after
    kept = office.view().steps
    told = [(one.move, one.source, one.target, one.role, one.day, one.rules) for one in steps]
    assert [(o.move, o.source, o.target, o.role, o.day, o.rules) for o in kept] == told
    assert (kept[1].opinion, kept[1].reason, kept[2].opinion) == (None, None, OFFICIAL)
    assert kept[0].reason == "请补充。"
    assert [one.sha256 for one in office.view().attachments] == ["cd" * 32]
    assert office.place.audit() == []


def test_the_application_still_cannot_change_a_step(complained):
    office, _ = complained
    with office.place.database.transaction(trust.PLATFORM) as tx:
        for table in ("trust.procedure_step", "trust.procedure_attachment"):
            row = tx.one("SELECT has_table_privilege(%s, 'UPDATE, DELETE') AS may", (table,))
            assert row["may"] is False


def test_an_organization_that_is_erased_leaves_its_records(desk):
    office = desk(MONDAY)
    office.open("approval", opener="drafter")
    office.move("present", "drafter", opinion=OFFICIAL, reason=None, files=())
    office.place.do(trust.erase_party, party=office.parties["drafter"])
    assert office.view().steps[0].opinion == OFFICIAL
