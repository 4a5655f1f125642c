# SPDX-License-Identifier: Apache-2.0
"""Whatever a superuser does behind the log's back is named, with what it should have been."""

import dataclasses
import json
import threading

import pytest

from lingqu import trust
from lingqu.runtime import REAL_TIME
from lingqu.trust import PLATFORM, Action, Kind, Role, Table, audit, rows
from lingqu.trust import log as trust_log
from lingqu.trust.audit import Audit, Discrepancy
from lingqu.trust.installation import StrangerRefusals


def only(findings, what, place):
    """The single finding there is; anything beside it is a mistake of the audit."""
    assert [(one.what, one.place) for one in findings] == [(what, place)]
    return findings[0]


def content_of(place, table, key):
    return place.sql(
        "SELECT content, fact FROM trust.row_version WHERE table_name = %s AND key = %s"
        " ORDER BY version DESC LIMIT 1",
        (table, key),
    )[0]


def test_what_commands_did_is_in_order_and_counted(place):
    party = place.party()
    caller = place.account(party, login="li", role=Role.MEMBER)
    place.do(trust.rename_party, party=party, name="新名")
    place.do(trust.close_account, account=caller.account)
    with place.database.auditing(PLATFORM) as tx:
        audit = Audit(tx)
        report = audit.report(tuple(audit.findings()))
    assert report.findings == ()
    assert (report.facts, report.commands) == (place.count("trust.fact"),) * 2
    assert report.rows == 4  # log, party, account, assignment
    assert report.tables > 15


def test_a_changed_row_is_named_with_what_it_should_be(place):
    party = place.party("本名")
    place.sql("UPDATE trust.party SET name = '假名' WHERE id = %s", (party,))
    finding = only(place.audit(), Discrepancy.ROW_CHANGED, "trust.party")
    content, fact = content_of(place, "trust.party", party)
    assert (finding.key, finding.fact, finding.expected) == (party, fact, content)
    assert json.loads(finding.expected)["row"]["name"] == "本名"
    assert json.loads(finding.found)["row"]["name"] == "假名"


def test_every_column_of_a_row_counts(place):
    party = place.party()
    caller = place.account(party, login="li", role=Role.MEMBER)
    changes = {
        "created_at": "created_at + interval '1 microsecond'",
        "version": "version + 1",
        "kind": "'machine'",
        "login": "NULL",
        "password_hash": "'x'",
        "state": "'closed'",
    }
    for column, value in changes.items():
        (before,) = place.sql(f"SELECT {column} FROM trust.account")[0]
        place.sql(f"UPDATE trust.account SET {column} = {value}")
        finding = only(place.audit(), Discrepancy.ROW_CHANGED, "trust.account")
        assert finding.key == caller.account
        place.sql(f"UPDATE trust.account SET {column} = %s", (before,))
    assert place.audit() == []


def test_an_added_row_is_named(place):
    place.party()
    place.sql(
        "INSERT INTO trust.party VALUES ('pty_00000000000000000000000000', 'person', '鬼', now(),"
        " NULL, 1)"
    )
    finding = only(place.audit(), Discrepancy.ROW_ADDED, "trust.party")
    assert finding.key == "pty_00000000000000000000000000"
    assert json.loads(finding.found)["row"]["name"] == "鬼"
    assert finding.fact == ""


def test_a_removed_row_is_named_with_what_it_was(place):
    first, last = place.party("一"), place.party("二")
    for party in (first, last):
        place.sql("DELETE FROM trust.party WHERE id = %s", (party,))
    found = {one.key: one for one in place.audit()}
    assert found.keys() == {first, last}
    for party, finding in found.items():
        assert finding.what is Discrepancy.ROW_REMOVED
        content, fact = content_of(place, "trust.party", party)
        assert (finding.expected, finding.fact) == (content, fact)


