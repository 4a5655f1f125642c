# SPDX-License-Identifier: Apache-2.0
"""Which fonts of this machine a Chinese document is set in.

Fonts are not part of Lingqu: the smallest with the characters of names is larger than the rest of
it. They are those of the machine, or files in a folder of one's choice; without one that holds
Chinese a PDF is refused.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import typst

from lingqu.kernel import errors

# Openly licensed families first: the same file then looks the same in every office.
SONG = (
    "Noto Serif CJK SC",
    "Noto Serif SC",
    "Source Han Serif SC",
    "Source Han Serif CN",
    "FandolSong",
    "FandolFang R",
    "AR PL UMing CN",
    "FangSong",
    "STFangsong",
    "SimSun",
    "STSong",
)
HEI = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "Source Han Sans CN",
    "FandolHei",
    "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei",
    "SimHei",
    "STHeiti",
    "Microsoft YaHei",
)


class FontMissing(errors.Unavailable):
    """No font on this machine holds Chinese, so that a PDF cannot be set."""

    code = "runtime.documents.font_missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fonts:
    """The families for the text and for heads, the preferred first; each stands in for the next."""

    body: tuple[str, ...]
    heads: tuple[str, ...]


@functools.lru_cache(maxsize=8)
def find_fonts(folder: Path | None = None) -> Fonts:
    """This will find the Chinese fonts of the machine and of `folder`. Raises FontMissing."""
    return choose_fonts(typst.Fonts(font_paths=folder_of(folder)).families())


def choose_fonts(families: list[str]) -> Fonts:
    """This will choose from the names of font families. Raises FontMissing."""
    song = tuple(name for name in SONG if name in families)
    hei = tuple(name for name in HEI if name in families)
    if not song and not hei:
        raise FontMissing(known=", ".join((*SONG[:3], *HEI[:3])))
    return Fonts(body=song + hei, heads=hei + song)


def folder_of(folder: Path | None) -> list[str]:
    """The folder as typst takes it."""
    return [] if folder is None else [str(folder)]
