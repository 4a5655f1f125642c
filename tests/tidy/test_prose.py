# SPDX-License-Identifier: Apache-2.0
"""Prose may name a path or a symbol only if it exists; decisions have a date and a status."""

import ast
import functools
import re
import subprocess
import sys

import pytest
import source
from source import Finding

import docs_site

NAMED = ("ARCHITECTURE.md", "STYLE.md", "CONTRIBUTING.md", "SECURITY.md", "README.md",
         "README.zh-CN.md", "CHANGELOG.md")  # fmt: skip
HOWTO = source.ROOT / "docs" / "howto"
SAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SUFFIXES = "py|md|sql|toml|txt|in|html|css|js|json|yml|sh"
QUOTED = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
PATH = re.compile(rf"\.?[\w\-]+(?:[./][\w\-]+)*/?(?:\.(?:{SUFFIXES}))?")
LOCAL = (".venv", ".lingqu", "site", "dist")
MEDIA = ("application/", "text/", "image/", "multipart/")
SYMBOL = re.compile(rf"(?:lingqu\.)?(?:{'|'.join(source.LINE)})(?:\.\w+)+")
STATUS = re.compile(r"accepted|proposed|rejected|superseded by \d{4}")
DECISION_LINES = 60
SECTIONS = ("## Decision", "## Rationale", "## Rejected")


# Words that once stood for the same thing, and the one that the glossary settled on.
SETTLED = {
    "共签": "联署",
    "共同签名": "联署",
    "见证签名": "联署",
    "见证人": "见证方",
    "事实": "存证记录",
    "证据包": "举证材料包",
}


def pages():
    return (
        *(source.ROOT / name for name in NAMED if (source.ROOT / name).exists()),
        *source.files(".md", under=[HOWTO, source.ROOT / "docs" / "decisions"]),
    )


def quoted(text):
    return QUOTED.findall(FENCED.sub("", text))


def looks_like_a_path(token):
    if not PATH.fullmatch(token) or token.startswith(MEDIA):
        return False
    return "/" in token or re.search(rf"\.({SUFFIXES})$", token) is not None


def missing_paths(text, where):
    for token in quoted(text):
        if looks_like_a_path(token) and token.partition("/")[0] not in LOCAL:
            places = (source.ROOT, source.PRODUCT, source.ROOT / "docs")
            if not any((place / token).exists() for place in places) and not in_a_package(token):
                yield Finding(f"{where}::{token}", f"`{token}` does not exist")


def in_a_package(token):
    """A bare file name such as `messages.toml` may stand for the file each package has."""
    return "/" not in token and any(source.PRODUCT.glob(f"*/{token}"))


@functools.cache
def dotted_strings():
    """Every dotted string of the source: codes of refusals, names of commands, facts, actions."""
    return frozenset(
        node.value
        for path in source.product_code()
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "." in node.value
    )


