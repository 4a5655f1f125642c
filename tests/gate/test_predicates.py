# SPDX-License-Identifier: Apache-2.0
"""谓词: bands, thresholds, date order and several at once; consent; limits of what one may ask."""

import hashlib
import hmac
import json
import struct
from datetime import timedelta

import pytest
from gate_world import CREDIT, shape
from hypothesis import example, given
from hypothesis import strategies as st

from lingqu import gate
from lingqu.gate import (
    Answer,
    Enumeration,
    Predicate,
    Relation,
    Subject,
    VerificationPolicy,
    consents,
)
from lingqu.gate.answering import Answerer
from lingqu.gate.packing import Entry, PackedFile, keyed_hash, salt_of, write_packed
from lingqu.gate.predicates import (
    Asks,
    Combined,
    Combining,
    Matching,
    Measure,
    Question,
    Reads,
    Which,
    read_fact,
)
from lingqu.kernel.errors import LingquError
from lingqu.kernel.paging import PageRequest
from lingqu.kernel.time import Period
from lingqu.kernel.values import from_plain, to_plain
from lingqu.runtime import REAL_TIME, new_id

ROWS = [
    {"id": "1000001", "income": "4999.99", "born": "1990-02-28", "since": "2010-01-01"},
    {"id": "1000002", "income": "5000", "born": "2008-12-31", "since": "2008-12-31"},
    {"id": "1000002", "income": "12000", "born": "2008-12-31", "since": "2009-01-01"},
    {"id": "1000003", "income": "unknown", "born": "", "since": "2001-01-01"},
    {"id": "1000004", "income": "20000.00", "born": "1980-01-01", "since": "1979-12-31"},
]
BOUNDS = ("5000", "10000", "20000")


@pytest.fixture(scope="module")
def persons(world):
    return world.load("参保人", ROWS, level=3)


def about(resource, name, column, asks, reads, **more):
    found = (Relation(resource=resource, key="id", value=column),)
    return Predicate(name=name, yes=found, measure=Measure(asks=asks, reads=reads, **more))


def policy_of(resource, **changes):
    since = Relation(resource=resource, key="id", value="since")
    predicates = (
        about(resource, "band", "income", Asks.BAND, Reads.DECIMAL, bounds=BOUNDS,
              bands=("", "低", "中", "高")),
        about(resource, "at_least", "income", Asks.AT_LEAST, Reads.DECIMAL, bounds=BOUNDS),
        about(resource, "at_most", "income", Asks.AT_MOST, Reads.DECIMAL, bounds=BOUNDS,
              which=Which.LOWEST),
        about(resource, "adult", "born", Asks.BEFORE, Reads.DATE, bounds=("2008-01-01",)),
        about(resource, "later", "born", Asks.BEFORE, Reads.DATE, other=since,
              which=Which.LOWEST),
        Predicate(name="known", yes=(Relation(resource=resource, key="id"),)),
    )  # fmt: skip
    given = {
        "subject": shape(7),
        "predicates": predicates,
        "combined": (
            Combined(name="both", of=("at_least", "adult"), how=Combining.ALL),
            Combined(name="one", of=("at_least", "adult"), how=Combining.ANY),
            Combined(name="each", of=("band", "at_least", "adult"), how=Combining.EACH),
        ),
        "tells_unknown": True,
    }
    return VerificationPolicy(**given | changes)


@pytest.fixture(scope="module")
def product(world, persons):
    return world.product(policy_of(persons))


def ask(world, desk, product, grant, predicate, *subjects, **changes):
    request = world.request(product, grant, *subjects, predicate=predicate, **changes)
    return desk.ask(request, world.asker)


def told(answer):
    letters = {Answer.YES: "y", Answer.NO: "n", Answer.UNKNOWN: "u"}
    return "".join(one.band or letters[one.answer] for one in getattr(answer, "answers", answer))


TEXTS = st.text(st.sampled_from("甲乙aé\u0301 \u3000１ﬁ\0"), max_size=4)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4))
@example([(" 甲", "乙"), ("乙", "甲")])
@example([("甲", "乙"), ("乙", "甲 ")])
@example([("甲", "e"), ("乙", "\u0301")])
def test_many_subjects_are_read_as_each_alone(told):
    found = Predicate(name="is", yes=(Relation(resource="res", key="id", value="name"),))
    question = Question(name="is", parts=(found,))
    shape = gate.SubjectShape(characters=gate.Characters.TEXT, shortest=1, longest=3)
    subjects = [Subject(key=key, value=value) for key, value in told]
    alone = [question.read(shape, [one]) for one in subjects]
    bad = next((row for row, (_, is_bad) in enumerate(alone, 1) if is_bad), 0)
    wanted = [] if bad else [asked for one, _ in alone for asked in one]
    assert question.read(shape, subjects) == (wanted, bad)


ALL = ("1000001", "1000002", "1000003", "1000004", "9999999")


