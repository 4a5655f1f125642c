# SPDX-License-Identifier: Apache-2.0
"""What is opened to everyone is listed, lowest in level, traced to its loads, and found again."""

import csv
import datetime as dt
import io
import json
from collections import Counter
from dataclasses import replace

import pytest

from lingqu import supply, trust
from lingqu.kernel.errors import LingquError
from lingqu.kernel.paging import PageRequest
from lingqu.runtime import new_id
from lingqu.supply import Access, opening
from lingqu.trust import Role

DUE = dt.date(2026, 12, 31)


@pytest.fixture(scope="module")
def books(world):
    return world.slice("nbs_towns"), world.slice("mca_towns")


def proposed(world, resource, *, year=2026, territory="45", caller=trust.LOCAL_ADMINISTRATOR, **on):
    said = {"criteria": ("value", "livelihood"), "due_on": DUE.replace(year=year)} | on
    return world.place.do(
        opening.propose_entry,
        caller,
        entry=new_id(opening.OpenEntryId),
        year=year,
        territory=territory,
        resource=resource.id,
        **said,
    )


def listed(world, resource, **said):
    """A line of a published list."""
    entry = proposed(world, resource, **said)
    world.place.do(opening.confirm_entry, entry=entry.id)
    done = world.place.do(opening.publish_list, year=entry.year, territory=entry.territory)
    return next(one for one in done if one.id == entry.id)


def crosswalk(world, books):
    tables = tuple(world.table(one) for one in books)
    read = tuple(
        supply.open_book(
            table, tables=world.tables, engine=world.engine, name="name", parent=parent
        )
        for table, parent in zip(tables, ("parent", "county"), strict=True)
    )
    return opening.build_crosswalk(tables, read)


def made_of(built, **said):
    told = {
        "title": "乡镇编码对照表", "summary": "两套编码的对应关系", "terms": "注明来源即可使用",
        "name": "crosswalk.csv", "sha256": "0" * 64, "size_bytes": len(built.content),
        "rows": built.rows, "recipe": built.recipe, "lineage": built.lineage,
    }  # fmt: skip
    return opening.OpenFileMade(**(told | said))


def published(world, entry, made, caller=trust.LOCAL_ADMINISTRATOR):
    file = new_id(opening.OpenFileId)
    return world.place.do(opening.publish_file, caller, file=file, entry=entry.id, made=made)


def test_a_line_is_proposed_confirmed_and_published_as_a_list_of_its_year(world):
    body = world.place.party("〈统计局〉（演示）")
    own = world.place.account(body, role=Role.PROVIDER)
    bureau = world.place.account(role=Role.IMPLEMENTER)
    resource = world.resource(body=body)
    entry = proposed(world, resource, territory="4501", caller=own)
    assert (entry.criteria, entry.body) == (("livelihood", "value"), body)
    with pytest.raises(trust.AccessDenied):
        world.place.do(opening.confirm_entry, own, entry=entry.id)
    with pytest.raises(LingquError) as nothing:
        world.place.do(opening.publish_list, bureau, year=2026, territory="4501")
    assert nothing.value.code == "supply.opening.nothing"
    world.place.do(opening.confirm_entry, bureau, entry=entry.id)
    with pytest.raises(LingquError) as twice:
        world.place.do(opening.confirm_entry, bureau, entry=entry.id)
    assert twice.value.code == "supply.opening.state"
    (done,) = world.place.do(opening.publish_list, bureau, year=2026, territory="4501")
    assert done.state is opening.EntryState.PUBLISHED
    fact = world.place.facts("supply.opening.published")[-1]["data"]
    assert (fact["year"], fact["entries"]) == (2026, [entry.id])
    with world.place.database.reading() as tx:
        page = opening.find_entries(tx, page=PageRequest(), territory="4501")
    assert [one.id for one in page.items] == [entry.id]
    with pytest.raises(LingquError) as taken:
        proposed(world, resource, territory="4501", caller=own)
    assert taken.value.code == "supply.opening.taken"


def test_a_table_of_lines_is_proposed_as_a_whole_or_not_at_all(world):
    body = world.place.party("〈统计局〉（演示）")
    own = world.place.account(body, role=Role.PROVIDER)
    resources = [world.resource(body=body) for _ in range(3)]

    def line(resource, **changes):
        said = {"year": 2026, "territory": "4502", "criteria": ("value",), "due_on": DUE}
        return opening.NewEntry(
            id=new_id(opening.OpenEntryId), resource=resource.id, **(said | changes)
        )

    good = tuple(line(one) for one in resources)
    odd = (good[0], line(resources[1], territory="x"), good[2], line(resources[0]))
    with world.place.database.reading(own) as tx:
        wrong = opening.check_entries(tx, entries=odd)
        assert opening.check_entries(tx, entries=good) == ()
    codes = [(place, refusal.code) for place, refusal in wrong]
    assert codes == [(1, "supply.opening.bad"), (3, "supply.opening.taken")]
    for given in (odd, (), good * 400):
        with pytest.raises(LingquError):
            world.place.do(opening.propose_entries, own, entries=given)
    with world.place.database.reading() as tx:
        assert opening.find_entries(tx, page=PageRequest(), territory="4502").items == ()
    made = world.place.do(opening.propose_entries, own, entries=good)
    assert [one.resource for one in made] == [one.id for one in resources]
    stranger = world.place.account(role=Role.PROVIDER)
    with pytest.raises(trust.AccessDenied):
        world.place.do(
            opening.propose_entries, stranger, entries=(line(world.resource(body=body)),)
        )


