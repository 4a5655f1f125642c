# SPDX-License-Identifier: Apache-2.0
"""Hostile and harmless statements of every known category, each with its decision."""

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from governed import POLICY, escapes

from lingqu.gate.governance import Mode
from lingqu.gate.queries import digest
from lingqu.gate.sql import Asked, find_refusal, print_query, read, read_printed
from lingqu.gate.syntax import Dialect, find_unreviewed, get_review
from lingqu.gate.syntax.reading import WORDS_MOST
from lingqu.kernel.errors import LingquError
from lingqu.runtime.engine import version

CORPUS = Path(__file__).parent / "corpus"
GOLDEN = Path(__file__).parent / "printed"
FILES = sorted(CORPUS.glob("*.toml"))
CATEGORIES = 123
LICENCE = "-- SPDX-License-Identifier: Apache-2.0"


def statements(path):
    """Each statement of a file: its category, text, outcome and mode."""
    for category, about in tomllib.loads(path.read_text(encoding="utf-8")).items():
        for text, outcome, *mode in about["statements"]:
            whole = re.sub("«(.*?)×([0-9]+)»", lambda found: found[1] * int(found[2]), text)
            yield int(category), whole, outcome, Mode(mode[0] if mode else "ad_hoc")


def decided(text, mode, policy=POLICY):
    """What is said to a statement, and the query where it is answered."""
    try:
        query = read(text, policy)
        refusal = find_refusal(Asked(query=query, policy=policy, mode=mode))
        if refusal is not None:
            raise refusal
    except LingquError as error:
        told = error.parameters
        names = ("construct", "function", "reason", "use")
        detail = next((told[name] for name in names if told.get(name)), "")
        return f"{error.code.removeprefix('gate.query.')} {detail}".strip(), None
    return "answered", query


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_statement_has_its_decision(path):
    wrong = {}
    for _, text, outcome, mode in statements(path):
        told, query = decided(text, mode)
        if told != outcome:
            wrong[text[:80]] = (told, outcome)
        if query is not None:
            printed = print_query(query, POLICY, dialect=Dialect.DUCKDB)
            assert digest(read_printed(printed, POLICY)) == digest(query), text
            assert escapes(printed.sql, POLICY) == [], text
    assert not wrong


def test_the_corpus_covers_every_category():
    every = [one for path in FILES for one in statements(path)]
    assert {category for category, *_ in every} == set(range(1, CATEGORIES + 1))
    assert len(every) >= 300


def test_every_function_of_the_engine_was_reviewed():
    assert get_review().version == version()
    assert find_unreviewed() == ()


SAME = {
    "a filter": [
        "SELECT sum(sal) FROM t WHERE city = 1 AND mon = 2",
        "SELECT sum(x.sal) AS y FROM t x WHERE NOT (x.mon <> 2 OR x.city NOT IN (1))",
        (
            "WITH p AS (SELECT sal s, city, mon m FROM t WHERE city = 1) SELECT sum(s) FROM p"
            " WHERE m BETWEEN 2 AND 2"
        ),
        "SELECT sum(sal) FROM (SELECT sal, mon, city FROM t) x WHERE city = 1 AND mon = 2",
        "SELECT sum(sal * 2) / 2 FROM t WHERE 1 = 1 AND mon = 2 AND (city = 1 OR city = 1)",
        (
            "SELECT sum(sal + tax * 0) - sum(0 * tax) FROM t WHERE mon IN (2) AND city < 2"
            " AND city >= 1"
        ),
    ],
    "a guard": [
        "SELECT city, sum(CASE WHEN mon = 1 THEN sal ELSE 0 END) FROM t GROUP BY city",
        "SELECT city, sum(sal) FILTER (WHERE mon = 1) FROM t GROUP BY ALL",
        "SELECT city, sum(if(NOT mon <> 1, sal, 0)) s FROM t GROUP BY 1 ORDER BY s LIMIT 3",
    ],
    "a join": [
        "SELECT region, avg(sal) FROM t JOIN c ON t.city = c.city GROUP BY region",
        (
            "SELECT y.region, sum(x.sal) / count(x.sal) FROM c y, t x WHERE y.city = x.city"
            " GROUP BY y.region"
        ),
        "SELECT region, avg(sal) FROM t JOIN c USING (city) GROUP BY region",
        (
            "SELECT region, avg(sal) FROM t, c WHERE (t.city = c.city AND mon = 1)"
            " OR (c.city = t.city AND NOT mon = 1) OR (mon IS NULL AND t.city = c.city)"
            " GROUP BY region"
        ),
    ],
    "a month": [
        (
            "SELECT sum(sal * (1 - tax)) FROM t WHERE d >= DATE '2020-01-01'"
            " AND d < DATE '2020-01-01' + INTERVAL '3' MONTH"
        ),
        "SELECT sum(sal) - sum(tax * sal) FROM t WHERE year(d) = 2020 AND d < '2020-04-01'",
        "SELECT sum(-sal * (tax - 1)) FROM t WHERE NOT (d < '2020-01-01' OR d >= '2020-04-01')",
    ],
}


