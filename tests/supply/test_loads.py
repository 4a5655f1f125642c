# SPDX-License-Identifier: Apache-2.0
"""What bodies deliver is loaded exactly, once and whole; what is wrong is named by its row."""

import io
import json
import os
import signal
import subprocess
import sys
import time

import psycopg
import pytest

from lingqu import supply, trust
from lingqu.kernel.errors import LingquError
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.values import to_plain
from lingqu.runtime import documents, new_id
from lingqu.supply import FieldKind, Mode, collection
from lingqu.supply.collection import LoadMode
from lingqu.trust import Role

HEAD = "code,name\n"
TWO = HEAD + "450102001,民生街道\n450102002,朝阳街道\n"
HOSTILE = (
    "'; DROP TABLE supply.load; --",
    "<script>alert(1)</script>",
    "{{7*7}} ${7*7} %s %n {0}",
    "=cmd|'/c calc'!A1",
    "../../../../etc/passwd",
    "\u03a9\u2248\ufdfd\U0002070e \U0001f469\u200d\U0001f466 \u202edrow\u202c",
    "\ufeffzero\u200bwidth\u2028line",
    "NULL", "undefined", "NaN", "1E+02", "-1", "0x0", "１２３", "٠١٢",
    'quote " and \\ backslash',
    "a" * 5_000,
)  # fmt: skip


def workbook(*rows, heads=("code", "name")):
    columns = [documents.SheetColumn(name=head, zh=head, optional=True) for head in heads]
    target = io.BytesIO()
    documents.write_sheet(
        target,
        title="交付",
        columns=columns,
        rows=[dict(zip(heads, row, strict=True)) for row in rows],
    )
    return target.getvalue()


def refused(world, resource, content, **options):
    """The refusal of a delivery, after seeing that nothing of it was loaded."""
    with pytest.raises(LingquError) as caught:
        world.load(resource, content, **options)
    with world.place.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        assert collection.find_loads(tx, page=PageRequest(), body=resource.body).items == ()
    return caught.value


def aside(world, load):
    with world.place.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        found = collection.find_rejections(tx, load.id)
    return [(one.row, one.field, one.reason) for one in found]


def test_a_delivery_is_loaded_and_found_with_its_digest(world):
    resource = world.resource()
    with pytest.raises(supply.NotLoaded):
        world.table(resource)
    before = len(world.place.facts("supply.load.recorded"))
    made = world.load(resource, TWO)
    assert (made.rows, made.rejected, made.edition, made.encoding) == (2, 0, 1, "utf-8")
    table = world.table(resource)
    assert (table.version, table.rows, table.key, table.level) == (1, 2, ("code",), 1)
    assert [one.type for one in table.columns] == ["VARCHAR", "VARCHAR"]
    assert table.entity == "lingqu_entity"
    assert sorted(world.rows(resource)) == [
        ("450102001", "民生街道"),
        ("450102002", "朝阳街道"),
    ]
    fact = world.place.facts("supply.load.recorded")[before]["data"]
    assert (fact["content"], fact["rows"], fact["batch"]["count"]) == (made.content, 2, 1)
    assert json.loads(table.files[0].state)["columns"]["name"] == {"distinct": 2, "filled": 2}
    assert world.place.audit() == []


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8-sig"), ("gb18030", "gb18030"), ("utf-16", "utf-16")],
)
def test_the_encodings_of_offices_load_the_same_rows(world, encoding, name):
    resource = world.resource()
    made = world.load(resource, TWO.replace("\n", "\r\n").encode(encoding))
    assert (made.rows, made.encoding) == (2, name)
    assert ("450102001", "民生街道") in world.rows(resource)


