# SPDX-License-Identifier: Apache-2.0
"""Hides how requests to the API are made up: by its description, with ids of things there are."""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping, Sequence
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from web_server import Server, write

GROUPS = (
    "gate", "interop", "ledger", "market", "procedures", "rights", "settlement", "supervision",
    "supply", "trust",
)  # fmt: skip
"""The routes by the word of the domain they belong to."""
Known = Mapping[str, Sequence[str]]
"""What is known to stand in a field, by the field's name."""


def routes(document: dict[str, Any], group: str) -> list[Any]:
    """Every operation of a group; the groups are all there are."""
    every = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    assert {*GROUPS} == {tag for operation in every for tag in operation.tags}
    return [operation for operation in every if group in operation.tags]


def fuzz(
    operation: Any,
    server: Server,
    number: int,
    examples: int,
    *,
    key: str | None = None,
    known: Known | None = None,
) -> tuple[int, list[str]]:
    """Send so many requests to one route; gives how many were sent, and which gave a 500."""
    sent, faults = 0, []

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(), place=st.integers(0, 2**32))
    def send(case: Any, place: int) -> None:
        nonlocal sent
        if known:
            source = random.Random(place)
            for part in ("path_parameters", "query", "body"):
                held = copy.deepcopy(getattr(case, part))
                setattr(case, part, _with_known(held, known, source))
        headers = {"authorization": f"Bearer {key or server.key}"}
        if operation.method == "post":
            headers |= write()
        answer = case.call(base_url=server.url, headers=headers)
        sent += 1
        if answer.status_code >= 500 and answer.status_code != 503:
            faults.append(f"{number} {case.as_curl_command()[:3000]} {answer.text}")

    send()
    return sent, faults


def _with_known(held: Any, known: Known, source: random.Random) -> Any:
    """The same with ids of things there are in most of the fields that have them."""
    if isinstance(held, dict):
        return {
            name: source.choice(known[name])
            if isinstance(value, str) and known.get(name) and source.random() < 0.7
            else _with_known(value, known, source)
            for name, value in held.items()
        }
    if isinstance(held, list):
        return [_with_known(one, known, source) for one in held]
    return held
