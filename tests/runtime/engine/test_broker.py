# SPDX-License-Identifier: Apache-2.0
"""The broker brings permitted columns of a live PostgreSQL to a worker, and nothing else."""

import datetime as dt
import decimal

import psycopg
import pytest

from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import (
    Column,
    Engine,
    Job,
    PostgresSource,
    find_source_columns,
    open_source_table,
)

COLUMNS = (
    Column(name="编号", type="BIGINT"),
    Column(name="名称", type="VARCHAR"),
    Column(name="额", type="DECIMAL(12,2)"),
    Column(name="日", type="DATE"),
    Column(name="时刻", type="INSTANT"),
    Column(name="真", type="BOOLEAN"),
    Column(name="字节", type="BLOB"),
)
MAKE = """
CREATE SCHEMA "业务"
CREATE TABLE "企业 ""x y" (编号 bigint, 名称 text, 额 numeric(12,2), 日 date, 时刻 timestamptz,
                          真 boolean, 字节 bytea, 身份证 text);
INSERT INTO "业务"."企业 ""x y" VALUES
  (1, '甲,"乙"' || E'\\n', 12.30, '2024-02-29', '2024-01-01 08:00+08', true, '\\x00ff', '4501'),
  (2, '', NULL, NULL, NULL, NULL, NULL, NULL),
  (NULL, NULL, 0, '1949-10-01', '2000-01-01Z', false, '', '4502');
CREATE VIEW "业务".v AS SELECT 编号, 编号 / 0 AS 坏 FROM "业务"."企业 ""x y";
CREATE ROLE reader_{name} LOGIN PASSWORD 'reader-password';
GRANT USAGE ON SCHEMA "业务" TO reader_{name};
GRANT SELECT (编号, 名称, 额, 日, 时刻, 真, 字节) ON "业务"."企业 ""x y" TO reader_{name};
GRANT SELECT ON "业务".v TO reader_{name}
"""
WHERE = {"schema": "业务", "table": '企业 "x y'}


@pytest.fixture
def source(bare_place):
    with bare_place.superuser() as connection:
        connection.execute(MAKE.format(name=bare_place.name))
        info = connection.info
        conninfo = psycopg.conninfo.make_conninfo(
            "",
            host=info.host,
            port=info.port,
            dbname=info.dbname,
            user=f"reader_{bare_place.name}",
            password="reader-password",
        )
    yield PostgresSource(conninfo=conninfo)
    with bare_place.superuser() as connection:
        connection.execute(f"DROP OWNED BY reader_{bare_place.name}")
        connection.execute(f"DROP ROLE reader_{bare_place.name}")


def refused(code, source, **options):
    given = WHERE | {"columns": COLUMNS, "name": "t", "rows_most": 100} | options
    with pytest.raises(LingquError) as caught, open_source_table(source, **given):
        pass
    assert caught.value.code == f"runtime.engine.{code}"
    assert "reader-password" not in repr(caught.value)
    return caught.value


def test_permitted_columns_reach_a_worker_with_their_types(source, tmp_path):
    sql = "SELECT * FROM t ORDER BY 编号"
    with (
        Engine(folder=tmp_path) as engine,
        open_source_table(source, **WHERE, columns=COLUMNS, name="t", rows_most=3) as table,
    ):
        rows = engine.query(Job(sql=sql, tables=(table,))).rows
        with pytest.raises(LingquError, match="query_failed"):
            engine.query(Job(sql="SELECT 身份证 FROM t", tables=(table,)))
    utc = dt.UTC
    assert rows == (
        (1, '甲,"乙"\n', decimal.Decimal("12.30"), dt.date(2024, 2, 29),
         dt.datetime(2024, 1, 1, tzinfo=utc), True, b"\0\xff"),
        (2, "", None, None, None, None, None),
        (None, None, decimal.Decimal(0), dt.date(1949, 10, 1),
         dt.datetime(2000, 1, 1, tzinfo=utc), False, b""),
    )  # fmt: skip
    assert not table.files[0].path.exists()


def test_the_catalog_of_the_source_tells_what_may_be_read(source):
    found = find_source_columns(source, **WHERE)
    assert found == COLUMNS


def test_too_many_rows_or_bytes_are_refused(source):
    refused("source_too_large", source, rows_most=2)
    refused("source_too_large", source, bytes_most=10)


def test_what_the_source_does_not_have_or_not_let_us_see_is_refused(source):
    refused("source_differs", source, table="nothing")
    refused("source_differs", source, table="企业")
    refused("source_differs", source, columns=(Column(name="没有", type="BIGINT"),))
    refused("source_differs", source, columns=(Column(name="身份证", type="VARCHAR"),))
    refused("source_differs", source, columns=(Column(name="名称", type="BIGINT"),))
    refused("source_differs", source, schema='业务"; DROP SCHEMA public; --')
    refused(
        "source_differs", source, columns=(Column(name='编号", version() AS "x', type="BIGINT"),)
    )


def test_an_error_of_the_source_keeps_its_words_to_itself(source):
    refusal = refused(
        "source_unavailable", source, table="v", columns=(Column(name="坏", type="BIGINT"),)
    )
    assert refusal.parameters == {"state": "22012"}


def test_a_source_that_is_slow_or_not_there_is_refused(source, bare_place):
    with bare_place.superuser() as connection:
        connection.execute(
            'CREATE VIEW "业务".slow AS SELECT 1 AS 编号, pg_catalog.pg_sleep(30)::text AS 慢'
        )
        connection.execute(f'GRANT SELECT ON "业务".slow TO reader_{bare_place.name}')
    slow = PostgresSource(conninfo=source.conninfo, timeout_ms=200)
    columns = (Column(name="慢", type="VARCHAR"),)
    refusal = refused("source_unavailable", slow, table="slow", columns=columns)
    assert refusal.parameters == {"state": "57014"}
    gone = PostgresSource(conninfo="host=/nowhere dbname=x user=y password=reader-password")
    refused("source_unavailable", gone)
    assert "reader-password" not in repr(source)


def test_the_source_is_only_ever_read(source, bare_place):
    with bare_place.superuser() as connection:
        connection.execute(
            'CREATE FUNCTION "业务".write() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS'
            ' $$INSERT INTO "业务"."企业 ""x y" (编号) VALUES (99) RETURNING 编号$$'
        )
        connection.execute('CREATE VIEW "业务".w AS SELECT "业务".write() AS 编号')
        connection.execute(f'GRANT SELECT ON "业务".w TO reader_{bare_place.name}')
        grant = f'GRANT EXECUTE ON FUNCTION "业务".write() TO reader_{bare_place.name}'
        connection.execute(grant)
    refusal = refused("source_unavailable", source, table="w", columns=COLUMNS[:1])
    assert refusal.parameters == {"state": "25006"}
    assert bare_place.sql('SELECT count(*) FROM "业务"."企业 ""x y"') == [(3,)]
