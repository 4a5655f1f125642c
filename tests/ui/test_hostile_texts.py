# SPDX-License-Identifier: Apache-2.0
"""Every string of the list of naughty ones, in every text field of the API and of the pages.

It comes back as it was sent, without the blanks around it, or is refused by a typed refusal that
names the field or quotes the text; nothing breaks and nothing is shown as anything but text.
"""

import contextlib
import hashlib
import itertools
import json
import os
import random
import re
import secrets
import sys
from collections import Counter
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from crawling import route_of
from every_field import PLAIN, Description, Forms, fresh, put, values
from hostile_forms import Hostile, typed
from portal_world import build
from test_portal import pages
from test_trade_story import told
from trade_story import Story, play
from web_server import running, write

from lingqu import trust
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id

FIXTURES = Path(__file__).parents[1] / "fixtures"
STRINGS = json.loads((FIXTURES / "blns.json").read_text(encoding="utf-8"))
FULL = bool(os.environ.get("FULL_MATRIX"))
pytestmark = pytest.mark.timeout(10_000 if FULL else 3_000)
NUMBER = int(os.environ.get("LINGQU_TEXT_SEED") or secrets.randbelow(2**32))
_ASKED = int(os.environ.get("LINGQU_TEXT_STRINGS") or 0)
EVERY, SOME = (_ASKED or len(STRINGS), 24) if FULL else (_ASKED or 1, 1)
"""How many strings a field gets: one that takes text, and one that takes a word of ours.

Every field of a request is tried at once, each with a string of its own, so that as many requests
as there are strings bring each string to each field. In everyday runs the list is dealt out.
"""

NAMED = {
    "supply.resource.bad": {"name", "label", "meaning"},
}
"""Refusals that are about one field and say so in their words, not in a parameter."""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with running(tmp_path_factory.mktemp("hostile")) as server:
        yield server, build(server)


@pytest.fixture(scope="module")
def key(world):
    """The key of a machine that may do everything for everybody of the region."""
    server, made = world
    account, secret = new_id(trust.AccountId), trust.new_secret()
    server.execute(
        trust.open_account,
        account=account,
        party=made.parties["civil"],
        kind=trust.AccountKind.MACHINE,
        login=None,
        password=None,
    )
    server.execute(
        trust.issue_api_key,
        api_key=new_id(trust.ApiKeyId),
        account=account,
        label="every field",
        secret=Hidden(secret),
    )
    given = set(trust.Role) - {trust.Role.PLATFORM, trust.Role.SIGNED_IN, trust.Role.VISITOR}
    for role, party in itertools.product(given, made.parties.values()):
        server.execute(
            trust.assign_role,
            assignment=new_id(trust.AssignmentId),
            account=account,
            role=role,
            party=party,
        )
    return secret


@pytest.fixture(scope="module")
def dealt():
    """Gives so many strings, another one each time, in the order of this run's number."""
    sys.stdout.write(f"LINGQU_TEXT_SEED={NUMBER}\n")
    order = itertools.cycle(random.Random(NUMBER).sample(STRINGS, len(STRINGS)))
    return lambda many: tuple(itertools.islice(order, many))


