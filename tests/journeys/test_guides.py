# SPDX-License-Identifier: Apache-2.0
"""The guides are typed word by word, and then everything is killed in the middle of their use.

`CRASH_ROUNDS` says how many rounds of kills (3), `CRASH_SEED` repeats a run.
"""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import sys
import threading
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from terminal import Cli
from walking import BLOCK, Walk

from killing import children, kill
from lingqu.gate import CallId
from lingqu.runtime import new_id

pytestmark = pytest.mark.timeout(900)

DOCS = Path(__file__).parents[2] / "docs"
GUIDES = DOCS / "guide"
ORDER = ("provider", "operator", "buyer", "regulator")
REMARK = re.compile(r"\s*(?<!\S)# .*")
HEADING = re.compile(r"^#+(?= )", re.MULTILINE)
QUOTED = re.compile(r"`([^`\n]+)`")
CALLS, PRICE = 40_000, 80
"""How many calls the bank contracts for before the kills, and the fen it pays for each."""
EACH = 20
"""The calls at each door in each round: some before the kill, some after it."""
PATIENCE_S = 180


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The platform as the four guides leave it, and the shell they were typed into."""
    if shutil.which("curl") is None:
        pytest.skip("the guides call the API with curl")
    folder = tmp_path_factory.mktemp("guides")
    walk = Walk(Cli(folder))
    with contextlib.closing(walk):
        for name in ORDER:
            walk.read(GUIDES / "zh-CN" / f"{name}.md")
        yield walk


def test_whoever_follows_the_four_guides_comes_through(walked):
    papers = [*walked.cli.folder.glob("*.pdf")]
    assert {"整改通知书", "备案回执", "登记证书", "缴款通知书"} <= {file.stem for file in papers}
    assert all(file.read_bytes().startswith(b"%PDF") for file in papers)


class Bank:
    """The bank's program at one door of the platform: it asks until it is told, call after call."""

    def __init__(self, site, key, request):
        self.site, self.key, self.request = site, key, request
        self.log = {}
        self.most = EACH
        self.refused = set()
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.work)

    def work(self):
        while not self.stop.is_set():
            if len(self.log) >= self.most:
                time.sleep(0.01)
                continue
            call = new_id(CallId)
            while not self.ask(call):
                time.sleep(0.02)

    def ask(self, call):
        """One call, asked again under its id while nobody is there; says whether it is over."""
        subjects = [{"key": "450102001", "value": "民生街道"}, {"key": "450102009", "value": "无"}]
        try:
            with contextlib.closing(HTTPConnection(urlsplit(self.site).netloc, timeout=5)) as door:
                door.request(
                    "POST",
                    "/api/v1/gate/calls",
                    json.dumps({**self.request, "call": call, "subjects": subjects}),
                    {"Authorization": f"Bearer {self.key}"},
                )
                answer = door.getresponse()
                content = json.loads(answer.read())
        except (OSError, HTTPException, ValueError):
            return False
        if answer.status == 200:
            self.log[call] = content["units"]
            return True
        if answer.status < 500:
            self.refused.add(content["code"])
        return answer.status < 500


PROPOSE = f"""
new dep_more ctr_more stl_more
send market/deposits $key_cashier <<EOF
{{"deposit": "$dep_more", "venue": "$pty_venue", "party": "$pty_bank", "direction": "in",
 "amount": {{"currency": "CNY", "minor": {CALLS * PRICE}}}, "reference": "YH20261009000001",
 "paid_on": "2026-10-09"}}
EOF
proposed=$(send market/contracts $key_bank <<EOF
{{"contract": "$ctr_more", "listing": "$lst_towns", "buyer": "$pty_bank",
 "terms": {{"purposes": ["industry.finance.credit"], "quota": {CALLS},
           "starts_at": "2026-10-08T16:00:00Z", "ends_at": "2027-08-01T16:00:00Z"}},
 "commitment": "$(get market/commitments $key_bank | value items.1.digest)"}}
EOF
)
ctr_bank=$ctr_more
"""
SIGN = "sign $pty_bank $key_bank; sign $pty_operator $key_operator"
LIST = """
send gate/reconciliations $key_civil <<EOF
{"resource": "$res_civil", "key": "code", "value": "name",
 "content": "$(base64 < civil.csv | tr -d '\\n')"}
EOF
"""
SETTLE = """
send market/settlements $key_venue <<EOF
{"settlement": "$stl_more", "venue": "$pty_venue", "day": "2026-10-09"}
EOF
"""
KINDS = ("hot_gate", "database", "engine", "web")
"""What is killed while the bank calls; the platform is also killed amid signing and settling."""


