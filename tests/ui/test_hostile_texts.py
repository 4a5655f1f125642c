# SPDX-License-Identifier: Apache-2.0
"""Every string of the list of naughty ones, in every text field of the API and of the pages.

It comes back as it was sent, without the blanks around it, or is refused by a typed refusal that
names the field or quotes the text; nothing breaks and nothing is shown as anything but text.
"""

import contextlib
import hashlib
import html
import itertools
import json
import os
import random
import re
import secrets
import sys
from pathlib import Path

import pytest
from every_field import Description, Forms, fresh, put, values
from portal_world import build
from test_portal import pages
from web_server import running, write

from lingqu import trust
from lingqu.kernel.values import Hidden
from lingqu.runtime import new_id

pytestmark = pytest.mark.timeout(3000)

FIXTURES = Path(__file__).parents[1] / "fixtures"
STRINGS = json.loads((FIXTURES / "blns.json").read_text(encoding="utf-8"))
FULL = bool(os.environ.get("FULL_MATRIX"))
NUMBER = int(os.environ.get("LINGQU_TEXT_SEED") or secrets.randbelow(2**32))
_ASKED = int(os.environ.get("LINGQU_TEXT_STRINGS") or 0)
EVERY, SOME = (_ASKED or len(STRINGS), 24) if FULL else (_ASKED or 1, 1)
"""How many strings a field gets: one that is reached, and one that something else stands before.

In everyday runs the list is dealt out over the fields.
"""

NAMED = {
    "supply.resource.bad": {"name", "label", "meaning"},
    "trust.procedure.bad_text": {"title", "opinion", "reason"},
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


def dealt():
    """Every string again and again, in the order of this run's number."""
    sys.stdout.write(f"LINGQU_TEXT_SEED={NUMBER}\n")
    order = random.Random(NUMBER).sample(STRINGS, len(STRINGS))
    return itertools.cycle(order)


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
        text.startswith(str(one)) if one else not text.strip() for one in parameters.values()
    )
    return field in said or quoted or field in NAMED.get(problem["code"], ())


def test_every_text_field_of_the_api_keeps_or_refuses_every_string(world, key):
    server, made = world
    described, strings, taken, trouble = None, dealt(), set(), []
    with server.machine(key) as machine:
        described = Description(document=machine.get("/api/openapi.json").json())
        for path, schema in described.writes():
            route = path.removeprefix("/api/v1/")
            plain = described.body(schema, known_in(made, route))
            if machine.post(address(path, server, made), json=plain, headers=write()).is_success:
                taken.add(route)
            for way in described.texts(schema):
                field = next(one for one in reversed(way) if isinstance(one, str))
                for text in itertools.islice(strings, EVERY if route in ACCEPTED else SOME):
                    body = put(described.body(schema, known_in(made, route)), way, text)
                    answer = machine.post(address(path, server, made), json=body, headers=write())
                    fault = judged(answer, route, field, text)
                    if fault:
                        trouble.append((route, field, text, fault))
    assert not trouble, "\n".join(map(str, trouble))
    assert taken >= ACCEPTED


def judged(answer, route, field, text):
    """What is wrong with an answer to a text; None when it was kept or refused as promised."""
    if answer.status_code >= 500:
        return answer.status_code
    if answer.is_success:
        shown = [one for one in values(answer.json(), field) if isinstance(one, str)]
        if (
            (route, field) not in SHOWN_ELSEWHERE
            and shown
            and text.strip() not in shown
            and text not in shown
        ):
            return shown
        return None
    problem = answer.json()
    if not problem["code"] or not problem["title"]:
        return problem
    if route in ACCEPTED and not is_named(problem, field, text):
        return problem
    return None


def test_every_text_field_of_every_form_keeps_or_refuses_every_string(world):
    server, made = world
    strings, trouble, tried = dealt(), [], set()
    member = server.accounts["member"]
    with contextlib.ExitStack() as open_browsers:
        browsers = {}
        for login, _, path in pages(made):
            if login not in browsers:
                browsers[login] = open_browsers.enter_context(server.browser(login))
            browser = browsers[login]
            for number, form in enumerate(Forms(browser.get(path).text).found):
                for field in form.texts if form.action != "/login" else ():
                    for text in itertools.islice(strings, EVERY):
                        fault = typed(browser, path, number, {"account": member, field: text})
                        if fault == "gone":
                            break
                        tried.add((form.action.rpartition("/")[2], field))
                        if fault:
                            trouble.append((path, form.action, field, text, fault))
    assert not trouble, "\n".join(map(str, trouble))
    assert len(tried) > 15


SHOWN = {
    ("parties", "name"), ("rename", "name"), ("duties", "item"),
}  # fmt: skip
"""Forms that are answered with a page on which the text stands."""


def typed(browser, path, number, given):
    """Fill in one form of a page as it is now, the last of what is given with a text to try."""
    field, text = list(given.items())[-1]
    found = Forms(browser.get(path).text).found
    if number >= len(found) or field not in found[number].texts:
        return "gone"
    form = found[number]
    fields = form.fields | {name: given[name] for name in given if name in form.texts}
    sent = {"files": {"none": ("", b"")}} if form.is_upload else {}
    answer = browser.post(form.action, data=fields, **sent, follow_redirects=True)
    if answer.status_code >= 500:
        return answer.status_code
    markup = text.strip()
    if "<" in markup and len(markup) > 8 and markup in answer.text:
        return "shown as markup"
    if answer.status_code >= 400 and 'role="alert"' not in answer.text:
        return f"{answer.status_code} says nothing"
    is_shown = markup in html.unescape(answer.text)
    if answer.is_success and (form.action.rpartition("/")[2], field) in SHOWN and not is_shown:
        return "not shown"
    return None


def test_the_strings_are_what_their_sidecar_says():
    sidecar = json.loads((FIXTURES / "blns.sidecar.json").read_text(encoding="utf-8"))
    content = (FIXTURES / "blns.json").read_bytes()
    assert sidecar["sha256"] == hashlib.sha256(content).hexdigest()
    assert sidecar["strings"] == len(STRINGS)
    assert sidecar["package"]["licence"] == "MIT"
    licence = (FIXTURES / "blns.licence.txt").read_text(encoding="utf-8")
    assert "The MIT License" in licence