def known_in(made, route):
    """What the fields of a route hold when one of them is tried: new ids, and things there are."""
    civil, bank = made.parties["civil"], made.parties["bank"]
    party = fresh("pty") if route in {"trust/parties", "trust/organizations"} else civil
    common = {
        "party": party, "body": civil, "owner": bank, "holder": made.parties["operator"],
        "territory": "450721", "region": "450721", "resource": made.resources[0],
        "evidence": "0a" * 32, "duty": fresh("dty"), "catalog": fresh("cat"),
        "procedure": fresh("prc"), "ground": fresh("gnd"), "hold": fresh("hld"),
        "api_key": fresh("apk"), "account": fresh("acc"), "password": secrets.token_hex(12),
        "login": secrets.token_hex(8), "item": secrets.token_hex(8),
        "operator": made.parties["operator"],
    }  # fmt: skip
    ledger = {"debit": made.account, "credit": made.account, "id": fresh("tfr")}
    more = {
        "trust/accounts": {"kind": "person"},
        "trust/api-keys": {"account": made.callers["buyer"].account},
        "trust/organizations": {"kind": "enterprise"},
        "trust/organizations/{party}/describe": {"kind": "enterprise"},
        "trust/holds": {"subject": made.grants[2]},
        "trust/procedures": {
            "chart": "complaint",
            "subject": made.resources[2],
            "parts": [
                {"role": "complainant", "party": bank},
                {"role": "handler", "party": made.parties["registrar"]},
            ],
        },
        "ledger/currencies": {"currency": "X" + secrets.token_hex(3).upper(), "scale": 2},
        "ledger/accounts": {"kind": "funds", "account": fresh("lac")},
        "ledger/transfers": ledger,
        "supply/resources": {"resource": fresh("res")},
        "rights/codes": {"code": "x" + secrets.token_hex(6)},
    }
    return common | more.get(route, {})


ACCEPTED = {
    "trust/parties", "trust/parties/{party}/rename", "trust/accounts", "trust/api-keys",
    "trust/organizations", "trust/organizations/{party}/describe", "trust/holds",
    "trust/procedures", "ledger/currencies", "ledger/accounts", "supply/duties",
    "supply/resources/{resource}/revise", "supply/resources/{resource}/grade", "supply/catalogs",
    "rights/codes", "rights/grounds",
}  # fmt: skip
"""Routes whose plain body is taken: what they refuse with another text is refused for it."""


SHOWN_ELSEWHERE = {
    ("supply/resources/{resource}/grade", "reason"),
    ("trust/procedures/timers/recount", "after"),
}
"""Answers in which a field's name stands for something else."""


def address(path, server, made):
    given = {
        "party": made.parties["civil"], "resource": made.resources[0], "grant": made.grants[2],
        "procedure": made.cases[0], "account": server.accounts["member"],
    }  # fmt: skip
    return re.sub(r"\{(\w+)\}", lambda found: str(given.get(found[1], "none")), path)


def is_named(problem, field, text):
    """Whether a refusal names the field, or quotes what stood there."""
    parameters = problem["parameters"]
    said = " ".join(map(str, (*parameters, *parameters.values(), problem["code"])))
    quoted = any(
        text.strip().startswith(str(one).strip()) if one else not text.strip()
        for one in parameters.values()
    )
    return field in said or quoted or field in NAMED.get(problem["code"], ())


def test_every_text_field_of_the_api_keeps_or_refuses_every_string(world, key, dealt):
    server, made = world
    taken, trouble, sent = set(), [], 0
    with server.machine(key) as machine:
        described = Description(document=machine.get("/api/openapi.json").json())
        for path, schema in described.writes():
            route = path.removeprefix("/api/v1/")

            def post(given, path=path, schema=schema, route=route):
                body = described.body(schema, known_in(made, route))
                for way, text in given.items():
                    body = put(body, way, text)
                return machine.post(address(path, server, made), json=body, headers=write())

            if post({}).is_success:
                taken.add(route)
            ways = list(described.texts(schema))
            free = [way for way in ways if not FULL or takes_text(post({way: PLAIN}), way)]
            order = {way: dealt(EVERY if way in free else SOME) for way in ways}
            for turn in range(max(map(len, order.values()), default=0)):
                given = {way: texts[turn] for way, texts in order.items() if turn < len(texts)}
                count, faults = brought(post, route, given)
                sent += count
                trouble += [(route, *fault) for fault in faults]
    sys.stdout.write(f"{sent} requests\n")
    assert not trouble, "\n".join(map(str, trouble))
    assert taken >= ACCEPTED


def name_of(way):
    """What a field is called."""
    return next(one for one in reversed(way) if isinstance(one, str))