def test_a_workbook_is_a_delivery_too_and_labels_are_headings(world):
    resource = world.resource()
    sheet = workbook(("450102001", "民生街道"), ("450102002", "="), heads=("代码", "名称"))
    made = world.load(resource, sheet, name="交付.xlsx")
    assert (made.rows, made.encoding) == (2, "xlsx")
    assert world.load(resource, "名称,code\n甲,1\n").edition == 2
    assert world.rows(resource) == (("1", "甲"),)


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b"", "supply.table.empty", {}),
        (b"code,name\n", "supply.table.empty", {}),
        (b"code,name\n1,a\n2,b,c\n", "supply.table.ragged_row", {"line": 3}),
        (b'code,name\n1,"a\n', "supply.table.broken_quotes", {"line": 2}),
        (b"code,name\n1,a\0b\n", "supply.table.not_text", {"line": 2}),
        (b"\xff\xfe\x00", "supply.table.encoding", {}),
        (b"\x81\x20\xff", "supply.table.encoding", {}),
        (b"code,,name\n1,2,3\n", "supply.table.unnamed_column", {}),
        (b"code,code\n1,2\n", "supply.table.duplicate_column", {}),
        (b"code\n1\n", "supply.load.columns", {"missing": "name"}),
        (b"code,name,phone\n1,a,13\n", "supply.load.columns", {"extra": "phone"}),
        (b"code,name\n,a\n", "supply.load.nothing_accepted", {"row": 2, "reason": "key_empty"}),
        (b"PK\x03\x04 no workbook", "runtime.documents.not_a_sheet", {}),
        (b"code,name\n1," + b"x" * 40_000 + b"\n", "supply.table.cell_too_long", {"line": 2}),
        (b",".join([b"c%d" % n for n in range(2_000)]), "supply.table.too_many_columns", {}),
    ],
)
def test_what_is_broken_is_refused_as_a_whole_with_its_line(world, content, code, told):
    refusal = refused(world, world.resource(), content)
    assert refusal.code == code
    assert told.items() <= refusal.parameters.items()


def test_absurd_sizes_are_refused_before_anything_is_read():
    few = supply.TableLimits(bytes=100, rows=2)
    for content in (b"code,name\n" + b"1,a\n" * 30, b"code,name\n1,a\n2,b\n3,c\n"):
        with pytest.raises(supply.BadTable):
            collection.read_delivery("x.csv", content, fields=(), limits=few)


def test_rows_that_break_the_description_are_set_aside_by_number(world):
    text = world.text
    resource = world.resource(
        text("code", key=True), text("people", kind=FieldKind.INTEGER),
        text("area", kind=FieldKind.DECIMAL), text("since", kind=FieldKind.DATE),
    )  # fmt: skip
    made = world.load(
        resource,
        "code,people,area,since\n1,10,1.5,2024-02-29\n2,三十七,,\n\n3,,,2023-02-29\n4,,1e3,\n,7,,\n"
        "5,,,\n6,,,\n5,1,,\n7,,,\n",
    )
    assert (made.rows, made.rejected) == (3, 6)
    assert aside(world, made) == [
        (3, "people", "type"),
        (5, "since", "type"),
        (6, "area", "type"),
        (7, "code", "key_empty"),
        (8, "code", "key_repeated"),
        (10, "code", "key_repeated"),
    ]
    assert sorted(row[0] for row in world.rows(resource)) == ["1", "6", "7"]
    stranger = world.place.account(role=Role.MEMBER)
    with (
        world.place.database.reading(stranger) as tx,
        pytest.raises(trust.AccessDenied),
    ):
        collection.find_rejections(tx, made.id)
    assert "三十七" not in json.dumps(world.place.facts(), ensure_ascii=False)
    assert world.place.audit() == []


def test_quarantine_that_was_changed_is_noticed(world):
    made = world.load(world.resource(), TWO + ",丙\n")
    world.place.sql("UPDATE supply.rejection SET cells = '[]' WHERE load = %s", (made.id,))
    found = [one for one in world.place.audit() if one.place == "supply.rejection"]
    assert [(one.key, one.expected) for one in found] == [(made.id, made.rejects)]
    world.place.sql("DELETE FROM supply.rejection WHERE load = %s", (made.id,))
    assert "supply.rejection" in [one.place for one in world.place.audit()]
    world.place.sql(
        "INSERT INTO supply.rejection VALUES (%s, 4, 'code', 'key_empty', '[\"\", \"丙\"]')",
        (made.id,),
    )
    assert world.place.audit() == []


def test_hostile_texts_are_kept_to_the_letter_or_refused(world):
    resource = world.resource()
    rows = [(str(number), one) for number, one in enumerate(HOSTILE)]
    made = world.load(resource, workbook(*rows), name="../" + HOSTILE[0] + ".xlsx")
    assert (made.rows, made.rejected) == (len(HOSTILE), 0)
    kept = dict(world.rows(resource))
    assert kept == {number: one.strip() for number, one in rows}
    for one in HOSTILE:
        try:
            made = world.place.do(
                collection.register_source,
                source=new_id(collection.SourceId),
                resource=resource.id,
                title=one,
                kind=collection.SourceKind.FILE,
            )
            assert made.title == one.strip()
        except collection.BadSource as refusal:
            assert not one.isprintable() or len(one) > 100, refusal  # noqa: PT017  # either is right