def test_a_row_no_command_could_have_written_is_named_and_not_stumbled_over(place):
    party = place.party()
    caller = place.account(party, role=Role.MEMBER)
    place.sql("UPDATE trust.role_assignment SET role = 'emperor', version = 9007199254740999")
    place.sql("UPDATE trust.account SET kind = 'system' WHERE id = %s", (caller.account,))
    place.sql("INSERT INTO trust.party VALUES ('no id', 'system', '鬼', now(), NULL, 1)")
    found = {(one.what, one.place) for one in place.audit()}
    assert found == {
        (Discrepancy.ROW_CHANGED, "trust.role_assignment"),
        (Discrepancy.ROW_CHANGED, "trust.account"),
        (Discrepancy.ROW_ADDED, "trust.party"),
    }


def test_an_altered_version_is_named_and_never_taken_for_the_truth(place):
    party = place.party("本名")
    content, fact = content_of(place, "trust.party", party)
    forged = content.replace("本名", "假名")
    place.sql("UPDATE trust.row_version SET content = %s WHERE key = %s", (forged, party))
    finding = only(place.audit(), Discrepancy.VERSION_ALTERED, "trust.row_version")
    assert (finding.key, finding.fact) == (f"trust.party {party} 1", fact)
    assert finding.expected != finding.found
    place.sql("UPDATE trust.party SET name = '假名' WHERE id = %s", (party,))
    altered, changed = place.audit()
    assert altered.what is Discrepancy.VERSION_ALTERED
    assert changed.what is Discrepancy.ROW_CHANGED
    assert (changed.key, changed.expected) == (party, finding.expected)


def test_a_version_that_was_removed_or_added_or_emptied_is_named(place):
    party = place.party("一")
    place.do(trust.rename_party, party=party, name="二")
    place.sql("DELETE FROM trust.row_version WHERE key = %s AND version = 1", (party,))
    finding = only(place.audit(), Discrepancy.VERSION_ALTERED, "trust.row_version")
    assert finding.key == f"trust.party {party} 1"
    _, fact = content_of(place, "trust.party", party)
    place.sql(
        "INSERT INTO trust.row_version VALUES ('trust.party', %s, 7, 1, '', '', %s)", (party, fact)
    )
    assert [one.what for one in place.audit()] == [
        Discrepancy.VERSION_ALTERED,
        Discrepancy.ROW_ADDED,
    ]
    place.sql("DELETE FROM trust.row_version WHERE version = 7")
    place.sql("UPDATE trust.row_version SET salt = NULL, content = NULL WHERE version = 2")
    assert Discrepancy.ROW_CHANGED in {one.what for one in place.audit()}


def test_garbage_in_a_version_of_a_removed_row_is_named(place):
    party = place.party()
    place.sql("UPDATE trust.row_version SET content = 'garbage' WHERE key = %s", (party,))
    place.sql("DELETE FROM trust.party")
    assert [(one.what, one.place) for one in place.audit()] == [
        (Discrepancy.VERSION_ALTERED, "trust.row_version"),
        (Discrepancy.ROW_REMOVED, "trust.party"),
    ]


@pytest.fixture
def counted(place):
    refusals = StrangerRefusals(place.database, key=b"k")
    for number in range(5):
        refusals.count(source=f"10.0.0.{number}", route="/api/v1/facts", code="api.unknown")
    assert refusals.flush() == 5
    assert place.audit() == []
    return place


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE trust.refusal SET count = 2 WHERE position = 3",
        "UPDATE trust.refusal SET route = '/' WHERE position = 0",
        "DELETE FROM trust.refusal WHERE position = 4",
        (
            "INSERT INTO trust.refusal SELECT batch, 5, minute, source, route, code, 1"
            " FROM trust.refusal WHERE position = 0"
        ),
        "UPDATE trust.refusal SET position = 9 WHERE position = 0",
    ],
)
def test_a_changed_removed_or_added_row_of_a_batch_is_named(counted, change):
    assert counted.sql(change) == 1
    finding = only(counted.audit(), Discrepancy.BATCH_ALTERED, "trust.refusal")
    (fact,) = counted.facts("trust.refusal.counted")
    batch = fact["data"]["batch"]
    assert (finding.key, finding.fact) == (batch["id"], fact["fact"])
    assert finding.expected == f"5 {batch['root']}"
    assert finding.found != finding.expected


