# SPDX-License-Identifier: Apache-2.0
"""Where the words are: one catalog `messages.toml` in each package, keyed by code.

Chinese (zh-CN) is complete and the default. An entry has `zh` and `en`, and for a refusal
`next_zh` and `next_en`, which say what to do now. `{name}` in a text stands for a parameter.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Literal
from zoneinfo import ZoneInfo

from lingqu.kernel import errors
from lingqu.kernel.time import Instant, as_instant

Language = Literal["zh-CN", "en"]
LANGUAGES: tuple[Language, ...] = ("zh-CN", "en")
DEFAULT_LANGUAGE: Language = "zh-CN"

PACKAGES = (
    "kernel",
    "runtime",
    "trust",
    "ledger",
    "supply",
    "rights",
    "market",
    "gate",
    "supervision",
    "interop",
    "api",
    "ui",
    "cli",
    "cli/story",
)
"""The packages that may hold a catalog."""

_TEXTS = ("zh", "en", "next_zh", "next_en")
_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")
_ACCEPTED = re.compile(
    r"([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*|\*)(?:\s*;\s*q=([01](?:\.\d{0,3})?))?"
)
_FAMILY_WORDS = MappingProxyType({
    "not_found": ("没有找到", "Not found"),
    "forbidden": ("无权操作", "Not allowed"),
    "conflict": ("与现状冲突", "Conflict"),
    "rejected": ("内容不符合要求", "Not acceptable"),
    "unavailable": ("暂时不可用", "Not available now"),
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """The texts of one code; the `next_` texts are empty where it is a label, not a refusal."""

    zh: str = ""
    en: str = ""
    next_zh: str = ""
    next_en: str = ""

    def text(self, language: Language) -> str:
        """What it says, with Chinese in the place of a text that is missing."""
        return (self.en or self.zh) if language == "en" else self.zh

    def next_step(self, language: Language) -> str:
        """What to do now, or an empty text."""
        return (self.next_en or self.next_zh) if language == "en" else self.next_zh


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A refusal in words: for a page, a problem document or a terminal."""

    code: str
    family: str
    title: str
    next_step: str
    article: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something that is wrong in the catalogs: the code, and what is wrong with it."""

    code: str
    fault: Literal["no entry", "empty text", "placeholders differ"]


@functools.cache
def catalog() -> Mapping[str, Message]:
    """This will give every message by its code, read once from all packages."""
    found: dict[str, Message] = {}
    for package in PACKAGES:
        source = resources.files("lingqu").joinpath(package, "messages.toml")
        if source.is_file():
            read_catalog(source.read_text(encoding="utf-8"), package=package, into=found)
    return MappingProxyType(found)


def read_catalog(text: str, *, package: str, into: dict[str, Message]) -> None:
    """This will add the entries of one catalog; a mistake in it is a programming mistake."""
    for code, entry in tomllib.loads(text).items():
        assert code not in into, f"{package}: {code} is explained twice"
        assert isinstance(entry, dict), f"{package}: {code} must be a table of texts"
        assert set(entry) <= set(_TEXTS), f"{package}: {code} has {set(entry) - set(_TEXTS)}"
        into[code] = Message(**entry)


def translate(code: str, language: Language, **params: errors.Parameter) -> str:
    """This will give the text of a code; never raises: what is missing shows as its name."""
    message = catalog().get(code)
    return _filled(message.text(language), params) if message and message.zh else code


def explain(error: errors.LingquError, language: Language) -> Explanation:
    """This will put a refusal into words. Without an entry it shows the family and the code."""
    message = catalog().get(error.code)
    if message is None or not message.zh:
        words = _FAMILY_WORDS.get(error.family, ("出现错误", "Error"))
        title = f"{words[language == 'en']} ({error.code or type(error).__name__})"
        message = Message(zh=title, en=title)
    return Explanation(
        code=error.code,
        family=error.family,
        title=_filled(message.text(language), error.parameters),
        next_step=_filled(message.next_step(language), error.parameters),
        article=error.article,
    )


def missing() -> tuple[Missing, ...]:
    """This will list every refusal of ours without words, and every entry with a fault."""
    ours = {cls.code for cls in errors.registered() if cls.__module__.startswith("lingqu.")}
    return check_messages(catalog(), refusals=ours)


def check_messages(messages: Mapping[str, Message], *, refusals: set[str]) -> tuple[Missing, ...]:
    """This will check messages against each other and against the codes of refusals."""
    found = [Missing(code=code, fault="no entry") for code in sorted(refusals - set(messages))]
    for code, message in sorted(messages.items()):
        needed = [message.zh, message.en]
        if code in refusals or message.next_zh or message.next_en:
            needed += [message.next_zh, message.next_en]
        if not all(text.strip() for text in needed):
            found.append(Missing(code=code, fault="empty text"))
        same = _names(message.zh) == _names(message.en)
        if not same or _names(message.next_zh) != _names(message.next_en):
            found.append(Missing(code=code, fault="placeholders differ"))
    return tuple(found)


def choose_language(accept_language: str | None, cookie: str | None) -> Language:
    """This will choose by the cookie, else by the header (RFC 9110, 12.5.4), else Chinese."""
    for language in LANGUAGES:
        if cookie == language:
            return language
    best: tuple[float, Language] = (0.0, DEFAULT_LANGUAGE)
    for tag, quality in _ACCEPTED.findall((accept_language or "")[:1000]):
        spoken = _spoken(tag.lower())
        if spoken is not None and float(quality or 1) > best[0]:
            best = (float(quality or 1), spoken)
    return best[1]


def format_instant_local(
    instant: Instant, time_zone: str, language: Language, *, is_bare: bool = False
) -> str:
    """This will write an instant as local time to the minute, with the offset in English.

    `is_bare` leaves the offset out, for a list that names the zone once.

    Raises ZoneInfoNotFoundError for a zone that does not exist; settings are checked before.
    """
    local = as_instant(instant).astimezone(ZoneInfo(time_zone))
    if language == "en":
        offset = local.strftime("%z")
        minute = f"{local:%Y-%m-%d %H:%M}"
        return minute if is_bare else f"{minute} (UTC{offset[:3]}:{offset[3:5]})"
    return f"{local.year}年{local.month}月{local.day}日 {local:%H:%M}"


def _spoken(tag: str) -> Language | None:
    if tag == "*":
        return DEFAULT_LANGUAGE
    primary = tag.partition("-")[0]
    return "en" if primary == "en" else "zh-CN" if primary == "zh" else None


def _filled(text: str, params: Mapping[str, errors.Parameter]) -> str:
    def value(match: re.Match[str]) -> str:
        given = params.get(match[1])
        return match[0] if given is None else str(given)

    return _PLACEHOLDER.sub(value, text)


def _names(text: str) -> list[str]:
    return sorted(set(_PLACEHOLDER.findall(text)))
