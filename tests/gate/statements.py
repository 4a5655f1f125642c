# SPDX-License-Identifier: Apache-2.0
"""Statements out of a grammar, from the engine's own words and functions, and hostile on purpose.

One part is made only of what may be answered, in many shapes; most have something in them that may
not be: a word in the wrong place, a construct no query has, a function that reads a trap.
"""

import random

import duckdb

from lingqu.runtime.engine import functions

NUMBERS = ("0", "1", "2", "3", "-1", "18", "60", "150", "0.5", "1e2", "7.25", "9999999999")
DAYS = ("2020-01-01", "2020-02-01", "2020-02-15", "2021-01-01", "1999-12-31")
TEXTS = ("'a'", "'n%'", "'north'", "'it''s'", "''", "'_b%'")
ODD = (
    "*", "t", "t.*", "(SELECT 1)", ";", "--", "/*", "*/", "pid", "name", "rowid", "secret", "hush",
    "::INT", "[1]", "NOT", "(", ")", "''", "$1", "$2", "?", "\u200b", "0x1", "\uff53al", "s\u0430l",
    "\u202e", "**", "//", "^", "->", "->>", "GLOB", "SIMILAR TO", "COLLATE nocase", "E'\\x41'",
    "$q$a$q$", "1_000", "1e309", '"SAL"', "t.secret", "memory.main.t.sal", "main.t", "hush.kept",
    "[x for x in [1]]", "{'a': 1}", "EXCLUDE (city)", "lambda", "ALL", "ANY", "OVER ()", "{{}}",
)  # fmt: skip
"""What is put into statements between their words."""
CALLS = (
    "read_csv('{path}')", "read_text('{path}')", "read_blob('{path}')", "glob('{folder}/*')",
    "read_parquet('{url}')", "read_csv('{url}')", "sniff_csv('{path}')", "getenv('PATH')",
    "current_setting('threads')", "query('SELECT secret FROM t')", "query_table('hush')",
    "duckdb_settings()", "duckdb_secrets()", "pragma_storage_info('t')", "getvariable('x')",
    "json_execute_serialized_sql(json_serialize_sql('SELECT 1'))", "setseed(0.5)", "random()",
    "nextval('s')", "write_log('x')", "error(secret)", "list(secret)", "first(name)", "now()",
    "arg_max(name, sal)", "string_agg(name, ',')", "approx_quantile(sal, 0.01)", "stats(sal)",
    "repeat('a', 1000000000)", "range(100000000)", "to_json(t)", "hash(t)", "unnest(list(sal))",
    "quantile_disc(sal, 0)", "histogram(sal)", "mode(name)", "current_query()", "uuid()",
)  # fmt: skip
"""Calls that would read a trap, a row or the engine itself."""
WHOLE = (
    "COPY t TO '{folder}/out.csv'", "COPY (SELECT secret FROM t) TO '{folder}/out.parquet'",
    "ATTACH '{folder}/lingqu_trap.db' AS x", "EXPORT DATABASE '{folder}/out'",
    "INSTALL httpfs", "LOAD '{path}'", "SET threads = 3", "PRAGMA enable_profiling",
    "SET VARIABLE x = (SELECT max(secret) FROM t)", "CREATE TABLE x AS SELECT * FROM t",
    "CREATE MACRO sal() AS 7", "PREPARE p AS SELECT * FROM t", "DELETE FROM t", "TABLE hush",
    "WITH a AS (SELECT 1) DELETE FROM t", "INSERT INTO t SELECT * FROM t RETURNING *", "FROM hush",
    "SUMMARIZE t", "DESCRIBE t", "SHOW TABLES", "EXPLAIN SELECT secret FROM t", "FROM t LIMIT 1",
    "PIVOT t ON city USING sum(sal)", "SELECT * FROM '{path}'", "SELECT * FROM '{url}'",
    "SELECT 1; {statement}", "{statement}; DROP TABLE t", "VALUES (1)", "CALL pragma_version()",
    "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT sum(x) FROM r",
    "CHECKPOINT", "BEGIN", "SELECT COLUMNS('s.*') FROM t", "SELECT DISTINCT pid FROM t",
    "SELECT sal FROM t QUALIFY row_number() OVER (ORDER BY pid) = 1", "SELECT 1",
    "SELECT * FROM t USING SAMPLE 1", "SELECT (SELECT sal FROM t WHERE pid = 7)",
    "SELECT sum(x.sal) FROM t x, LATERAL (SELECT x.pid) y",
    "SELECT city, sum(sal) FROM t GROUP BY GROUPING SETS ((city), (pid))",
    "SELECT mon AS city, sum(sal) FROM t GROUP BY city", "SELECT sum(sal) FROM t NATURAL JOIN c",
    "SELECT sum(sal) FROM t ASOF JOIN c USING (city)", "SELECT sum(sal) FROM t POSITIONAL JOIN c",
    "SELECT sum(sal) FROM t SEMI JOIN hush USING (pid)",
    "SELECT sum(a.sal) FROM t a JOIN t b ON a.pid = b.pid + 1",
)  # fmt: skip
"""Whole statements that are no governed query, or would do something."""
JOINED = ("mon", "age", "d", "sal", "tax", "name", "pid", "region", "t.city")
ALONE = ("city", "mon", "age", "d", "sal", "tax", "name", "pid")
INNER = "SELECT pid, city, mon, age, d, sal, tax, name FROM t WHERE mon < 4"


