# SPDX-License-Identifier: Apache-2.0
"""The description of the API is whole, and no request that follows or breaks it gives a 500."""

import json
import os
import re
import secrets
import sys
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from web_server import write

from lingqu import trust
from lingqu.api import COMMAND_ROUTES, READING_ROUTES, WITHOUT_ROUTE, v1

GROUPS = (
    "gate", "interop", "ledger", "market", "procedures", "rights", "settlement", "supervision",
    "supply", "trust",
)  # fmt: skip
"""The routes by the word of the domain they belong to."""
FEW = 3
"""Requests to each route in everyday runs."""
MANY = int(os.environ.get("LINGQU_FUZZ_REQUESTS") or 5000)
"""Requests to each group in the full matrix."""


@pytest.fixture(scope="module")
def document(server):
    with server.machine() as machine:
        return machine.get("/api/openapi.json").json()


def test_every_command_has_one_route_or_a_reason(document):
    public = {one.name for one in trust.commands() if not one.internal}
    internal = {one.name for one in trust.commands()} - public
    # A route may end in a command that only the platform's own work can make true.
    assert set(COMMAND_ROUTES) - internal == public - set(WITHOUT_ROUTE)
    assert len(set(COMMAND_ROUTES.values())) == len(COMMAND_ROUTES)
    writes = {
        f"{method.upper()} {path}"
        for path, methods in document["paths"].items()
        for method in methods
        if method != "get"
    }
    assert set(READING_ROUTES) <= writes
    assert writes - set(READING_ROUTES) == set(COMMAND_ROUTES.values())


def test_a_route_is_closed_unless_it_says_that_it_is_open(document, server):
    handlers = [
        one
        for router in v1.routers()
        for route in router.routes
        for one in route.route_handlers
        if one.http_methods != {"OPTIONS"}
    ]
    assert len(handlers) > 200
    for one in handlers:
        assert bool(one.guards) != bool(one.opt.get("is_open")), one.fn.__name__
    closed = {
        (method, path)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if operation.get("security")
    }
    assert closed
    with server.browser() as visitor:
        for method, path in closed:
            answer = visitor.request(method, re.sub(r"{\w+}", "1", path))
            assert answer.status_code == 401, (method, path)


def test_what_is_served_is_what_the_reference_holds(document):
    kept = Path(__file__).parents[2] / "docs" / "reference" / "openapi.json"
    assert document == json.loads(kept.read_text(encoding="utf-8"))


def test_the_description_is_openapi_3_1_with_words_for_every_operation(document):
    assert document["openapi"].startswith("3.1")
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            names = {one["name"] for one in operation.get("parameters", ())}
            is_write = method == "post" and f"POST {path}" not in READING_ROUTES
            assert ("Idempotency-Key" in names) == is_write
    assert all("." not in name for name in document["components"]["schemas"]), "no module names"


# The server's threads draw random numbers of their own while an example is made.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@pytest.mark.parametrize("group", GROUPS)
def test_no_fuzzed_request_gives_a_500(server, document, group):
    number = int(os.environ.get("LINGQU_FUZZ_SEED") or secrets.randbelow(2**32))
    sys.stdout.write(f"LINGQU_FUZZ_SEED={number}\n")
    every = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    assert {*GROUPS} == {tag for operation in every for tag in operation.tags}
    routes = [operation for operation in every if group in operation.tags]
    sent = sum(fuzz(route, server, number, FEW) for route in routes)
    turn = number
    # A route that takes little is soon out of new requests; the others make up for it.
    while os.environ.get("FULL_MATRIX") and sent < MANY:
        turn += 1
        each = -(-(MANY - sent) // len(routes))
        sent += sum(fuzz(route, server, turn, each) for route in routes)
    sys.stdout.write(f"{group}: {sent} requests to {len(routes)} routes\n")


def fuzz(operation, server, number, examples):
    """Send so many requests to one route; gives how many were sent."""
    sent = 0

    @seed(number)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy())
    def send(case):
        nonlocal sent
        headers = {"authorization": f"Bearer {server.key}"}
        if operation.method == "post":
            headers |= write()
        answer = case.call(base_url=server.url, headers=headers)
        sent += 1
        assert answer.status_code < 500 or answer.status_code == 503, (number, answer.text)

    send()
    return sent
