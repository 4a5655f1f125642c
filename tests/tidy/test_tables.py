# SPDX-License-Identifier: Apache-2.0
"""Every table is declared, and evidence can only be added to by the application's role."""

import re

import source
from source import Finding
from test_domains import CREATED, migrations, statements

import reference
from lingqu.trust import rows

ROLE = "lingqu_app"
MADE_BY_THE_MIGRATOR = {"runtime.migration"}
GRANT = re.compile(
    r"\s*grant\s+(?P<rights>.+?)\s+on\s+(?:table\s+)?(?P<tables>.+?)\s+to\s+(?P<role>\w+)",
    re.IGNORECASE | re.DOTALL,
)
NOT_TABLES = re.compile(
    r"(schema|function|sequence|type|all\s+(functions|sequences))\b", re.IGNORECASE
)
FORBIDDEN = {
    "audited": {"DELETE", "TRUNCATE", "ALL"},
    "batch": {"UPDATE", "DELETE", "TRUNCATE", "ALL"},
    "log": {"UPDATE", "DELETE", "TRUNCATE", "ALL"},
    "operational": set(),
}


def created_tables(sql):
    return {
        name if "." in name else f"{schema}.{name}"
        for statement, schema in statements(sql)
        for kind, name in CREATED.findall(statement)
        if kind.lower() == "table"
    }


def granted(sql):
    """What the application's role may do: (right, table) pairs; schemas and functions left out."""
    for statement, schema in statements(sql):
        match = GRANT.match(statement)
        if match is None or match["role"] != ROLE:
            continue
        if NOT_TABLES.match(match["tables"]):
            continue
        for table in match["tables"].split(","):
            name = (
                table.strip()
                if "." in table or " " in table.strip()
                else f"{schema}.{table.strip()}"
            )
            for right in re.sub(r"\(.*?\)", "", match["rights"]).split(","):
                yield right.strip().upper().split()[0], name


def too_much(sql, where, classes):
    for right, table in granted(sql):
        if table.lower().startswith("all tables"):
            yield Finding(f"{where}::{table}", f"{right} on {table}: rights are given one by one")
        elif right in FORBIDDEN[classes.get(table, "log")]:
            yield Finding(f"{where}::{table}", f"{ROLE} gets {right} on {table}")


def classes():
    reference.import_everything()
    return {table.name: table.audit_class.value for table in rows.declared_tables()}


def test_every_table_is_declared():
    made = set().union(*(created_tables(source.text(path)) for path in migrations()))
    assert made - set(classes()) == set()


def test_every_declared_table_of_ours_exists():
    made = set().union(*(created_tables(source.text(path)) for path in migrations()))
    declared = {name for name in classes() if name.partition(".")[0] in source.LINE}
    assert declared - made - MADE_BY_THE_MIGRATOR == set()


def test_the_application_cannot_rewrite_evidence():
    known = classes()
    source.judge(
        "rights",
        [f for p in migrations() for f in too_much(source.text(p), source.name(p), known)],
    )


def test_planted_rights_are_found():
    known = {"trust.fact": "log", "trust.party": "audited", "trust.session": "operational"}
    good = """
        GRANT USAGE ON SCHEMA trust TO lingqu_app;
        GRANT SELECT, INSERT ON trust.fact TO lingqu_app;
        GRANT SELECT, INSERT, UPDATE (name) ON trust.party TO lingqu_app;
        GRANT SELECT, DELETE ON TABLE trust.session TO lingqu_app;
        GRANT ALL ON trust.fact TO other
    """
    assert not [*too_much(good, "x.sql", known)]
    for bad in (
        "GRANT SELECT, UPDATE ON trust.fact TO lingqu_app",
        "GRANT UPDATE (body) ON trust.fact TO lingqu_app",
        "GRANT INSERT, DELETE ON trust.session, trust.party TO lingqu_app",
        "GRANT ALL PRIVILEGES ON trust.party TO lingqu_app",
        "GRANT SELECT ON ALL TABLES IN SCHEMA trust TO lingqu_app",
        "SET LOCAL search_path = trust; GRANT DELETE ON fact TO lingqu_app",
    ):
        assert [*too_much(bad, "x.sql", known)], bad
    sql = (
        "CREATE TABLE trust.a (); SET LOCAL search_path TO ledger; create table if not exists b ()"
    )
    assert created_tables(sql) == {"trust.a", "ledger.b"}