class Harm:
    """What can be killed of a running platform, and what somebody then does about it."""

    def __init__(self, walk, rng):
        self.walk, self.rng = walk, rng
        self.gate, self.door = walk.start("gate", "serve")
        self.banks = ()

    def web(self):
        """The platform itself, which somebody starts again: it is then at another port."""
        self.walk.stop(self.walk.server)
        self.walk.serve()
        self.walk.type(f"site={self.walk.site}")
        for bank in self.banks[:1]:
            bank.site = self.walk.site

    def in_the_middle_of(self, text):
        """Type something, kill the platform meanwhile, and type it again when it is back."""
        typing = threading.Thread(target=self.walk.type, args=(text,))
        typing.start()
        time.sleep(self.rng.uniform(0.0, 0.2))
        kill(self.walk.server.pid)
        typing.join()
        self.web()
        self.walk.type(text)

    def hot_gate(self):
        """The process that only answers calls."""
        self.close()
        self.gate, self.banks[1].site = self.walk.start("gate", "serve")

    def database(self):
        """Every process of PostgreSQL, which the platform itself starts again."""
        record = self.walk.cli.data / "postgres.json"
        cluster = Path(json.loads(record.read_text())["cluster"])
        first = int((cluster / "postmaster.pid").read_text().splitlines()[0])
        for one in (first, *children(first)):
            kill(one)

    def engine(self):
        """The processes in which the engine works, while the provider compares a list."""
        asking = threading.Thread(target=self.walk.type, args=(LIST,))
        asking.start()
        killed = 0
        while asking.is_alive():
            for worker in engine_workers(self.walk.server.pid):
                kill(worker)
                killed += 1
        asking.join()
        assert killed
        self.walk.do(LIST)

    def close(self):
        self.walk.stop(self.gate)


def engine_workers(platform):
    """The children of the platform's nursery, which is no PostgreSQL."""
    for nursery in children(platform):
        with contextlib.suppress(OSError):
            if b"postgres" not in Path(f"/proc/{nursery}/cmdline").read_bytes():
                yield from children(nursery)


@pytest.mark.crash
def test_meter_bill_and_log_agree_whatever_is_killed_from_the_contract_to_the_payout(walked):
    seed = int(os.environ.get("CRASH_SEED", "") or random.SystemRandom().randrange(2**32))
    sys.stdout.write(f"CRASH_SEED={seed}\n")
    harm = Harm(walked, random.Random(seed))
    try:
        walked.do(PROPOSE)
        harm.in_the_middle_of(SIGN)
        contract, log = called(walked, harm)
    finally:
        harm.close()
    assert_all_agree(walked, contract, log)
    walked.do("on 2026-10-12; lingqu ledger close-day 2026-10-09")
    harm.in_the_middle_of(SETTLE)
    parts = json.loads(walked.type("get market/settlements/$stl_more/payouts $key_venue"))["items"]
    paid = sum(one["amount"]["minor"] for one in parts if one["contract"] == contract)
    assert paid == sum(log.values()) * PRICE
    walked.stop(walked.server, signal.SIGTERM)  # what is published while we look is not judged
    assert walked.cli("audit").code == 0