@pytest.mark.parametrize(
    ("predicate", "value", "wanted"),
    [
        ("band", "", "n中u高u"),
        ("at_least", "5000", "nyuyu"),
        ("at_least", "20000.0", "nnuyu"),
        ("at_most", "5000", "yyunu"),
        ("at_most", "10000", "yyunu"),
        ("adult", "", "ynuyu"),
        ("adult", "2008-01-01", "ynuyu"),
        ("later", "", "ynunu"),
        ("known", "", "yyyyu"),
    ],
)
def test_each_predicate_says_what_was_declared_and_no_more(
    world, desk, product, predicate, value, wanted
):
    grant = world.buy(product)
    answer = ask(world, desk, product, grant, predicate, *((key, value) for key in ALL))
    assert told(answer) == wanted


def test_several_are_asked_at_once_all_any_or_each(world, desk, product):
    grant = world.buy(product)

    def several(predicate, bound="5000"):
        subjects = tuple(Subject(key=key, values={"at_least": bound}) for key in ALL)
        return ask(world, desk, product, grant, predicate, subjects=subjects)

    assert told(several("both")) == "nnuyu"
    assert told(several("one")) == "yyuyu"
    answer = several("each")
    parts = [(one.answer, one.band) for one in answer.answers[1].parts]
    assert parts == [(Answer.BAND, "中"), (Answer.YES, ""), (Answer.NO, "")]
    again = desk.ask(
        world.request(
            product, grant, call=answer.call, predicate="each",
            subjects=tuple(Subject(key=key, values={"at_least": "5000"}) for key in ALL),
        ),
        world.asker,
    )  # fmt: skip
    assert again.repeated
    assert again.answers == answer.answers


@pytest.mark.parametrize(
    ("predicate", "subject"),
    [
        ("at_least", Subject(key="1000001", value="6000")),
        ("at_least", Subject(key="1000001")),
        ("adult", Subject(key="1000001", value="2008-01-02")),
        ("band", Subject(key="1000001", value="5000")),
        ("known", Subject(key="1000001", value="x")),
        ("known", Subject(key="10000011")),
        ("both", Subject(key="1000001", value="5000")),
        ("both", Subject(key="1000001", values={"at_least": "5000", "known": ""})),
        ("at_least", Subject(key="1000001", value="5000", values={"adult": ""})),
    ],
)
def test_what_was_not_declared_is_refused_before_anything_is_looked_up(
    world, desk, product, predicate, subject
):
    grant = world.buy(product)
    with pytest.raises(LingquError) as caught:
        ask(world, desk, product, grant, predicate, subjects=(subject,))
    assert caught.value.code == "gate.call.bad_subjects"
    desk.settle()
    assert world.left(grant) == (1_000, 0)


def test_unknown_and_no_are_alike_unless_declared_otherwise(world, desk, persons):
    product = world.product(policy_of(persons, tells_unknown=False))
    grant = world.buy(product)
    subjects = [(key, "5000") for key in ALL]
    assert told(ask(world, desk, product, grant, "at_least", *subjects)) == "nynyn"
    each = ask(
        world, desk, product, grant, "each",
        subjects=(Subject(key="9999999", values={"at_least": "5000"}),),
    )  # fmt: skip
    assert {part.answer for part in each.answers[0].parts} == {Answer.NO}


def test_the_file_holds_no_subject_and_no_fact(world, product):
    with world.place.database.reading() as tx:
        snapshot = gate.get_snapshot(tx, product.snapshot)
    content = (world.folder / "gate" / f"{snapshot.digest}.lqs").read_bytes()
    for row in ROWS:
        for cell in row.values():
            assert not cell or cell.encode() not in content


@pytest.mark.parametrize(
    "changes",
    [
        {"bounds": ("2", "1"), "asks": Asks.AT_LEAST, "reads": Reads.INTEGER},
        {"bounds": ("1.5",), "asks": Asks.AT_LEAST, "reads": Reads.INTEGER},
        {"bounds": (), "asks": Asks.AT_MOST, "reads": Reads.INTEGER},
        {"bounds": ("1",), "asks": Asks.BEFORE, "reads": Reads.INTEGER},
        {"bounds": ("1",), "asks": Asks.BAND, "reads": Reads.INTEGER, "bands": ("a",)},
        {"bounds": ("1",), "asks": Asks.BAND, "reads": Reads.INTEGER, "bands": ("", "")},
    ],
)
def test_a_measure_that_is_not_well_formed_is_refused(changes):
    relation = Relation(resource="r", key="id", value="x")
    policy = VerificationPolicy(
        subject=shape(7),
        predicates=(Predicate(name="p", yes=(relation,), measure=Measure(**changes)),),
    )
    with pytest.raises(gate.BadPolicy):
        gate.policies.check_policy(gate.Form.VERIFICATION, policy)
    assert from_plain(VerificationPolicy, to_plain(policy)) == policy


def test_cells_are_read_strictly():
    assert read_fact(Reads.INTEGER, " １２ ") == 12
    assert read_fact(Reads.DATE, "2026-02-30") is None
    assert read_fact(Reads.DECIMAL, "NaN") is None
    assert read_fact(Reads.INTEGER, "1.5") is None