def takes_text(answer, way):
    """Whether a field takes any text, or is nothing one could tell because of something else."""
    return answer.is_success or not is_named(answer.json(), name_of(way), PLAIN)


def brought(post, route, given):
    """Send texts in their fields; each that is refused gives way to what is plain, until all went.

    Gives how many requests that took, and what was wrong.
    """
    left, count = dict(given), 0
    while True:
        answer = post(left)
        count += 1
        if answer.is_success or answer.status_code >= 500:
            faults = [(way, text, judged(answer, route, name_of(way), text))
                      for way, text in left.items()]  # fmt: skip
            return count, [one for one in faults if one[2]]
        problem = answer.json()
        if not problem["code"] or not problem["title"]:
            return count, [(None, None, problem)]
        named = [way for way, text in left.items() if is_named(problem, name_of(way), text)]
        if not named:
            fault = (list(left.items()), None, problem)
            return count, [fault] if route in ACCEPTED and left else []
        del left[named[0]]


def judged(answer, route, field, text):
    """What is wrong with what came of a text that was taken; None when it is shown as it was."""
    if answer.status_code >= 500:
        return answer.status_code
    shown = [one for one in values(answer.json(), field) if isinstance(one, str)]
    is_kept = not shown or text.strip() in shown or text in shown
    return None if is_kept or (route, field) in SHOWN_ELSEWHERE else shown


def test_every_text_field_of_every_form_keeps_or_refuses_every_string(world, dealt):
    server, made = world
    trouble, tried = [], Counter()
    with contextlib.ExitStack() as browsers:
        seated = {}
        for login, _, path in pages(made):
            if login not in seated:
                seated[login] = browsers.enter_context(server.browser(login))
            for form in Forms(seated[login].get(path).text).found:
                place = (route_of("POST", urlsplit(urljoin(path, form.action)).path), *form.texts)
                if not form.texts or form.action == "/login" or (place in tried and not FULL):
                    continue
                # The whole list once a form, and one string wherever else it stands.
                many = 1 if place in tried else EVERY
                tried[place] += many
                plain = {"account": server.accounts["member"]}
                trouble += typed(seated[login], path, form, dealt, many, plain)
    sys.stdout.write(f"{len(tried)} forms, {tried.total()} times filled in\n")
    assert not trouble, "\n".join(map(str, trouble))
    assert len(tried) > 15


@pytest.mark.slow
def test_every_form_of_the_story_keeps_or_refuses_every_string(tmp_path, dealt):
    """Each form is filled with the whole list before it is sent as the story goes."""
    with told(tmp_path) as (region, seats):
        used = new_id(trust.CommandId)
        to = region.today()
        people = []

        def sit(login):
            browser = seats.enter_context(region.server.browser(login))
            people.append(Hostile(browser, dealt, used, EVERY))
            return people[-1]

        trust.execute(
            region.server.app.database, trust.register_party, trust.LOCAL_ADMINISTRATOR, used,
            party=new_id(trust.PartyId), kind=trust.PartyKind.SYSTEM, name=to,
        )  # fmt: skip
        Hostile.tried.clear()
        play(Story(region, sit))
        trouble = [one for person in people for one in person.trouble]
        sys.stdout.write(f"{len(Hostile.tried)} forms, {sum(p.sent for p in people)} requests\n")
    assert not trouble, "\n".join(map(str, trouble))


def test_the_strings_are_what_their_sidecar_says():
    sidecar = json.loads((FIXTURES / "blns.sidecar.json").read_text(encoding="utf-8"))
    content = (FIXTURES / "blns.json").read_bytes()
    assert sidecar["sha256"] == hashlib.sha256(content).hexdigest()
    assert sidecar["strings"] == len(STRINGS)
    assert sidecar["package"]["licence"] == "MIT"
    licence = (FIXTURES / "blns.licence.txt").read_text(encoding="utf-8")
    assert "The MIT License" in licence