def called(walk, harm):
    """The contract, and what the bank noted while one thing after another was killed."""
    walk.do("grt_more=$(get market/contracts/$ctr_more $key_bank | value grant)")
    grant, product, key, contract = walk.shown(
        "$grt_more $prd_towns $key_bank $ctr_more"
    ).split()  # fmt: skip
    request = {"grant": grant, "product": product, "purpose": "industry.finance.credit"}
    banks = harm.banks = tuple(Bank(site, key, request) for site in (walk.site, harm.door))
    for bank in banks:
        bank.thread.start()
    try:
        for number in range(int(os.environ.get("CRASH_ROUNDS", "") or 3)):
            for bank in banks:
                bank.most = len(bank.log) + EACH
            time.sleep(harm.rng.uniform(0.05, 0.4))
            getattr(harm, KINDS[number % len(KINDS)])()
            deadline = time.monotonic() + PATIENCE_S
            while any(len(bank.log) < bank.most for bank in banks):
                assert time.monotonic() < deadline, KINDS[number % len(KINDS)]
                time.sleep(0.02)
    finally:
        for bank in banks:
            bank.stop.set()
            bank.thread.join()
    # Leases of a gate that was killed wait for their end.
    assert {one for bank in banks for one in bank.refused} <= {"gate.call.over_quota"}
    return contract, banks[0].log | banks[1].log


def assert_all_agree(walk, contract, log):
    """The bank's log, the meter, the bill and the ledger, as the platform itself compares them."""
    units = sum(log.values())
    assert len(log) > 20
    deadline = time.monotonic() + PATIENCE_S
    while (made := reconciled(walk, contract)) is None or made["found"]:
        assert time.monotonic() < deadline, made["differences"]  # charging follows the log
        time.sleep(0.2)
    assert made["calls"] == len(log)
    assert made["metered"] == made["billed"] == made["posted"] == units * PRICE
    tally = json.loads(walk.type(f"get market/contracts/{contract}/tally $key_bank"))
    assert (tally["units"], tally["charged"]["minor"]) == (units, units * PRICE)


def reconciled(walk, contract):
    """What the platform says of the day; nothing while supervision is still reading the log."""
    answer = walk.cli(
        "supervise", "reconcile", "--day", "2026-10-09", "--contract", contract, "--json"
    )
    if answer.code:
        assert answer.refusal == "supervision.following.behind", answer
        return None
    return answer.json["reconciliations"][0]


@pytest.mark.parametrize(("folder", "least"), [("guide", 5), ("operate", 5), ("howto", 4)])
def test_the_english_pages_say_the_same_but_for_remarks(folder, least):
    pages = {
        language: {
            page.name: page.read_text(encoding="utf-8")
            for page in (DOCS / folder / language).glob("*.md")
        }
        for language in ("zh-CN", "en")
    }
    chinese, english = pages["zh-CN"], pages["en"]
    assert chinese.keys() == english.keys()
    assert len(chinese) >= least

    def typed(text):
        return [(kind, REMARK.sub("", content)) for kind, content in BLOCK.findall(text)]

    def headings(text):
        return HEADING.findall(BLOCK.sub("", text))

    def quoted(text):
        return {*QUOTED.findall(BLOCK.sub("", text))}

    for name, text in chinese.items():
        assert headings(text) == headings(english[name]), name
        # What a newcomer types has names in the language of the page.
        if name != "newcomer.md":
            assert typed(text) == typed(english[name]), name
        if folder != "guide":
            assert quoted(text) == quoted(english[name]), name
            rows = [one.count("\n|") for one in (text, english[name])]
            assert rows[0] == rows[1], name


def test_what_is_not_on_the_screen_is_found(tmp_path):
    walk = Walk(Cli(tmp_path))
    with contextlib.closing(walk):
        with pytest.raises(AssertionError, match="nothing"):
            walk.do("echo something  # 应见 nothing")
        with pytest.raises(AssertionError, match="409"):
            walk.do("echo 'HTTP 409'")
        with pytest.raises(AssertionError, match="nonsense"):
            walk.do("lingqu nonsense")


def test_ids_are_made_for_a_caller_and_an_unknown_prefix_is_refused(tmp_path):
    cli = Cli(tmp_path)
    assert cli.json("id", "ctr")["id"].startswith("ctr_")
    named = cli("id", "ctr_bank", "cal_first").out.splitlines()
    assert [one[:13] for one in named] == ["ctr_bank=ctr_", "cal_first=cal"]
    assert cli("id", "zzz", "--json").refusal == "cli.id.prefix_unknown"
    assert cli("id", "ctr_x;y", "--json").refusal == "cli.id.prefix_unknown"
