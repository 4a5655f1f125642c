# SPDX-License-Identifier: Apache-2.0
"""Division codes over the API, for everyone."""

import httpx
import pytest

BASE = "/api/v1/trust/divisions"


@pytest.fixture
def anyone(server):
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client


def test_a_code_is_read_with_its_place_and_its_story(anyone):
    answer = anyone.get(f"{BASE}/450110", params={"on": "2026-03-01"}).json()
    assert answer["division"]["name"] == "武鸣区"
    assert [one["name"] for one in answer["ancestors"]] == ["广西壮族自治区", "南宁市"]
    assert len(answer["children"]) == 13
    assert answer["changes"][0]["kind"] == "撤县设区"


def test_a_code_that_ended_is_refused_with_its_successor(anyone):
    answer = anyone.get(f"{BASE}/450122", params={"on": "2026-03-01"})
    assert (answer.status_code, answer.json()["code"]) == (422, "trust.division.ended")
    assert "450110 武鸣区" in answer.json()["title"]
    assert anyone.get(f"{BASE}/450122", params={"on": "2010-03-01"}).status_code == 200


def test_units_are_found_by_name_level_and_book(anyone):
    params = {"text": "镇", "within": "450702", "level": "town"}
    for book in ("civil_affairs", "statistics"):
        found = anyone.get(BASE, params=params | {"book": book}).json()["items"]
        assert found
        assert {one["level"] for one in found} == {"town"}


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [("/x", {}, 404), ("/45", {"on": "soon"}, 400), ("/45", {"book": "mine"}, 400),
     ("", {"level": "moon"}, 400), ("", {"within": "x"}, 404)],
)  # fmt: skip
def test_what_is_no_question_is_refused_in_words(anyone, path, params, status):
    answer = anyone.get(BASE + path, params=params)
    assert answer.status_code == status
    assert answer.json()["detail"]
