# SPDX-License-Identifier: Apache-2.0
"""What domain code must not do: read the clock, commit, use floats; tables keep to their schema."""

import ast
import re

import source
from source import Finding

CLOCKS = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time", "time.time_ns",
    "time.localtime", "time.gmtime",
}  # fmt: skip
TRANSACTION_ENDS = {"commit", "rollback"}
MIGRATION = re.compile(r"(\d{4})_[a-z][a-z0-9_]*\.sql")
CREATED = re.compile(
    r"create\s+(?:unlogged\s+)?(table|view|materialized\s+view|function|procedure|type|domain"
    r"|sequence)\s+(?:if\s+not\s+exists\s+)?([\w\".]+)",
    re.IGNORECASE,
)
STATEMENT_ON = re.compile(
    r"^\s*(?:create|alter)\s+(?:unlogged\s+)?table\s+(?:if\s+(?:not\s+)?exists\s+)?"
    r"(?:only\s+)?([\w\".]+)",
    re.IGNORECASE,
)
SEARCH_PATH = re.compile(r"\s*set\s+(?:local\s+)?search_path\s*(?:=|to)\s*(\w+)", re.IGNORECASE)
REFERENCES = re.compile(r"\breferences\s+([\w\".]+)", re.IGNORECASE)
NOT_CODE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|(\$\w*\$).*?\1", re.DOTALL)


def domain_code():
    return source.files(".py", under=[source.PRODUCT / domain for domain in source.DOMAINS])


def impure_acts(module, where):
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and node.id == "float":
            yield Finding(f"{where}::float", f"line {node.lineno} uses float")
        elif isinstance(node, ast.Constant) and isinstance(node.value, float):
            yield Finding(f"{where}::float", f"line {node.lineno} writes the float {node.value}")
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name = ".".join(ast.unparse(node.func).split(".")[-2:])
            if name in CLOCKS:
                yield Finding(f"{where}::{name}", f"line {node.lineno} reads the clock: {name}()")
            if node.func.attr in TRANSACTION_ENDS:
                yield Finding(
                    f"{where}::{node.func.attr}", f"line {node.lineno} calls {node.func.attr}()"
                )


def late_imports(module, where):
    for name, function in source.functions(module):
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield Finding(f"{where}::{name}", f"line {node.lineno} imports inside a function")


def statements(sql):
    """Each statement with the schema that its unqualified names lie in."""
    schema = ""
    for statement in NOT_CODE.sub(" ", sql).split(";"):
        path = SEARCH_PATH.match(statement)
        schema = path[1] if path else schema
        if statement.strip():
            yield statement, schema


def rank(name, schema):
    """The place in the line of the schema a name lies in, or None."""
    first, dot, _ = name.replace('"', "").partition(".")
    home = first if dot else schema
    return source.LINE.index(home) if home in source.LINE else None


def misplaced_objects(sql, where):
    for statement, schema in statements(sql):
        for kind, name in CREATED.findall(statement):
            if rank(name, schema) is None:
                what = f"{kind.lower()} {name} is in no schema named after a package"
                yield Finding(f"{where}::{name}", what)


def upward_keys(sql, where):
    for statement, schema in statements(sql):
        owner = STATEMENT_ON.match(statement)
        for target in REFERENCES.findall(statement) if owner else ():
            above, below = rank(owner[1], schema), rank(target, schema)
            if above is None or below is None or below > above:
                yield Finding(f"{where}::{owner[1]}", f"{owner[1]} refers upwards to {target}")


def migrations():
    return source.files(".sql", under=[source.PRODUCT / "migrations"])


def over_sql(rule):
    return [f for path in migrations() for f in rule(source.text(path), source.name(path))]


def test_domains_read_no_clock_commit_nothing_and_use_no_floats():
    source.judge("clock_commit_float", source.over(domain_code(), impure_acts))


def test_imports_stand_at_the_top():
    source.judge("imports_inside_functions", source.over(source.product_code(), late_imports))


def test_migrations_form_one_numbered_line():
    numbers = []
    for path in migrations():
        match = MIGRATION.fullmatch(path.name)
        assert match, f"{path.name} is not NNNN_words.sql"
        numbers.append(int(match[1]))
    assert numbers == sorted(set(numbers)), "two migrations share a number"
    assert numbers, "there are migrations"
    assert numbers == list(range(1, len(numbers) + 1)), "the numbers have no gap"


def test_every_database_object_lies_in_the_schema_of_its_package():
    source.judge("misplaced_objects", over_sql(misplaced_objects))


def test_foreign_keys_point_only_down_the_line():
    source.judge("upward_keys", over_sql(upward_keys))


def test_planted_clocks_commits_and_floats_are_found():
    assert len(source.snippet("x: float = 0.5", impure_acts)) == 2
    assert source.snippet("datetime.datetime.now(UTC)", impure_acts)
    assert source.snippet("time.time()", impure_acts)
    assert source.snippet("tx.connection.commit()", impure_acts)
    assert source.snippet("self._db.rollback()", impure_acts)
    assert not source.snippet("tx.now; price // 2; commitment(); 'commit()'", impure_acts)


def test_a_planted_late_import_is_found():
    assert source.snippet("def f():\n    import json\n", late_imports)
    assert source.snippet("class C:\n    def f(self):\n        from a import b\n", late_imports)
    assert not source.snippet("import json\nif True:\n    import re\n", late_imports)


def test_planted_misplaced_tables_and_upward_keys_are_found():
    bad = "CREATE TABLE listing (id text); CREATE TABLE public.x (id int);"
    assert len([*misplaced_objects(bad, "x.sql")]) == 2
    good = "-- create table x\nCREATE TABLE market.x (a text DEFAULT 'create table y');"
    assert not [*misplaced_objects(good, "x.sql")]
    assert not [*misplaced_objects("SET LOCAL search_path TO market; CREATE TABLE x ()", "x.sql")]
    assert [*misplaced_objects("SET search_path TO public; CREATE TABLE x ()", "x.sql")]
    assert [*upward_keys("CREATE TABLE trust.x (l text REFERENCES market.listing)", "x.sql")]
    assert [*upward_keys("ALTER TABLE ONLY supply.x ADD FOREIGN KEY (g) REFERENCES rights.g", "x")]
    assert [*upward_keys("CREATE TABLE market.x (l text REFERENCES listing)", "x.sql")]
    assert not [*upward_keys("CREATE TABLE market.x (p text REFERENCES trust.party)", "x.sql")]
