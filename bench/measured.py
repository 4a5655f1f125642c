# SPDX-License-Identifier: Apache-2.0
"""What a bench gives: pairs of both sides, single figures, and the installation it works on."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lingqu.kernel.time import Instant
from lingqu.runtime.postgres import discard_postgres
from lingqu.runtime.settings import Settings, load_settings
from lingqu.wiring import initialize


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both sides of one comparison, a value for each round; ours / baseline, more is better.

    With `less_is_better` the values are durations, and the ratio is baseline / ours.
    """

    name: str
    unit: str
    ours: tuple[float, ...]
    baseline: tuple[float, ...]
    against: str
    bar: float | None = None
    less_is_better: bool = False

    @property
    def ratio(self) -> float:
        """The median of the rounds' ratios: how many times as good as the baseline."""
        both = zip(self.ours, self.baseline, strict=True)
        return statistics.median(b / a if self.less_is_better else a / b for a, b in both)

    @property
    def kept(self) -> bool:
        """Whether the ratio reaches the bar."""
        return self.bar is None or self.ratio >= self.bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure without another side, a value for each round; must stay below its bar."""

    name: str
    unit: str
    values: tuple[float, ...]
    bar: float | None = None

    @property
    def kept(self) -> bool:
        """Whether the median stays below the bar."""
        return self.bar is None or statistics.median(self.values) < self.bar


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that one bench measured, and how."""

    title: str
    method: str
    pairs: tuple[Pair, ...] = ()
    figures: tuple[Figure, ...] = ()


@contextmanager
def bench_folder() -> Iterator[Path]:
    """This will make a folder for a bench, and remove it with the databases in it afterwards."""
    base = Path(tempfile.mkdtemp(prefix="lingqu-bench-"))
    base.chmod(0o755)
    try:
        yield base
    finally:
        for data_dir in base.iterdir():
            if (data_dir / "postgres").exists():
                discard_postgres(data_dir=data_dir)
        shutil.rmtree(base)


@contextmanager
def installation(*, story_from: Instant | None = None) -> Iterator[Settings]:
    """This will make an installation in a folder of its own, and remove it afterwards."""
    base = Path(tempfile.mkdtemp(prefix="lingqu-bench-"))
    base.chmod(0o755)
    data_dir = base / "data"
    settings = load_settings(
        {}, overrides={"data_dir": data_dir, "origin": "lingqu.bench/log", "log_level": "warning"}
    )
    try:
        initialize(settings, origin=settings.origin, story_from=story_from)
        yield settings
    finally:
        discard_postgres(data_dir=data_dir)
        shutil.rmtree(base)
