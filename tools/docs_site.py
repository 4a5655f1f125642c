# SPDX-License-Identifier: Apache-2.0
"""Hides how the Markdown of the repository becomes a checked, readable HTML site (`make docs`)."""

from __future__ import annotations

import html
import itertools
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

import console

SITE = console.ROOT / "site"
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.6 system-ui, "Noto Sans CJK SC", "Microsoft YaHei", sans-serif; margin: 0; }
div { display: grid; grid-template-columns: minmax(12rem, 18rem) minmax(0, 50rem); gap: 2.5rem;
      margin: 0 auto; max-width: 74rem; padding: 1.5rem; }
nav { font-size: .9rem; } nav ul { list-style: none; margin: 0 0 1rem; padding: 0; }
nav strong { display: block; } nav [aria-current] { font-weight: 700; }
main { overflow-wrap: anywhere; } img { max-width: 100%; } pre { overflow-x: auto; padding: .8rem; }
pre, code { background: color-mix(in srgb, currentColor 8%, transparent); border-radius: 4px; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); padding: .3rem .6rem;
         text-align: left; vertical-align: top; }
@media (max-width: 50rem) { div { display: block; } }
"""


def sources() -> tuple[Path, ...]:
    """Every Markdown file a reader may open: those at the root first, then `docs`."""
    root = sorted(console.ROOT.glob("*.md"))
    return (*root, *sorted((console.ROOT / "docs").rglob("*.md")))


def markdown() -> MarkdownIt:
    """CommonMark with tables; HTML in a text is shown, not obeyed."""
    return MarkdownIt("commonmark", {"html": False}).enable("table")


def parse(text: str) -> list[Token]:
    """The tokens of a Markdown text, with tables; headings get anchors."""
    tokens = markdown().parse(text)
    seen: dict[str, int] = {}
    for opening, inline in itertools.pairwise(tokens):
        if opening.type == "heading_open":
            slug = slug_of(inline.content)
            count = seen[slug] = seen.get(slug, -1) + 1
            opening.attrSet("id", f"{slug}-{count}" if count else slug)
    return tokens


def slug_of(heading: str) -> str:
    """The anchor of a heading, by the rule code hosts use: words in lower case, dashes between."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def links(tokens: list[Token]) -> Iterator[Token]:
    """Every link and picture in a text."""
    for token in tokens:
        yield from links(token.children or [])
        if token.type in {"link_open", "image"}:
            yield token


def target_of(token: Token) -> str:
    """Where a link or picture points, as it was written: the parser puts Chinese into percents."""
    return unquote(str(token.attrGet("href") or token.attrGet("src") or ""))


def broken_links(files: tuple[Path, ...]) -> tuple[str, ...]:
    """Links inside the repository that lead to no file or no heading."""
    found = []
    for file in files:
        for token in links(parse(file.read_text(encoding="utf-8"))):
            target = target_of(token)
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            aim = (file.parent / path).resolve() if path else file
            if not aim.exists() or (anchor and anchor not in anchors(aim)):
                found.append(f"{file.name}: {target}")
    return tuple(found)


def anchors(file: Path) -> set[str]:
    """The anchors of a Markdown file's headings."""
    if file.suffix != ".md":
        return set()
    return {str(token.attrGet("id")) for token in parse(file.read_text(encoding="utf-8"))}


def title_of(file: Path) -> str:
    """The first heading of a page, or its name."""
    heading = re.search(r"^#\s+(.+)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return heading[1].strip() if heading else file.stem


def build() -> int:
    """Render every page into `site/`; 1 when a link leads nowhere."""
    files = sources()
    broken = broken_links(files)
    for line in broken:
        console.say(f"broken link in {line}")
    shutil.rmtree(SITE, ignore_errors=True)
    titles = {file: title_of(file) for file in files}
    for file in files:
        page = page_of(file)
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(render(file, titles), encoding="utf-8")
    for picture in (console.ROOT / "docs").rglob("*.png"):
        place = SITE / picture.relative_to(console.ROOT)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, place)
    first = page_of(console.ROOT / "README.md")
    if first.exists():
        shutil.copy(first, SITE / "index.html")
    console.say(f"{len(files)} pages in {SITE.relative_to(console.ROOT)}/")
    return 1 if broken else 0


def page_of(file: Path) -> Path:
    """Where a Markdown file's page lies in the site."""
    return SITE / file.relative_to(console.ROOT).with_suffix(".html")


def render(file: Path, titles: dict[Path, str]) -> str:
    """One page: the list of pages on the left, the text on the right."""
    tokens = parse(file.read_text(encoding="utf-8"))
    for token in links(tokens):
        target = target_of(token)
        if token.type == "link_open" and not re.match(r"[a-z]+:", target):
            token.attrSet("href", re.sub(r"\.md(?=#|$)", ".html", target))
    renderer = markdown()
    body = renderer.renderer.render(tokens, renderer.options, {})
    home = "../" * (len(file.relative_to(console.ROOT).parts) - 1)
    language = "zh-CN" if "zh-CN" in str(file) else "en"
    return (
        f'<!doctype html>\n<html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(titles[file])} · Lingqu</title><style>{STYLE}</style></head>\n"
        f"<body><div><nav>{navigation(file, titles, home)}</nav>\n<main>{body}</main></div></body>"
        "</html>\n"
    )


def navigation(current: Path, titles: dict[Path, str], home: str) -> str:
    """The list of all pages, by folder."""
    groups: dict[str, list[str]] = {}
    for file, title in titles.items():
        place = file.relative_to(console.ROOT)
        mark = ' aria-current="page"' if file == current else ""
        address = home + place.with_suffix(".html").as_posix()
        item = f'<li><a href="{html.escape(address)}"{mark}>{html.escape(title)}</a></li>'
        groups.setdefault(place.parent.as_posix(), []).append(item)
    return "".join(
        f"<strong>{html.escape('Lingqu' if folder == '.' else folder)}</strong>"
        f"<ul>{''.join(items)}</ul>"
        for folder, items in groups.items()
    )


if __name__ == "__main__":
    sys.exit(console.guarded(build))
