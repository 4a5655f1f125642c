# SPDX-License-Identifier: Apache-2.0
"""The stories the demonstration tells, on a demonstration clock, through public commands only.

`STORIES` has one for each profile that has one: its cast and its chapters. A **chapter** is one
step of the main job, made of **scenes**; a scene is a function that acts on the **stage** and tells
**beats**, each with a day, an actor and figures; `cli.journal` remembers them. What is data stands
in `cast.toml`, `tables.toml`, `papers.toml`. Start reading in `stage`, then `collecting`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lingqu.cli.story import (
    authorizing,
    building,
    collecting,
    contracting,
    deliveries,
    finding,
    opening,
    pricing,
    proving,
    qinzhou,
    settling,
    using,
)
from lingqu.cli.story.actors import GUANGXI, QINZHOU, Actor
from lingqu.cli.story.deliveries import Region
from lingqu.cli.story.elsewhere import folder_elsewhere
from lingqu.cli.story.opening import accounts_file, read_passwords
from lingqu.cli.story.stage import Chapter, Stage

BEGINS = "2025-03-03T00:00:00Z"
"""Where the demonstration's clock stands when a story begins: the first working day on which the
rules on registration, authorised operation and price (in force since 2025-03-01) hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A cast and the chapters it plays."""

    cast: Mapping[str, Actor]
    region: Region
    chapters: tuple[Chapter, ...]


STORIES: Mapping[str, Story] = MappingProxyType({
    "guangxi": Story(
        cast=GUANGXI,
        region=deliveries.GUANGXI,
        chapters=(
            Chapter(
                name="collect",
                scenes=(
                    opening.register_actors,
                    *collecting.SCENES,
                    *finding.GUANGXI,
                    collecting.confirm_levels,
                ),
            ),
            Chapter(name="authorise", scenes=authorizing.SCENES),
            Chapter(name="build", scenes=building.SCENES),
            Chapter(name="price", scenes=pricing.SCENES),
            Chapter(name="contract", scenes=(*contracting.SCENES, settling.register_plans)),
            Chapter(name="use", scenes=using.SCENES),
            Chapter(name="settle", scenes=settling.SCENES),
            Chapter(name="prove", scenes=proving.SCENES),
        ),
    ),
    "qinzhou": Story(
        cast=QINZHOU,
        region=deliveries.QINZHOU,
        chapters=(
            Chapter(
                name="collect",
                scenes=(
                    opening.register_actors,
                    *collecting.SCENES,
                    qinzhou.compare,
                    qinzhou.mend,
                    collecting.confirm_levels,
                ),
            ),
            Chapter(name="authorise", scenes=authorizing.SCENES),
            Chapter(name="open", scenes=qinzhou.OPENING),
            Chapter(name="build", scenes=building.REGISTERED),
            Chapter(name="venue", scenes=(*qinzhou.LISTING, qinzhou.prove)),
        ),
    ),
})  # fmt: skip
"""The story of each profile that has one."""

__all__ = (
    "BEGINS",
    "STORIES",
    "Actor",
    "Chapter",
    "Stage",
    "Story",
    "accounts_file",
    "folder_elsewhere",
    "read_passwords",
)