def test_a_batch_that_was_removed_or_added_is_named(counted):
    (fact,) = counted.facts("trust.refusal.counted")
    counted.sql("UPDATE trust.refusal SET batch = 'another'")
    added, removed = counted.audit()
    assert (added.what, added.key) == (Discrepancy.BATCH_ADDED, "another")
    assert removed.what is Discrepancy.ROW_REMOVED
    assert (removed.key, removed.fact) == (fact["data"]["batch"]["id"], fact["fact"])


def test_tables_nobody_declared_and_tables_that_are_gone_are_named(place):
    place.sql("CREATE TABLE trust.secret_list (id text)")
    place.sql("CREATE SCHEMA hidden")
    place.sql("CREATE TABLE hidden.list (id text)")
    place.sql("DROP TABLE trust.api_key")
    found = [(one.what, one.place) for one in place.audit()]
    assert found == [
        (Discrepancy.TABLE_UNDECLARED, "hidden.list"),
        (Discrepancy.TABLE_UNDECLARED, "trust.secret_list"),
        (Discrepancy.TABLE_MISSING, "trust.api_key"),
    ]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE trust.command SET name = 'x' WHERE id = %s", Discrepancy.COMMAND_ALTERED),
        ("UPDATE trust.command SET actor = 'x' WHERE id = %s", Discrepancy.COMMAND_ALTERED),
        ("UPDATE trust.command SET request = '\\x00' WHERE id = %s", Discrepancy.COMMAND_ALTERED),
        ("UPDATE trust.command SET result = NULL WHERE id = %s", Discrepancy.COMMAND_ALTERED),
        ("UPDATE trust.command SET result = '{}' WHERE id = %s", Discrepancy.COMMAND_ALTERED),
        ("UPDATE trust.command SET salt = '\\x00' WHERE id = %s", Discrepancy.COMMAND_ALTERED),
        ("UPDATE trust.command SET salt = NULL WHERE id = %s", Discrepancy.COMMAND_ALTERED),
        (
            "UPDATE trust.command SET salt = NULL, result = NULL WHERE id = %s",
            Discrepancy.COMMAND_ALTERED,
        ),
        (
            "UPDATE trust.command SET at = at + interval '1 microsecond' WHERE id = %s",
            Discrepancy.COMMAND_ALTERED,
        ),
        ("UPDATE trust.command SET at = 'infinity' WHERE id = %s", Discrepancy.COMMAND_ALTERED),
        (
            "UPDATE trust.command SET at = '0044-03-15 BC' WHERE id = %s",
            Discrepancy.COMMAND_ALTERED,
        ),
        ("DELETE FROM trust.command WHERE id = %s", Discrepancy.COMMAND_MISSING),
    ],
)
def test_an_altered_or_removed_command_is_named(place, change, what):
    place.party()
    entry = place.facts()[-1]
    command = entry["command"]["id"]
    place.sql(change, (command,))
    finding = only(place.audit(), what, "trust.command")
    assert finding.key == command
    if what is Discrepancy.COMMAND_ALTERED:
        named = {"actor": entry["actor"], "at": entry["at"]}
        assert json.loads(finding.expected) == {**entry["command"], **named}
    else:
        assert finding.fact == entry["fact"]


def test_a_fact_made_before_results_were_named_stays_in_order(place):
    place.party()
    body = place.facts()[-1]
    del body["command"]["result"]
    place.sql("UPDATE trust.fact SET body = %s WHERE id = %s", (json.dumps(body), body["fact"]))
    place.sql("UPDATE trust.command SET result = '{}' WHERE id = %s", (body["command"]["id"],))
    assert place.audit() == []


def instants(place, *classes):
    """Every column of declared tables of these classes that holds an instant or a day."""
    tables = [one.name for one in rows.declared_tables() if one.audit_class in classes]
    return place.sql(
        "SELECT format('%%s.%%s', n.nspname, c.relname), a.attname FROM pg_attribute a"
        " JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
        " WHERE a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype)"
        " AND a.attnum > 0 AND NOT a.attisdropped"
        " AND format('%%s.%%s', n.nspname, c.relname) = ANY(%s) ORDER BY 1, 2",
        (tables,),
    )


RARE = [pytest.param(one, marks=pytest.mark.slow) for one in ("-infinity", "12000-01-01")]


