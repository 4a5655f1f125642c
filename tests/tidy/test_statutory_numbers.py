# SPDX-License-Identifier: Apache-2.0
"""A statutory number stands in the rulebook and nowhere else; an article that is cited is known."""

import ast
import re

import source
from source import Finding

import reference
from lingqu.kernel import errors
from lingqu.rights import vocabulary
from lingqu.trust import rulebook

RULEBOOK = source.PRODUCT / "trust" / "rulebook"
COUNTING = {"add_working_days", "add_days", "add_months", "shift_days", "shift_months"}
SPANS = {"days", "weeks"}
ONE = 1
CITED = re.compile(
    r"〔\d{4}〕\s*\d+\s*号|第[一二三四五六七八九十百]+条|《[^》]+(?:法|条例|办法|规定)》"
)


def number(node):
    """The integer a node writes out, or None; a sign does not hide it."""
    if isinstance(node, ast.UnaryOp):
        return number(node.operand)
    if isinstance(node, ast.BinOp):
        sides = [number(node.left), number(node.right)]
        return next((one for one in sides if one is not None), None)
    plain = isinstance(node, ast.Constant) and type(node.value) is int
    return node.value if plain else None


def written_periods(module, where):
    """Periods of days and longer that are written out where the calendar counts."""
    for node in ast.walk(module):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func).rpartition(".")[2]
        if name in COUNTING:
            given = [*node.args[1:], *(one.value for one in node.keywords)]
        elif name == "timedelta":
            given = [*node.args[:1], *(one.value for one in node.keywords if one.arg in SPANS)]
        else:
            continue
        for value in map(number, given):
            if value is not None and value > ONE:
                yield Finding(f"{where}::{name}", f"line {node.lineno} counts {value} by itself")


def docstrings(module):
    return {
        id(node.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def written_citations(module, where):
    """Texts that cite a document or article the rulebook does not know."""
    silent = docstrings(module)
    for node in ast.walk(module):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in silent
        ):
            unknown = CITED.search(node.value) and rulebook.resolve_citation(node.value) is None
            if unknown:
                yield Finding(f"{where}::{node.value}", f"line {node.lineno} cites {node.value}")


def domain_code():
    under = [source.PRODUCT / domain for domain in source.DOMAINS]
    return [path for path in source.files(".py", under=under) if RULEBOOK not in path.parents]


def ours():
    """The refusals of the product; tests of other packages register some of their own."""
    return [one for one in errors.registered() if one.__module__.startswith("lingqu.")]


def test_domains_take_their_periods_from_the_rulebook():
    source.judge("written_periods", source.over(domain_code(), written_periods))


def test_domains_cite_only_articles_the_rulebook_knows():
    source.judge("written_citations", source.over(domain_code(), written_citations))


def test_every_refusal_that_cites_an_article_cites_one_that_exists():
    reference.import_everything()
    cited = {one.code: one.article for one in ours() if one.article is not None}
    unknown = {
        code: text for code, text in cited.items() if rulebook.resolve_citation(text) is None
    }
    assert not unknown


def test_no_refusal_cites_a_draft():
    reference.import_everything()
    for one in ours():
        if one.article is not None:
            document, _ = rulebook.resolve_citation(one.article)
            assert document.status is not rulebook.Status.DRAFT, one.code


def test_planted_periods_are_found():
    for text in (
        "timedelta(days=20)", "datetime.timedelta(30)", "timedelta(weeks=2)",
        "calendar.add_working_days(day, 3)", "calendar.add_months(day, count=36)",
        "add_days(day, -60)", "timedelta(days=3 * n)",
    ):  # fmt: skip
        assert source.snippet(text, written_periods), text
    for text in (
        "timedelta(days=1)", "timedelta(seconds=60)", "calendar.add_working_days(day, clock.count)",
        "add_days(day, 1)", "f(20)",
    ):  # fmt: skip
        assert not source.snippet(text, written_periods), text


def test_planted_citations_are_found():
    assert source.snippet("article = '《没有的办法》第一条'", written_citations)
    assert source.snippet("article = '发改数据规〔2025〕26号第九十条'", written_citations)
    known = "article = '《公共数据资源登记管理暂行办法》第十条'"
    assert not source.snippet(known, written_citations)
    assert not source.snippet('"""《没有的办法》第一条"""', written_citations)


def test_the_sources_of_the_codes_of_terms_are_known():
    sources = {one.source for one in vocabulary.built_in_labels()} - {None}
    assert len(sources) > 2
    unknown = {one for one in sources if rulebook.resolve_citation(one.replace("表", " ")) is None}
    assert {one.partition(" ")[0] for one in unknown} <= {"TC609-6-2025-14"}, unknown
