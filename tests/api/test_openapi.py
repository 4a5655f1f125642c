# SPDX-License-Identifier: Apache-2.0
"""The description of the API is whole, and no request that follows or breaks it gives a 500."""

import json
import os
import re
import secrets
import sys
from pathlib import Path

import pytest
from api_fuzz import GROUPS, fuzz, routes

from lingqu import trust
from lingqu.api import COMMAND_ROUTES, READING_ROUTES, WITHOUT_ROUTE, v1

FEW = 3
"""Requests to each route; the full matrix sends many more where there is more (tests/ui)."""


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
    found = routes(document, group)
    done = [fuzz(route, server, number, FEW) for route in found]
    sent = sum(sent for sent, _ in done)
    sys.stdout.write(f"{group}: {sent} requests to {len(found)} routes\n")
    assert not [fault for _, faults in done for fault in faults]