class Grammar:
    """Writes statements; `bound` are the values of the last one. The same seed writes the same."""

    def __init__(self, seed, *, folder="/nowhere", url="http://127.0.0.1:9/x.csv"):
        self.dice = random.Random(seed)
        self.traps = {"folder": folder, "path": f"{folder}/lingqu_trap.csv", "url": url}
        names = sorted({one.name for one in functions() if one.name.isidentifier()})
        words = duckdb.connect().execute("SELECT keyword_name FROM duckdb_keywords()").fetchall()
        self.functions, self.words = names, sorted(word for (word,) in words)
        self.bound, self.is_binding, self.columns = (), False, list(ALONE)

    def pick(self, *options):
        return self.dice.choice(options)

    def chance(self, part):
        return self.dice.random() < part

    def statement(self):
        """One statement, spoiled or not."""
        self.bound, self.is_binding = (), self.chance(0.05)
        text = self.shaped()
        self.is_binding = False
        for _ in range(self.pick(0, 0, 0, 1, 1, 2)):
            text = self.spoiled(text)
        return self.dressed(text) if self.chance(0.1) else text

    def shaped(self):
        """A select by itself mostly, else one inside or beside others, or nothing of the kind."""
        drawn = self.dice.random()
        if drawn < 0.8:
            return self.select()
        if drawn < 0.85:
            return f"SELECT x0 FROM ({self.select()}) y"
        if drawn < 0.89:
            name = self.pick("y", "y", "y", "t", "c")
            return f"WITH {name} AS ({self.select()}) SELECT x0 AS a FROM {name}"
        if drawn < 0.92:
            way = self.pick("UNION", "UNION ALL", "INTERSECT", "EXCEPT", "UNION ALL BY NAME")
            return f"{self.select()} {way} {self.select()}"
        if drawn < 0.93:
            deep = self.pick(4, 12, 40, 120)
            return f"SELECT sum({'(' * deep}sal{')' * deep}) FROM t"
        if drawn < 0.94:
            return self.crowd()
        if drawn < 0.96:
            call = self.pick(*CALLS).format(**self.traps)
            return self.pick(
                f"SELECT {call} FROM t",
                f"SELECT * FROM {call}",
                f"SELECT sum(sal) FROM t WHERE sal = {call}",
                f"SELECT city, sum(sal) FROM t GROUP BY city HAVING max({call}) = 1",
            )
        return self.pick(*WHOLE).format(statement=self.select(), **self.traps)

    def crowd(self):
        """Many tables, columns or factors."""
        many = self.pick(2, 3, 8, 9, 70)
        joins = "".join(f" JOIN c c{at} ON t.city = c{at}.city" for at in range(min(many, 9)))
        return self.pick(
            f"SELECT sum(sal) FROM t{joins}",
            f"SELECT {', '.join(f'sum(sal * {at})' for at in range(many))} FROM t",
            f"SELECT sum({' * '.join(['sal'] * min(many, 5))}) FROM t",
            f"SELECT sum({' * '.join(['(sal + tax)'] * min(many, 5))}) FROM t",
            f"SELECT sum(sal) FROM t WHERE mon IN ({', '.join(map(str, range(many)))})",
        )

    def spoiled(self, text):
        """The statement with one word replaced, added or taken out."""
        parts = text.split(" ")
        place = self.dice.randrange(len(parts))
        given = self.pick(
            lambda: self.dice.choice(self.words),
            lambda: f"{self.dice.choice(self.functions)}({self.column()})",
            lambda: f"{self.dice.choice(self.functions)}({self.column()}, {self.number()})",
            lambda: self.dice.choice(self.functions),
            lambda: self.pick(*ODD),
            lambda: self.pick(*CALLS).format(**self.traps),
            lambda: f"(SELECT {self.column()} FROM t WHERE pid = {self.number()})",
            lambda: f"EXISTS (SELECT 1 FROM t WHERE pid = {self.number()})",
            lambda: f"{self.pick('CAST', 'TRY_CAST')}({self.column()} AS {self.type()})",
            lambda: f"{self.figure()} OVER (PARTITION BY {self.column()})",
            lambda: "",
        )()
        if self.chance(0.5):
            parts[place] = given
        else:
            parts.insert(place, given)
        return " ".join(parts)

    def dressed(self, text):
        """The same statement in other clothes: comments, case, spaces, letters that look alike."""
        words = text.split(" ")
        place = self.dice.randrange(len(words))
        words[place] += self.pick(
            "/* a */", " -- b\n", "/* /* c */ */", "\n", "\t", "\u3000", "\u00a0", "--", "/*", ";"
        )
        whole = " ".join(words)
        return self.pick(whole, whole.upper(), whole.lower(), whole.replace("s", "\u017f", 1))

    def select(self):
        joined = self.chance(0.3)
        self.columns = list(JOINED if joined else ALONE)
        groups = [self.group() for _ in range(self.pick(0, 1, 1, 2))]
        figures = [self.figure() for _ in range(self.pick(1, 1, 2, 3))]
        items = [f"{one} AS x{place}" for place, one in enumerate([*groups, *figures])]
        text = f"SELECT {', '.join(items)} FROM {self.source(joined)}"
        if self.chance(0.7):
            text += f" WHERE {self.condition(2)}"
        if groups:
            by_place = ", ".join(str(place + 1) for place in range(len(groups)))
            text += f" GROUP BY {self.pick('ALL', by_place, ', '.join(groups))}"
        if self.chance(0.1):
            text += f" ORDER BY {self.pick('1', 'x0', 'x0 DESC', 'sum(sal)', 'd')}"
            text += self.pick("", " LIMIT 3", " LIMIT 100000")
        return text

    def source(self, joined):
        if joined and self.chance(0.7):
            return self.pick("t JOIN c ON t.city = c.city", "c JOIN t ON c.city = t.city")
        if joined:
            return self.pick(
                "t JOIN c ON t.city = c.city", "c JOIN t ON c.city = t.city", "t, c",
                "t LEFT JOIN c ON t.city = c.city", "t CROSS JOIN c", "t JOIN c ON t.mon = c.city",
                "t JOIN c ON t.city = c.city AND t.age > 17", "t JOIN c USING (city)",
            )  # fmt: skip
        return self.pick("t", "t", "(SELECT * FROM t) t", f"({INNER}) y", "t AS y")

    def group(self):
        column = self.dice.choice(self.columns)
        if column == "d":
            return self.pick("year(d)", "date_trunc('month', d)", "date_part('year', d)", "d")
        return column if column in {"mon", "region", "t.city", "city"} else self.pick("mon", column)

    def figure(self):
        whole = self.pick(
            lambda: f"sum({self.measure(2)})",
            lambda: "count(*)",
            lambda: f"avg({self.pick('sal', 'tax')})",
            lambda: "count(DISTINCT pid)",
            lambda: f"count({self.column()})",
            lambda: f"count_if({self.condition(1)})",
            lambda: f"{self.pick('min', 'max')}({self.pick('tax', 'sal')})",
            lambda: f"sum({self.measure(1)}) / sum({self.measure(1)})",
            lambda: f"{self.number()} * sum({self.measure(1)}) - count(*)",
        )()
        if whole.endswith(")") and whole.count("(") == 1 and self.chance(0.2):
            whole += f" FILTER (WHERE {self.condition(1)})"
        return whole

    def measure(self, depth):
        if depth == 0 or self.chance(0.3):
            return self.pick("sal", "tax", "sal", self.number())
        left, right = self.measure(depth - 1), self.measure(depth - 1)
        case = f"CASE WHEN {self.condition(1)} THEN {left} ELSE {right} END"
        return self.pick(
            f"({left} + {right})", f"({left} * {right})", f"(-{left} - {right})", case,
            f"if({self.condition(1)}, {left}, {right})",
        )  # fmt: skip

    def condition(self, depth):
        if depth and self.chance(0.6):
            parts = [self.condition(depth - 1) for _ in range(self.pick(2, 2, 3))]
            whole = f"({self.pick(' AND ', ' OR ').join(parts)})"
            return f"NOT {whole}" if self.chance(0.2) else whole
        column = self.column()
        if column == "pid" and self.chance(0.8):
            column = "mon"
        kind = {"d": "day", "name": "text", "region": "text"}.get(column, "number")
        if kind == "text":
            return self.pick(
                f"{column} = {self.pick(*TEXTS)}", f"{column} LIKE {self.pick(*TEXTS)}",
                f"{column} NOT LIKE {self.pick(*TEXTS)}", f"{column} IS NULL",
                f"{column} NOT IN ({self.pick(*TEXTS)}, {self.pick(*TEXTS)})",
            )  # fmt: skip
        if kind == "day":
            day = f"DATE '{self.pick(*DAYS)}'"
            return self.pick(
                f"d {self.pick('<', '>=', '=', '<>')} {day}", f"year(d) = {self.pick(2019, 2020)}",
                f"d < {day} + INTERVAL '3' MONTH", f"d BETWEEN {day} AND {day} + 40",
                f"d < CAST('{self.pick(*DAYS)}' AS DATE)", "d = 5",
            )  # fmt: skip
        return self.pick(
            f"{column} {self.pick('<', '<=', '=', '<>', '>', '>=')} {self.number()}",
            f"{column} BETWEEN {self.number()} AND {self.number()}",
            f"{column} IN ({self.number()}, {self.number()})", f"{column} IS NOT NULL",
            f"{self.number()} < {column}",
            f"{column} {self.pick('<', '<=', '=', '<>')} {self.pick('mon', 'age')}",
            f"{column} < {self.number()} + {self.number()}", f"{column} = 'a'",
        )  # fmt: skip

    def column(self):
        return self.dice.choice(self.columns)

    def type(self):
        return self.pick("INT", "VARCHAR", "DATE", "DECIMAL(12, 2)", "DOUBLE", "BOOLEAN", "BLOB")

    def number(self):
        if self.is_binding and self.chance(0.3):
            self.bound = (*self.bound, self.pick(0, 1, 3, 18, 60))
            return f"${len(self.bound)}"
        return self.dice.choice(NUMBERS)