def test_added_rows_join_the_table_and_known_keys_stay_out(world):
    resource = world.resource()
    world.load(resource, TWO)
    more = world.load(
        resource, HEAD + "450102001,又一个\n450102003,新竹街道\n", mode=LoadMode.APPEND
    )
    assert (more.rows, more.edition) == (1, 2)
    assert aside(world, more) == [(2, "code", "key_known")]
    table = world.table(resource)
    assert (table.version, table.rows, len(table.files)) == (2, 3, 2)
    whole = world.load(resource, TWO)
    assert (whole.edition, world.table(resource).rows) == (3, 2)


def test_a_load_that_was_overtaken_is_refused_and_changes_nothing(world):
    resource, late = world.resource(), new_id(collection.LoadId)
    world.load(resource, TWO)
    landed = world.land(resource, "b.csv", b"code,name\n9,x\n", load=late, mode=LoadMode.APPEND)
    world.load(resource, HEAD + "8,y\n", mode=LoadMode.APPEND)
    with pytest.raises(collection.LoadOvertaken):
        world.place.do(
            collection.record_load, load=late, resource=resource.id, source=None, landed=landed
        )
    assert sorted(row[0] for row in world.rows(resource)) == ["450102001", "450102002", "8"]


CHILD = """
import json, os, signal, sys
from pathlib import Path
from lingqu.kernel.values import from_plain
from lingqu.runtime.engine import Engine
from lingqu.supply import Field, ResourceId, collection
told = json.loads(sys.argv[1])
fields = tuple(from_plain(Field, one) for one in told["fields"])
delivery = collection.read_delivery("a.csv", told["content"].encode(), fields=fields)
collection.land_delivery(
    delivery, load=collection.LoadId(told["load"]), resource=ResourceId(told["resource"]),
    fields=fields, mode=collection.LoadMode.REPLACE, current=None, tables=Path(told["tables"]),
    engine=Engine(folder=Path(told["engine"])), entity_key=b"e" * 32)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_between_both_commits_leaves_nothing_and_the_repeat_loads_once(world, tmp_path):
    resource, load = world.resource(), new_id(collection.LoadId)
    told = {
        "fields": to_plain(supply.read_fields(resource)),
        "content": TWO,
        "load": load,
        "resource": resource.id,
        "tables": str(world.tables),
        "engine": str(tmp_path),
    }
    done = subprocess.run([sys.executable, "-c", CHILD, json.dumps(told)], check=False)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(supply.NotLoaded):
        world.table(resource)
    made = world.load(resource, TWO, name="a.csv", load=load)
    (folder,) = (world.tables / resource.id).iterdir()
    assert len(list(folder.glob("*.parquet"))) == 1
    assert (world.table(resource).rows, made.edition) == (2, 1)
    with world.place.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        assert collection.plan_load(tx, load=load, resource=resource.id).done == made
    with pytest.raises(LingquError) as caught:
        world.load(resource, HEAD + "1,x\n", load=load)
    assert caught.value.code == "runtime.engine.load_differs"
    orphan = folder / f"part-{'0' * 64}-{'0' * 16}.parquet"
    orphan.write_bytes(b"left over")
    long_ago = time.time() - 3 * 24 * 3600
    os.utime(orphan, (long_ago, long_ago))
    world.load(resource, TWO)
    assert not orphan.exists()


def test_a_file_that_changed_or_went_is_noticed(world):
    resource = world.resource()
    made = world.load(resource, TWO)
    table = world.table(resource)
    path = table.sources(world.tables)[0].path
    content = path.read_bytes()
    path.chmod(0o600)
    path.write_bytes(content[:-1] + b"!")

    def changed():
        with world.place.database.reading() as tx:
            return [one for one in collection.check_files(tx, world.tables) if one[1] == made.id]

    (found,) = changed()
    assert (found[2], found[0].startswith("tables/res_")) == (table.files[0].digest, True)
    path.unlink()
    assert changed()[0][3] == ""
    path.write_bytes(content)
    assert changed() == []


def test_a_body_delivers_for_itself_and_nobody_else_does(world):
    body = world.place.party("〈本单位〉（演示）")
    own = world.place.account(body, role=Role.PROVIDER)
    stranger = world.place.account(role=Role.PROVIDER)
    resource, load = world.resource(body=body), new_id(collection.LoadId)
    landed = world.land(resource, "a.csv", TWO.encode(), load=load)
    said = {"load": load, "resource": resource.id, "source": None, "landed": landed}
    with pytest.raises(trust.AccessDenied):
        world.place.do(collection.record_load, stranger, **said)
    for caller, allowed in ((own, True), (stranger, False)):
        with world.place.database.reading(caller) as tx:
            if allowed:
                collection.plan_load(tx, load=load, resource=resource.id)
            else:
                with pytest.raises(trust.AccessDenied):
                    collection.plan_load(tx, load=load, resource=resource.id)
    assert world.place.do(collection.record_load, own, **said).loaded_by == own.account


def test_what_is_not_graded_loads_and_does_not_move(world):
    resource = world.resource(level=None)
    world.load(resource, TWO)
    assert world.table(resource).level is None
    with pytest.raises(supply.Ungraded):
        supply.require_level(resource)


@pytest.fixture
def live(world):
    """A table in a body's own PostgreSQL, and a connection that is no secret here."""
    world.place.sql("CREATE SCHEMA IF NOT EXISTS mca")
    world.place.sql("CREATE TABLE mca.towns (code text, name text, phone text)")
    world.place.sql("INSERT INTO mca.towns VALUES ('1', '甲', '13'), ('2', '乙', '14')")
    yield
    world.place.sql("DROP SCHEMA mca CASCADE")


