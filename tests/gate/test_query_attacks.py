# SPDX-License-Identifier: Apache-2.0
"""Attacks that succeed against a naive gate learn nothing from this one, in any mode."""

import pytest
from attacking import ALL, ATTACKS, SMALL, WAYS, Naive, averaging, count
from query_world import FORM, K, ask, asking, load, policy, rows_of, visits

from lingqu import ledger
from lingqu.gate import answers
from lingqu.gate.datasets import cube
from lingqu.gate.governance import DpTerms, Mode
from lingqu.kernel.errors import LingquError

FEW = 3
RHO = 100_000
TERMS = DpTerms(
    contribution=4, rho_least=RHO, rho_most=1_000_000, organization_ceiling=12 * RHO,
    dataset_ceiling=20 * RHO,
)  # fmt: skip
EXACT = (Mode.CUBE, Mode.AD_HOC)


@pytest.fixture(scope="module")
def rows():
    return visits(400)


@pytest.fixture(scope="module")
def made(world, desk):
    names = {"name_zh": "隐私预算", "name_en": "rho"}
    world.do(ledger.register_currency, currency=answers.budgets.MICRO_RHO, scale=6, **names)
    return asking(world, desk)


@pytest.fixture(scope="module")
def resource(world, rows):
    return load(world, rows)


def teller(world, made, product, **named):
    """What an attacker asks by, and the codes of what was refused."""
    grant, codes = world.buy(product), []

    def tell(text):
        try:
            answer = ask(world, made, product, grant, text, **named)
        except LingquError as refusal:
            codes.append(refusal.code)
            return None
        return rows_of(answer)

    tell.codes = codes
    return tell


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda one: one.__name__)
def test_what_finds_the_few_behind_a_threshold_finds_nobody_here(
    world, made, resource, rows, attack
):
    naive = Naive(rows)
    assert count(naive.tell, SMALL) is None
    assert attack(naive.tell) == FEW
    for mode in EXACT:
        product = world.product(policy(resource, mode), form=FORM)
        tell = teller(world, made, product, mode=mode.value)
        assert count(tell) is not None
        learned = attack(tell)
        # Nothing at all, or the size of a part that is large enough to be told.
        assert learned is None or learned == 0 or learned >= K
        assert {*tell.codes} <= {"gate.query.overlap"}


def test_averaging_removes_naive_noise_and_no_rounding_here(world, made, resource, rows):
    truth = sum(row["town"] in {"乙", "丙"} for row in rows)
    naive = Naive(rows, noise=3)
    assert len({count(naive.tell, WAYS[0]) for _ in range(20)}) > 3
    assert abs(averaging(naive.tell, 160) - truth) < 1
    product = world.product(policy(resource, Mode.AD_HOC, rounding=10), form=FORM)
    tell = teller(world, made, product)
    told = [one for one in (count(tell, way) for way in WAYS) if one is not None]
    assert len(told) > len(WAYS) // 2
    assert len({*told}) == 1
    assert told[0] % 10 == 0


def test_what_is_withheld_is_never_counted_exactly(world, made, resource, rows):
    assert Naive(rows).withheld() == FEW
    grouped = "SELECT town, kind, count(*) AS n FROM visit GROUP BY town, kind"
    for mode in EXACT:
        product = world.product(policy(resource, mode), form=FORM)
        grant = world.buy(product)
        for text in (grouped, f"{grouped} ORDER BY n LIMIT 1"):
            told = ask(world, made, product, grant, text, mode=mode.value).released
            assert told["has_withheld"]
            assert (told["withheld_entities"] or 0) % K == 0


def test_two_versions_differ_by_nobody(world, made, rows):
    come = {"person": "new", "town": "乙", "kind": "门诊", "visited": "2026-01-05", "amount": "77"}
    text = "SELECT town, kind, count(*) AS n, sum(amount) AS s FROM visit GROUP BY town, kind"
    naive = Naive(rows)
    before = naive.tell(text)
    naive.load([*rows, come])
    assert {*naive.tell(text)} - {*before}
    resource = load(world, rows)
    product = world.product(policy(resource, *EXACT), form=FORM)
    tells = [teller(world, made, product, mode=mode.value) for mode in EXACT]
    earlier = [[tell(text), [attack(tell) for attack in ATTACKS]] for tell in tells]
    world.deliver(resource, [*rows, come])
    world.publish(product.id)
    assert [[tell(text), [attack(tell) for attack in ATTACKS]] for tell in tells] == earlier


def test_under_noise_every_attack_is_paid_and_none_gets_more_than_the_budget(world, made, resource):
    """Repeats and other words are one draw; other conditions are other questions, and paid."""
    product = world.product(policy(resource, Mode.DP, dp=TERMS), form=FORM)
    tell = teller(world, made, product, rho=RHO)
    first = [count(tell, one) for one in WAYS]
    assert len({*first[:4]}) == 1
    assert [count(tell, one) for one in WAYS] == first
    # Another organisation is told nothing of it: it pays for noise of its own.
    theirs = world.buy(product, holder=world.place.party("〈证券〉（演示）"))
    for _ in range(2):
        ask(world, made, product, theirs, f"{ALL} WHERE {WAYS[0]}", rho=RHO)
    with world.place.database.reading() as tx:
        paid = tx.all(
            "SELECT question, count(DISTINCT holder) AS holders, sum(rho)::int AS rho"
            " FROM gate.noise_spent WHERE resource = %s GROUP BY question HAVING count(*) > 1",
            (resource,),
        )
    assert [(one["holders"], one["rho"]) for one in paid] == [(2, 2 * RHO)]
    learned = [attack(tell) for attack in ATTACKS for _ in range(2)]
    assert learned[0::2] == learned[1::2], "asked again, nothing new is told"
    for amount in range(12):
        count(tell, f"amount > {amount}")
    assert tell.codes[-1] == "gate.noise.spent"
    with world.place.database.reading() as tx:
        told = tx.all(
            "SELECT rho FROM gate.noise_spent WHERE resource = %s AND holder = %s",
            (resource, world.buyer),
        )
    assert sum(one["rho"] for one in told) == TERMS.organization_ceiling
    # The same party under another grant begins nothing anew.
    other = teller(world, made, product, rho=RHO)
    assert count(other, "amount > 77") is None
    assert other.codes == ["gate.noise.spent"]


def test_nobody_is_quicker_by_what_another_one_asked(world, made, resource, monkeypatch):
    """What is kept of a text and of a filter is kept for who asked; a repeat is quick, no other."""
    product = world.product(policy(resource, Mode.CUBE), form=FORM)
    mine, theirs = (
        world.buy(product, holder=world.place.party(f"〈{name}〉（演示）"))
        for name in ("一家银行", "另一家银行")
    )
    judge, group = made.judge, cube.compile_group
    read, meant = [], []

    def judged(request, ready):
        read.append(request.grant)
        return judge(request, ready)

    def grouped(*given):
        meant.append(given)
        return group(*given)

    monkeypatch.setattr(made, "judge", judged)
    monkeypatch.setattr(cube, "compile_group", grouped)
    text = "SELECT kind, count(*) AS n FROM visit WHERE town <> '丁' GROUP BY kind"
    told = [ask(world, made, product, one, text).released for one in (mine, mine, theirs, theirs)]
    assert told == [told[0]] * 4
    assert read == [mine.id, theirs.id]
    assert len(meant) == 2