@pytest.mark.parametrize(
    "wrong",
    [
        {"criteria": ()},
        {"criteria": ("pretty",)},
        {"criteria": ("value", "value")},
        {"due_on": DUE.replace(year=2027)},
        {"territory": "4"},
        {"year": 1999},
    ],
)
def test_a_line_without_a_criterion_of_the_rule_is_refused(world, wrong):
    with pytest.raises(LingquError) as caught:
        proposed(world, world.resource(), **wrong)
    assert caught.value.code == "supply.opening.bad"


def test_the_crosswalk_of_the_two_town_books_says_why_a_place_stands_alone(world, books):
    built = crosswalk(world, books)
    rows = list(csv.DictReader(io.StringIO(built.content.decode("utf-8-sig"))))
    standing = Counter(row["standing"] for row in rows)
    assert standing["same"] + standing["moved"] == 1249
    assert (standing["left_only"], standing["right_only"]) == (35, 8)
    assert len(rows) == built.rows == 1249 + 35 + 8
    assert all(bool(row["reason"]) == row["standing"].endswith("_only") for row in rows)
    assert [one.resource for one in built.lineage] == [one.id for one in books]
    assert crosswalk(world, books).content == built.content
    reasons = Counter(row["reason"] for row in rows if row["reason"])
    assert set(reasons) <= {"other_name", "not_listed", "parent_absent", "name_repeated"}


def test_a_crosswalk_names_each_reason(world):
    text = world.text
    left, right = (
        world.resource(text("code", key=True), text("name"), text("parent"), title=title)
        for title in ("左", "右")
    )
    world.load(left, "code,name,parent\n1,甲,a\n2,乙镇,a\n3,丙,a\n4,丁,z\n5,戊,a\n6,戊,a\n")
    world.load(right, "code,name,parent\n1,甲,a\n7,乙镇,a\n3,庚,a\n5,戊,a\n")
    tables = (world.table(left), world.table(right))
    read = tuple(
        supply.open_book(
            one, tables=world.tables, engine=world.engine, name="name", parent="parent"
        )
        for one in tables
    )
    found = list(
        csv.reader(io.StringIO(opening.build_crosswalk(tables, read).content.decode("utf-8-sig")))
    )
    assert found[1:] == [
        ["a", "丙", "3", "", "left_only", "other_name"],
        ["a", "乙镇", "2", "7", "moved", ""],
        ["a", "庚", "", "3", "right_only", "other_name"],
        ["a", "戊", "", "5", "right_only", "name_repeated"],
        ["a", "戊", "5", "", "left_only", "name_repeated"],
        ["a", "戊", "6", "", "left_only", "name_repeated"],
        ["a", "甲", "1", "1", "same", ""],
        ["z", "丁", "4", "", "left_only", "parent_absent"],
    ]


def test_a_file_is_opened_under_its_line_with_the_loads_it_was_made_from(world, books):
    entry = listed(world, books[0], territory="4502")
    built = crosswalk(world, books)
    file = published(world, entry, made_of(built))
    with world.place.database.reading() as tx:
        held = opening.get_file(tx, file.id)
        assert held == file
        assert opening.read_lineage(held) == built.lineage
        assert file.id in [one.id for one in opening.find_files(tx, page=PageRequest()).items]
    fact = world.place.facts("supply.open_file.published")[-1]["data"]
    assert [one["edition"] for one in fact["lineage"]] == [1, 1]
    world.place.do(opening.withdraw_file, file=file.id)
    with pytest.raises(LingquError) as again:
        world.place.do(opening.withdraw_file, file=file.id)
    assert again.value.code == "supply.open_file.withdrawn"
    with world.place.database.reading() as tx, pytest.raises(opening.OpenFileNotFound):
        opening.get_file(tx, file.id)
    assert world.place.audit() == []


