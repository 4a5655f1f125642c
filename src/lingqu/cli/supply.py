# SPDX-License-Identifier: Apache-2.0
"""`lingqu supply`: what is delivered, and whether two deliveries agree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from lingqu import supply as supplies
from lingqu.cli.grammar import argument, group, option
from lingqu.cli.invocation import Invocation, plain_data
from lingqu.cli.text import labelled, table, terminal_width, wrapped
from lingqu.cli.values import PATH

SHOWN = 20


@group("supply")
def supply() -> None:
    """Delivered tables."""


@supply.command("compare")
@argument("left", type=PATH)
@argument("right", type=PATH)
@option("--key", required=True)
@option("--name", "name_column", required=True)
@option("--parent", required=True)
@click.pass_obj
def compare(
    run: Invocation, left: Path, right: Path, key: str, name_column: str, parent: str
) -> None:
    """Compare two code books and say which key is safe."""
    with run.step("supply.compare.step"):
        books = [
            supplies.KeyBook(
                table=supplies.read_table(path),
                key=_column(key, side),
                name=_column(name_column, side),
                parent=_column(parent, side),
            )
            for side, path in enumerate((left, right))
        ]
        found = supplies.compare_tables(*books)
    document = {
        **plain_data(found),
        "swapped": found.swapped,
        "safe_key": found.safe_key.value,
    }
    run.answer(document, lambda: list(_lines(run, found)))


def _column(text: str, side: int) -> str:
    """Give the column on one side: `code` on both, or `parent=county` where they differ."""
    left, equals, right = text.partition("=")
    return right if equals and side else left


def _lines(run: Invocation, found: supplies.Comparison) -> Iterator[str]:
    yield run.word("supply.compare.head", left=found.left, right=found.right)
    counts = (
        ("rows", f"{found.left_rows:,} / {found.right_rows:,}"),
        (
            "parents",
            f"{found.left_parents:,} / {found.right_parents:,}  ({found.shared_parents:,})",
        ),
        (
            "duplicates",
            f"{len(found.left_duplicate_keys):,} / {len(found.right_duplicate_keys):,}",
        ),
        ("empty", f"{found.left_empty_keys:,} / {found.right_empty_keys:,}"),
        ("shared", f"{found.shared_keys:,}"),
        ("conflicts", f"{len(found.conflicts):,}"),
        ("swapped", f"{found.swapped:,}"),
        ("derived", f"{found.derived_matches:,}"),
        ("only", f"{len(found.left_only):,} / {len(found.right_only):,}"),
    )
    yield from labelled((run.word(f"supply.compare.{name}"), value) for name, value in counts)
    if found.conflicts:
        yield ""
        yield run.word("supply.compare.conflict_list")
        yield from table(
            run.heads("key", "left_name", "right_name", "left_elsewhere", "right_elsewhere"),
            (
                (
                    one.key,
                    one.left_name,
                    one.right_name,
                    one.left_elsewhere or "",
                    one.right_elsewhere or "",
                )
                for one in found.conflicts[:SHOWN]
            ),
        )
        if len(found.conflicts) > SHOWN:
            yield run.word("supply.compare.more", count=len(found.conflicts) - SHOWN)
    yield ""
    yield from wrapped(run.word(f"supply.compare.safe_{found.safe_key.value}"), terminal_width())