def names_in(body):
    """The names a module or class body defines, with the node of each."""
    found = {}
    for node in body:
        if isinstance(node, source.Function | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {target.id: node for target in targets if isinstance(target, ast.Name)}
    return found


def resolves(dotted):
    """Whether `package.module.Class.attribute` leads somewhere in the source."""
    parts = dotted.split(".")
    for cut in range(len(parts), 0, -1):
        path = source.module_path(".".join(parts[:cut]))
        if path is not None:
            return defined(path, parts[cut:])
    return False


def defined(path, rest):
    if not rest:
        return True
    module = source.tree(path)
    node = names_in(module.body).get(rest[0])
    if node is None:
        origin, there = source.origins(module).get(rest[0], ("", ""))
        return bool(origin) and resolves(".".join((origin, there, *rest[1:])))
    if len(rest) == 1:
        return True
    return isinstance(node, ast.ClassDef) and len(rest) == 2 and rest[1] in names_in(node.body)


def missing_symbols(text, where):
    for token in quoted(text):
        bare = token.removesuffix("()")
        if not SYMBOL.fullmatch(bare) or re.search(rf"\.({SUFFIXES})$", bare):
            continue
        full = bare if bare.startswith("lingqu.") else f"lingqu.{bare}"
        if not resolves(full) and bare not in dotted_strings():
            yield Finding(f"{where}::{token}", f"`{token}` does not exist")


def synonyms(text, where):
    for number, line in enumerate(text.splitlines(), 1):
        for word, settled in SETTLED.items():
            if word in line:
                yield Finding(f"{where}:{number}", f"{word} is {settled} (docs/glossary.md)")


def badly_formed(text, where):
    title, _, rest = text.partition("\n")
    number = where.rpartition("/")[2][:4]
    if not re.match(rf"# {number}\. \S", title):
        yield Finding(where, f"the title is not '# {number}. ...'")
    if not re.search(r"^Date: \d{4}-\d\d-\d\d$", rest, flags=re.MULTILINE):
        yield Finding(where, "there is no date (Date: YYYY-MM-DD)")
    status = re.search(r"^Status: (.+)$", rest, flags=re.MULTILINE)
    if not status or not STATUS.fullmatch(status[1]):
        yield Finding(where, "the status is not accepted, proposed, rejected or superseded by NNNN")
    for section in SECTIONS:
        if f"\n{section}\n" not in rest:
            yield Finding(where, f"there is no '{section}'")
    if text.count("\n") > DECISION_LINES:
        yield Finding(where, f"longer than {DECISION_LINES} lines")


def test_every_path_in_prose_exists():
    source.judge(
        "paths", [f for p in pages() for f in missing_paths(source.text(p), source.name(p))]
    )


def test_every_symbol_in_prose_exists():
    source.judge(
        "symbols", [f for p in pages() for f in missing_symbols(source.text(p), source.name(p))]
    )


def test_every_link_in_the_documentation_leads_somewhere():
    assert not docs_site.broken_links(docs_site.sources())


def test_a_settled_word_has_no_synonym_where_a_person_reads_it():
    ours = source.files(".toml", ".html", under=[source.PRODUCT, source.VERIFIER])
    # What an issuer wrote keeps the issuer's words.
    catalogs = [p for p in ours if not p.is_relative_to(source.PRODUCT / "trust/rulebook/data")]
    told = [source.ROOT / "docs" / folder for folder in ("guide", "operate", "howto")]
    guides = [*(p for one in told for p in one.rglob("*.md")), source.ROOT / "README.zh-CN.md"]
    found = [f for p in [*catalogs, *guides] for f in synonyms(source.text(p), source.name(p))]
    assert not found, "\n".join(map(str, found))
    assert len(catalogs) > 5
    assert all(any(p.is_relative_to(one / "zh-CN") for p in guides) for one in told)


def test_the_pictures_of_the_guides_are_small_and_each_is_shown_in_its_language():
    guide = source.ROOT / "docs" / "guide"
    shown = {
        (file.parent / docs_site.target_of(token)).resolve()
        for file in guide.rglob("*.md")
        for token in docs_site.links(docs_site.parse(source.text(file)))
        if token.type == "image" and token.content and file.parent.name in str(token.attrGet("src"))
    }
    drawn = {*(guide / "images").glob("*.png")}
    assert shown == drawn
    assert drawn
    assert all(one.stat().st_size <= 60 * 1024 for one in drawn)


def test_decisions_are_numbered_dated_and_have_a_status():
    records = source.files(".md", under=[source.ROOT / "docs" / "decisions"])
    assert records
    numbers = [int(path.name[:4]) for path in records]
    assert numbers == list(range(1, len(numbers) + 1))
    source.judge(
        "decisions", [f for p in records for f in badly_formed(source.text(p), source.name(p))]
    )


@pytest.mark.parametrize("page", ["STYLE.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"])
def test_the_house_documents_are_there(page):
    assert len(source.text(source.ROOT / page)) > 1000


@pytest.mark.parametrize("recipe", sorted(p.name for p in HOWTO.glob("*.md")))
def test_the_code_of_a_recipe_runs(recipe):
    code = "\n".join(SAMPLE.findall(source.text(HOWTO / recipe)))
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_planted_paths_and_symbols_are_found():
    assert [*missing_paths("see `src/lingqu/nowhere.py`", "x.md")]
    assert [*missing_paths("see `docs/howto/fly.md`", "x.md")]
    assert not [*missing_paths("`src/lingqu`, `kernel/errors.py`, `LICENSE`, `a b/c`", "x.md")]
    assert not [*missing_paths("`/api/v1/things`, `application/problem+json`, `.venv/bin/x`", "x")]
    assert not [*missing_paths("```\ntree/not/here.py\n```", "x.md")]
    assert [*missing_symbols("call `kernel.errors.nothing()`", "x.md")]
    assert [*missing_symbols("`lingqu.kernel.nowhere`", "x.md")]
    fine = "`kernel.errors.registered()`, `lingqu.kernel.errors.LingquError.code`, `kernel.id.bad`"
    assert not [*missing_symbols(fine, "x.md")]


def test_a_planted_synonym_is_found():
    assert [*synonyms('zh = "一条事实"', "x.toml")]
    assert not [*synonyms('zh = "一条存证记录，已联署"', "x.toml")]


def test_planted_bad_decisions_and_links_are_found(tmp_path):
    good = "# 0007. Why\n\nDate: 2026-11-21\nStatus: accepted\n" + "".join(
        f"\n{section}\n\nText.\n" for section in SECTIONS
    )
    assert not [*badly_formed(good, "docs/decisions/0007-why.md")]
    assert len([*badly_formed("# Why\n", "docs/decisions/0007-why.md")]) == 6
    assert [*badly_formed(good.replace("accepted", "maybe"), "docs/decisions/0007-why.md")]
    assert [*badly_formed(good + "\n" * 60, "docs/decisions/0007-why.md")]
    page = tmp_path / "page.md"
    page.write_text("# A page\n[here](#a-page) [there](page.md#a-page) [away](https://x.example)\n")
    assert not docs_site.broken_links((page,))
    page.write_text("# 一页（甲）\n[这里](#一页甲) [那里](page.md#一页甲)\n")
    assert not docs_site.broken_links((page,))
    page.write_text("# 一页\n[gone](gone.md) ![gone](gone.png) [no such](#heading) [无](#二页)\n")
    assert len(docs_site.broken_links((page,))) == 4