@pytest.mark.parametrize("what", SAME)
def test_all_ways_to_ask_one_question_are_one_question(what):
    assert len({digest(read(text, POLICY)) for text in SAME[what]}) == 1


def test_questions_that_differ_stay_apart():
    apart = [texts[0] for texts in SAME.values()]
    apart += [f"{apart[0]} AND mon IS NOT NULL AND d IS NULL", "SELECT sum(sal) FROM t"]
    assert len({digest(read(text, POLICY)) for text in apart}) == len(apart)


def test_a_refusal_is_the_same_whatever_is_bound_or_said_in_comments():
    text = "SELECT sum(sal) FROM t WHERE pid = $1 /* {} */"
    told = set()
    for value in (1, 7, 10**17):
        query = read(text.format(value), POLICY, (value,))
        refusal = find_refusal(Asked(query=query, policy=POLICY, mode=Mode.DP))
        told.add((refusal.code, json.dumps(refusal.parameters)))
    assert len(told) == 1


PRINTED = {
    "guards": SAME["a guard"][0],
    "joins": SAME["a join"][0],
    "months": SAME["a month"][0],
    "bands": "SELECT age, year(d), date_trunc('month', d), count(DISTINCT pid), max(tax)"
    " FROM t WHERE age >= 18 AND age < 60 OR city IN (1, 3) OR city IS NULL GROUP BY 1, 2, 3",
    "noise": "SELECT count(*), count(tax) FROM t WHERE name NOT LIKE 'a%' AND age < city",
}


@pytest.mark.parametrize("dialect", Dialect, ids=lambda dialect: dialect.value)
@pytest.mark.parametrize("name", PRINTED)
def test_printed_sql_stays_as_it_was_agreed(name, dialect):
    printed = print_query(read(PRINTED[name], POLICY), POLICY, dialect=dialect)
    values = "".join(f"-- {place + 1}: {one!r}\n" for place, one in enumerate(printed.values))
    expected = (GOLDEN / f"{name}.{dialect.value}.sql").read_text(encoding="utf-8")
    assert f"{LICENCE}\n{printed.sql}\n{values}" == expected


def test_the_compiled_parser_refuses_what_is_too_deep_instead_of_ending_the_process():
    program = (
        "import sys; from lingqu.gate.syntax.library_tree import read_library_tree\n"
        "from lingqu.kernel.errors import LingquError\n"
        "for text in sys.stdin:\n"
        "    try: read_library_tree(text)\n"
        "    except LingquError as refusal: print(refusal.code)"
    )
    words = ("NOT ", "- ", "(", "CASE WHEN ", "(SELECT ", "- NOT ")
    texts = "".join(f"SELECT {word * 16 * WORDS_MOST} 1 FROM t\n" for word in words)
    told = subprocess.run(
        [sys.executable, "-c", program], input=texts, capture_output=True, text=True, check=True
    )
    assert told.stdout.split() == ["gate.query.readings_differ"] * len(words)