def test_a_person_is_asked_about_only_with_their_consent(world, desk, persons):
    """《个人信息保护法》第二十三条: 单独同意, and 第十五条: it may be withdrawn."""
    product = world.product(policy_of(persons, personal=True))
    grant = world.buy(product)
    with world.place.database.reading() as tx:
        subject = desk.name_subject(tx, product.id, "1000002")
    with pytest.raises(LingquError) as caught:
        ask(world, desk, product, grant, "known", ("1000002", ""))
    assert caught.value.code == "gate.call.no_consent"
    assert "第二十三条" in caught.value.article
    now = REAL_TIME.now()
    consent = new_id(consents.ConsentId)
    world.do(
        consents.record_consent, world.banker, consent=consent, product=product.id,
        holder=world.buyer, subject=subject, purpose=CREDIT,
        valid=Period(now - timedelta(hours=1), now + timedelta(hours=1)), evidence=bytes(32),
    )  # fmt: skip
    assert told(ask(world, desk, product, grant, "known", ("1000002", ""))) == "y"
    with pytest.raises(LingquError) as caught:
        ask(world, desk, product, grant, "known", ("1000002", ""), ("1000001", ""))
    assert caught.value.parameters["subjects"] == 1
    with world.place.database.reading(world.banker) as tx:
        page = consents.find_consents(tx, page=PageRequest(size=10), holder=world.buyer)
    assert [one.id for one in page.items] == [consent]
    world.do(consents.withdraw_consent, world.banker, consent=consent)
    with pytest.raises(LingquError) as caught:
        ask(world, desk, product, grant, "known", ("1000002", ""))
    assert caught.value.code == "gate.call.no_consent"
    assert "1000002" not in str(world.place.facts("gate.consent.recorded"))
    assert world.place.audit() == []


def test_who_asks_many_questions_or_about_many_is_stopped(world, desk, persons):
    limit = Enumeration(values=2, days=30, subjects=3)
    product = world.product(policy_of(persons, enumeration=limit))
    grant = world.buy(product)
    ask(world, desk, product, grant, "at_least", ("1000001", "5000"))
    ask(world, desk, product, grant, "at_least", ("1000001", "10000"))
    ask(world, desk, product, grant, "at_least", ("1000001", "5000.0"), ("1000002", "5000"))
    for predicate, value in (("at_least", "20000"), ("band", ""), ("known", "")):
        with pytest.raises(LingquError) as caught:
            ask(world, desk, product, grant, predicate, ("1000001", value))
        assert caught.value.code == "gate.call.enumeration"
    with pytest.raises(LingquError) as caught:
        ask(world, desk, product, grant, "known", ("1000003", ""), ("1000004", ""))
    assert caught.value.code == "gate.call.too_many_subjects"
    assert caught.value.parameters["beyond"] == 1
    ask(world, desk, product, grant, "known", ("1000003", ""))
    with pytest.raises(LingquError, match="too_many_subjects"):
        ask(world, desk, product, grant, "known", ("1000004", ""))
    assert world.place.audit() == []


def test_a_file_of_the_first_format_answers_until_it_is_published_anew(tmp_path):
    key = b"k" * 32
    name = hmac.digest(key, b"city\x001300069", "sha256")[:16]
    value = hmac.digest(key, "\x001300069\x00南宁".encode(), "sha256")[:8]
    about = json.dumps({"form": "verification"}).encode()
    head = struct.pack(">8sQQI", b"LQSNAP1\n", 8, 1, len(about))
    slots = bytearray(8 * 24)
    at = int.from_bytes(name[:8]) % 8 * 24
    slots[at : at + 24] = name + (len(head) + len(about) + len(slots)).to_bytes(8)
    content = head + about + bytes(slots) + struct.pack(">BBBI", 1, 1, 0, 0) + value
    digest = hashlib.sha256(content).hexdigest()
    (tmp_path / f"{digest}.lqs").write_bytes(content)
    file = PackedFile.open(tmp_path, digest)
    found = (Relation(resource="r", key="k", value="v"),)
    parts = (Predicate(name="city", yes=found, matching=Matching.MEMBERSHIP),)
    answerer = Answerer(Question(name="city", parts=parts), file, key, tells_unknown=True)
    asked = [("1300069", ("南宁",)), ("1300069", ("南宁/北海",)), ("1300070", ("南宁",))]
    assert told(answerer.answer(asked)) == "ynu"
    # The second format tells the same of the same, and is what is written now.
    salt = salt_of(key, "city")
    entry = Entry(flags=1)
    entry.add(1, keyed_hash(salt, "1300069\x00南宁"))
    packed = write_packed(tmp_path, {keyed_hash(salt, "1300069"): entry}, {})
    again = Answerer(
        Question(name="city", parts=parts), PackedFile.open(tmp_path, packed.digest), key,
        tells_unknown=True,
    )  # fmt: skip
    assert again.answer(asked) == answerer.answer(asked)