def connected(folder, source, conninfo):
    folder.mkdir(exist_ok=True)
    file = folder / source.id
    file.write_text(conninfo)
    file.chmod(0o600)
    return collection.connect_source(folder, source)


def registered(world, resource, **said):
    return world.place.do(
        collection.register_source,
        source=new_id(collection.SourceId),
        resource=resource.id,
        title="民政区划库",
        **{"kind": collection.SourceKind.POSTGRES, **said},
    )


@pytest.mark.usefixtures("live")
def test_a_logical_source_is_read_where_it_lies_and_only_what_is_declared(world, tmp_path):
    resource = world.resource(mode=Mode.LOGICAL)
    source = registered(world, resource, schema_name="mca", table_name="towns")
    assert source.mode is Mode.LOGICAL
    admin = world.place.server.admin_conninfo
    conninfo = psycopg.conninfo.make_conninfo(admin, dbname=world.place.name)
    connection = connected(tmp_path / "sources", source, conninfo)
    fields = supply.read_fields(resource)
    delivery = collection.read_source(world.engine, source, connection, fields=fields)
    assert delivery.rows == (("1", "甲"), ("2", "乙"))
    again = collection.read_source(world.engine, source, connection, fields=fields)
    assert again.content == delivery.content
    load = new_id(collection.LoadId)
    landed = collection.land_delivery(
        delivery, load=load, resource=resource.id, fields=fields, mode=LoadMode.REPLACE,
        current=None, tables=world.tables, engine=world.engine, entity_key=b"e" * 32,
    )  # fmt: skip
    said = {"load": load, "resource": resource.id, "landed": landed}
    with pytest.raises(collection.ReadAtSource):
        world.place.do(collection.record_load, source=None, **said)
    other = registered(world, world.resource(), kind=collection.SourceKind.FILE)
    with pytest.raises(collection.OtherSource):
        world.place.do(collection.record_load, source=other.id, **said)
    world.place.do(collection.record_load, source=source.id, **said)
    assert sorted(world.rows(resource)) == [("1", "甲"), ("2", "乙")]
    world.place.do(collection.end_source, source=source.id)
    with pytest.raises(collection.SourceWasEnded):
        world.place.do(collection.end_source, source=source.id)
    with world.place.database.reading(trust.LOCAL_ADMINISTRATOR) as tx:
        ended = collection.get_source(tx, source.id)
        with pytest.raises(collection.SourceWasEnded):
            collection.plan_load(
                tx, load=new_id(collection.LoadId), resource=resource.id, source=source.id
            )
    with pytest.raises(collection.SourceWasEnded):
        collection.connect_source(tmp_path / "sources", ended)
    secret = psycopg.conninfo.conninfo_to_dict(conninfo)["password"]
    assert secret not in world.place.everything()


def test_how_to_sign_in_is_taken_from_a_closed_file_only(world, tmp_path):
    resource = world.resource(mode=Mode.LOGICAL)
    source = registered(world, resource, schema_name="mca", table_name="towns")
    with pytest.raises(LingquError) as missing:
        collection.connect_source(tmp_path, source)
    assert missing.value.code == "runtime.settings.secret_unreadable"
    file = tmp_path / source.id
    file.write_text("host=127.0.0.1 dbname=a password=hunter2hunter2")
    file.chmod(0o644)
    with pytest.raises(LingquError) as loose:
        collection.connect_source(tmp_path, source)
    assert "hunter2" not in str(loose.value)
    file.chmod(0o600)
    assert "hunter2" not in repr(collection.connect_source(tmp_path, source))
    with pytest.raises(collection.BadSource):
        registered(world, resource, kind=collection.SourceKind.FILE)