@pytest.mark.parametrize("moment", ["infinity", "0044-03-15 BC", *RARE])
def test_a_moment_no_command_can_write_is_a_finding_and_ends_no_audit(counted, moment):
    place = counted
    caller = place.account(login="li", role=Role.MEMBER)
    place.do(trust.close_account, account=caller.account)
    seen = set()
    for table, column in instants(place, rows.AuditClass.AUDITED, rows.AuditClass.BATCH):
        if not place.count(table):
            continue
        place.sql(f"CREATE TABLE public.kept AS TABLE {table}")
        place.sql(f"UPDATE {table} SET {column} = %s", (moment,))
        found = [one for one in place.audit() if one.place == table]
        assert found, (table, column)
        seen.add(table)
        written = moment.removesuffix(" BC") in found[0].found
        assert written or found[0].what is Discrepancy.BATCH_ALTERED
        place.sql(f"DELETE FROM {table}")
        place.sql(f"INSERT INTO {table} SELECT * FROM public.kept")
        place.sql("DROP TABLE public.kept")
    assert {"trust.party", "trust.account", "trust.role_assignment", "trust.refusal"} <= seen
    assert place.audit() == []


def test_a_command_that_was_added_is_named(place):
    place.sql("INSERT INTO trust.command VALUES ('cmd_x', 'x', 'y', NULL, '', NULL, now())")
    finding = only(place.audit(), Discrepancy.COMMAND_WITHOUT_FACT, "trust.command")
    assert finding.key == "cmd_x"


def test_a_removed_fact_is_named_by_what_it_leaves_behind(place):
    party = place.party()
    fact = place.facts()[-1]
    place.sql("DELETE FROM trust.fact WHERE id = %s", (fact["fact"],))
    found = {(one.what, one.place, one.key) for one in place.audit()}
    assert found == {
        (Discrepancy.ROW_ADDED, "trust.row_version", f"trust.party {party} 1"),
        (Discrepancy.ROW_ADDED, "trust.party", party),
        (Discrepancy.COMMAND_WITHOUT_FACT, "trust.command", fact["command"]["id"]),
    }


@pytest.mark.parametrize(
    "body",
    [
        "garbage",
        "[]",
        "{}",
        '{"command": 5, "actor": "x", "rows": [1, {}, {"table": "trust.party"}]}',
        '{"command": {"id": 1.5}, "actor": null, "rows": [{"table": "trust.party", "key": "k"}]}',
        '{"command": [], "actor": "x", "data": {"batch": {}}, "rows": {}}',
    ],
)
def test_a_fact_made_unreadable_is_named_and_not_stumbled_over(place, body):
    party = place.party()
    fact = place.facts()[-1]["fact"]
    place.sql("UPDATE trust.fact SET body = %s WHERE id = %s", (body, fact))
    found = place.audit()
    assert (Discrepancy.ROW_ADDED, "trust.party", party) in {
        (one.what, one.place, one.key) for one in found
    }


def test_a_fact_altered_or_removed_after_it_was_sequenced_is_found_by_the_log(place, tmp_path):
    place.party()
    place.do(trust.rename_party, party=place.party(), name="二")
    stop = threading.Event()
    sequencer = trust_log.Sequencer(
        place.database, tmp_path / "log", lambda _: (place.key,), interval_ms=20
    )
    worker = threading.Thread(target=sequencer.run, args=(stop,), daemon=True)
    worker.start()
    deadline = REAL_TIME.now().timestamp() + 20
    while place.sql("SELECT max(size) FROM trust.log_checkpoint") != [(4,)]:
        assert REAL_TIME.now().timestamp() < deadline
        stop.wait(0.02)
    stop.set()
    worker.join(20)

    def faults():
        with place.database.auditing(PLATFORM) as tx:
            return {(one.fault, one.fact) for one in trust_log.check_log(tx, tmp_path / "log")}

    assert faults() == set()
    entry = place.facts()[-1]
    body = json.dumps({**entry, "actor": "acc_0000000000e008000000000001"})
    place.sql("UPDATE trust.fact SET body = %s WHERE id = %s", (body, entry["fact"]))
    assert (trust_log.LogFault.FACT_ALTERED, entry["fact"]) in faults()
    place.sql("DELETE FROM trust.fact WHERE id = %s", (entry["fact"],))
    assert (trust_log.LogFault.FACT_MISSING, entry["fact"]) in faults()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FirstThing:
    id: str
    name: str
    version: int = 1


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    id: str
    name: str
    note: str | None = None
    version: int = 1


