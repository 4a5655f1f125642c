# SPDX-License-Identifier: Apache-2.0
"""Drawings made on the server as SVG: how many facts a day, and the way from a leaf to the root."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

_BAR_WIDTH, _BAR_GAP, _BAR_HEIGHT = 18, 6, 96
_STEP_HEIGHT, _WIDTH = 56, 440
_BAR = Markup(
    '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="3"><title>{}</title></rect>'
)
_NODE = Markup(
    '<g class="{0}"><rect x="{1}" y="{2}" width="132" height="30" rx="15"/>'
    '<text x="{3}" y="{4}" text-anchor="middle">{5}…{6}</text><title>{7}</title></g>'
)
_INNER = Markup('<circle class="lq-inner" cx="{}" cy="{}" r="5"/>')


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar: its words for a reader, a short label, its height in units."""

    label: str
    title: str
    count: int


def bars(items: Sequence[Bar], *, title: str) -> Markup:
    """This will draw a bar for each item; every bar can be read as text too."""
    most = max((item.count for item in items), default=0) or 1
    width = max(1, len(items)) * (_BAR_WIDTH + _BAR_GAP)
    parts = [
        Markup(
            '<svg class="lq-bars" viewBox="0 0 {} {}" role="img" aria-label="{}"'
            ' preserveAspectRatio="none">'
        ).format(width, _BAR_HEIGHT + 2, title)
    ]
    for place, item in enumerate(items):
        height = round(item.count / most * (_BAR_HEIGHT - 6)) + (4 if item.count else 1)
        parts.append(
            _BAR.format(
                "lq-bar" if item.count else "lq-bar-none",
                place * (_BAR_WIDTH + _BAR_GAP),
                _BAR_HEIGHT - height,
                _BAR_WIDTH,
                height,
                item.title,
            )
        )
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of an inclusion proof: the neighbour's hash and on which side it stands."""

    side: Literal["left", "right"]
    neighbour: str


def proof_steps(index: int, size: int, proof: Sequence[bytes]) -> tuple[Step, ...]:
    """This will say on which side each hash of an inclusion proof joins (RFC 9162, 2.1.3.2)."""
    steps: list[Step] = []
    place, last = index, size - 1
    for one in proof:
        if place % 2 or place == last:
            steps.append(Step(side="left", neighbour=one.hex()))
            while place and not place % 2:
                place, last = place >> 1, last >> 1
        else:
            steps.append(Step(side="right", neighbour=one.hex()))
        place, last = place >> 1, last >> 1
    return tuple(steps)


def proof_ladder(steps: Sequence[Step], *, leaf: str, root: str, title: str) -> Markup:
    """This will draw the way from a leaf at the bottom to the signed root at the top."""
    height = (len(steps) + 1) * _STEP_HEIGHT + 44
    middle = _WIDTH // 2
    parts = [
        Markup('<svg class="lq-ladder" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(
            _WIDTH, height, title
        )
    ]
    for place, step in enumerate(steps):
        low = height - 22 - place * _STEP_HEIGHT
        high = low - _STEP_HEIGHT
        beside = middle - 152 if step.side == "left" else middle + 152
        parts.append(
            Markup(
                '<path class="lq-way" d="M{0} {1}V{2}"/><path class="lq-join" d="M{3} {1}'
                'C{3} {4} {0} {5} {0} {2}"/>'
            ).format(middle, low, high, beside, low - 26, high + 34)
        )
        parts.append(_node("lq-neighbour", beside, low, step.neighbour))
    top = height - 22 - len(steps) * _STEP_HEIGHT
    parts += [
        _INNER.format(middle, height - 22 - place * _STEP_HEIGHT) for place in range(1, len(steps))
    ]
    parts.append(_node("lq-root", middle, top, root))
    if steps:
        parts.append(_node("lq-leaf", middle, height - 22, leaf))
    parts.append(Markup("</svg>"))
    return Markup("").join(parts)


def _node(kind: str, x: int, y: int, digest: str) -> Markup:
    return _NODE.format(kind, x - 66, y - 15, x, y + 5, digest[:8], digest[-4:], digest)