def test_what_is_not_for_everyone_is_not_opened(world):
    text, content = world.text, "code,name\n1,甲\n"

    def refused(resource, entry, **said):
        table = world.table(resource)
        read = supply.read_loaded(table, tables=world.tables, engine=world.engine)
        built = opening.build_table(table, read)
        with pytest.raises(LingquError) as caught:
            published(world, entry, made_of(built, **said))
        return caught.value.code

    plain = world.resource()
    world.load(plain, content)
    pending = proposed(world, plain, territory="4503")
    assert refused(plain, pending) == "supply.opening.state"
    entry = listed(world, world.resource(), territory="4504")
    assert refused(plain, entry) == "supply.open_file.bad"
    world.place.do(opening.confirm_entry, entry=pending.id)
    world.place.do(opening.publish_list, year=2026, territory="4503")
    assert refused(plain, pending, terms=" ") == "supply.open_file.bad"
    older = opening.Ancestor(resource=plain.id, edition=0, digests=())
    assert refused(plain, pending, lineage=(older,)) == "supply.open_file.outdated"
    world.place.do(supply.grade_resource, resource=plain.id, level=2, reason="一般")
    assert refused(plain, pending) == "supply.open_file.not_for_everyone"
    personal = world.resource(text("code", key=True), replace(text("name"), is_personal=True))
    world.load(personal, content)
    line = listed(world, personal, territory="4505")
    assert refused(personal, line) == "supply.open_file.not_for_everyone"
    closed = world.resource(opening=Access.CONDITIONAL, reason="依申请")
    with pytest.raises(LingquError) as caught:
        proposed(world, closed)
    assert caught.value.code == "supply.opening.not_open"
    with world.place.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        file = new_id(opening.OpenFileId)
        with pytest.raises(LingquError) as planned:
            opening.plan_file(tx, file=file, entry=line.id, resource=personal.id)
    assert planned.value.code == "supply.open_file.not_for_everyone"


def test_several_catalogs_list_what_is_open_and_each_is_reconciled(world):
    resources = [world.resource(title=f"开放{number}") for number in range(3)]
    files = []
    for resource in resources:
        world.load(resource, "code,name\n1,甲\n")
        entry = listed(world, resource, territory="4506")
        table = world.table(resource)
        read = supply.read_loaded(table, tables=world.tables, engine=world.engine)
        files.append(published(world, entry, made_of(opening.build_table(table, read))))
    region, city = (
        world.place.do(
            opening.register_catalog,
            catalog=new_id(opening.CatalogId),
            title=title,
            operator="〈数据局〉（演示）",
        )
        for title in ("自治区公共数据开放平台", "市信用信息平台")
    )
    base = {"base_url": "https://open.example/"}
    written = world.place.do(opening.write_catalog, catalog=region.id, **base)
    document = json.loads(written.document)
    assert document["@type"] == "dcat:Catalog"
    (first,) = [one for one in document["dcat:dataset"] if one["dct:identifier"] == files[0].id]
    found = first["dcat:distribution"]
    place = f"https://open.example/api/v1/supply/open/{files[0].id}/content"
    assert found["dcat:downloadURL"] == {"@id": place}
    assert found["spdx:checksum"]["spdx:checksumValue"]["@value"] == files[0].sha256
    assert first["prov:wasDerivedFrom"][0]["dct:identifier"] == resources[0].id
    world.place.do(opening.write_catalog, catalog=city.id, **base)
    stranger = new_id(opening.OpenFileId)
    done = world.place.do(
        opening.reconcile_catalog,
        catalog=region.id,
        reported=(
            opening.Reported(file=files[0].id, accepted=True),
            opening.Reported(file=files[1].id, accepted=False, reason="缺少更新频率"),
            opening.Reported(file=stranger, accepted=True),
        ),
    )
    assert (done.acknowledged, done.rejected, done.unknown) == (1, 1, (stranger,))
    assert done.missing == written.files - 2
    with world.place.database.reading() as tx:
        here = {one.file: one for one in opening.find_catalog_entries(tx, region.id)}
        there = {one.file: one for one in opening.find_catalog_entries(tx, city.id)}
        assert {region, city} <= set(opening.find_catalogs(tx))
    assert here[files[1].id].reason == "缺少更新频率"
    assert [here[one.id].status.value for one in files] == ["acknowledged", "rejected", "missing"]
    assert {one.status for one in there.values()} == {opening.CatalogStatus.WRITTEN}
    again = world.place.do(opening.write_catalog, catalog=region.id, **base)
    assert again.document == written.document
    with world.place.database.reading() as tx:
        states = {one.status for one in opening.find_catalog_entries(tx, region.id)}
    assert states == {opening.CatalogStatus.WRITTEN}
    for reported in (
        (opening.Reported(file=files[0].id, accepted=False),),
        (opening.Reported(file=files[0].id, accepted=True),) * 2,
    ):
        with pytest.raises(LingquError) as caught:
            world.place.do(opening.reconcile_catalog, catalog=region.id, reported=reported)
        assert caught.value.code == "supply.catalog.bad"
    assert world.place.audit() == []


def test_a_catalog_is_written_only_where_something_is_open(place):
    catalog = place.do(
        opening.register_catalog,
        catalog=new_id(opening.CatalogId),
        title="目录",
        operator="〈数据局〉（演示）",
    )
    with pytest.raises(LingquError) as caught:
        place.do(opening.write_catalog, catalog=catalog.id, base_url="https://open.example")
    assert caught.value.code == "supply.catalog.nothing_open"