FIRST, SECOND = ("id", "name", "version"), ("id", "name", "note", "version")


@pytest.fixture
def things(registries, place):  # noqa: ARG001  # what is declared here is forgotten
    """A table with rows of its first shape and of its second, as a migration leaves them."""

    @dataclasses.dataclass(frozen=True, kw_only=True)
    class ThingKept(trust.Fact):
        kind = "test.thing.kept"
        thing: str

    place.sql("CREATE TABLE trust.thing (id text PRIMARY KEY, name text, version bigint)")
    place.sql("GRANT SELECT, INSERT, UPDATE ON trust.thing TO lingqu_app")

    def keep(table, value, name):
        @trust.command(name)
        def kept(tx, *, thing: str):
            trust.authorize(tx, Action.CREATE, Kind.PARTY)
            table.insert(tx, value(id=thing, name=f"name of {thing}"))
            trust.record(tx, ThingKept(thing=thing))

        return kept

    first = keep(Table("trust.thing", FirstThing, shapes=(FIRST,)), FirstThing, "test.thing.one")
    for thing in ("a", "b"):
        place.do(first, thing=thing)
    assert place.audit() == []
    place.sql("ALTER TABLE trust.thing ADD COLUMN note text DEFAULT NULL")
    del rows._declared["trust.thing"]
    newer = Table("trust.thing", Thing, shapes=(FIRST, SECOND), defaults={"note": None})
    place.do(keep(newer, Thing, "test.thing.two"), thing="c")
    yield place
    del rows._declared["trust.thing"]


def test_rows_of_an_older_shape_are_in_order_after_a_column_was_added(things):
    shapes = things.sql(
        "SELECT key, shape FROM trust.row_version WHERE table_name = 'trust.thing' ORDER BY 1"
    )
    assert shapes == [("a", 1), ("b", 1), ("c", 2)]
    assert things.audit() == []


@pytest.mark.parametrize("thing", ["a", "b", "c"])
@pytest.mark.parametrize("column", ["name", "note"])
def test_a_change_after_a_column_was_added_is_named_in_every_shape(things, thing, column):
    things.sql(f"UPDATE trust.thing SET {column} = 'forged' WHERE id = %s", (thing,))
    finding = only(things.audit(), Discrepancy.ROW_CHANGED, "trust.thing")
    content, fact = content_of(things, "trust.thing", thing)
    assert (finding.key, finding.fact, finding.expected) == (thing, fact, content)
    assert "forged" in finding.found
    assert json.loads(finding.expected)["row"]["name"] == f"name of {thing}"


def test_a_clock_that_was_altered_is_named(place):
    place.sql("UPDATE runtime.instance SET clock = 'story'")
    found = only(place.audit(), Discrepancy.ROW_CHANGED, "runtime.instance")
    assert " real " in found.expected
    assert " story " in found.found


@pytest.mark.parametrize(
    "change",
    ["kind = 'trust.party.erased'", "ordinal = 3", "at = at + interval '1 s'", "at = 'infinity'"],
)
def test_a_fact_filed_under_something_else_is_named(place, change):
    place.party()
    entry = place.facts()[-1]
    place.sql(f"UPDATE trust.fact SET {change} WHERE id = %s", (entry["fact"],))
    found = [one for one in place.audit() if one.what is Discrepancy.FACT_ALTERED]
    assert [(one.place, one.key) for one in found] == [("trust.fact", entry["fact"])]
    assert entry["kind"] in found[0].expected
    assert found[0].found != found[0].expected


def test_an_audit_runs_to_its_end_whatever_moment_was_forged(place, tmp_path):
    place.party()
    forged = {
        "runtime.instance": "created_at",
        "trust.log": "started_at",
        "trust.fact": "at",
        "trust.command": "at",
    }
    for table, column in forged.items():
        place.sql(f"UPDATE {table} SET {column} = 'infinity'")
    report = audit.run_audit(place.database, tmp_path)
    assert set(forged) <= {one.place for one in report.findings}
