# SPDX-License-Identifier: Apache-2.0
"""The commands that keep the book of logs, and those the platform does by its own hand."""

import pytest

from lingqu import trust
from lingqu.runtime import new_id
from lingqu.trust import log as trust_log
from lingqu.trust.installation import BatchId, count_refusals
from lingqu.trust.log.foreign import ForeignForked, NothingToSucceed
from lingqu.trust.log.origins import BadLogKey
from lingqu.trust.logbook import record_foreign_checkpoint, register_foreign_log
from lingqu_verify import merkle, notes
from lingqu_verify.notes import SignerKey

GATE = SignerKey(name="gate.test/log", seed=b"g" * 32)


def gate_note(tree):
    checkpoint = notes.Checkpoint(origin=GATE.name, size=tree.size, root=tree.root(tree.size))
    return str(notes.sign_note(str(checkpoint), [GATE]))


def grown(count, salt=b""):
    tree = merkle.Tree()
    for at in range(count):
        tree.append(merkle.leaf_hash(salt + str(at).encode()))
    return tree


def test_a_new_key_of_the_log_is_introduced_by_the_one_before_it(place):
    new = SignerKey(name=place.key.name, seed=b"n" * 32).verifier
    statement = str(notes.sign_note(notes.key_statement(place.key.name, new), [place.key]))
    number = place.do(trust.introduce_log_key, verifier_key=str(new), statement=statement)
    with place.database.reading() as tx:
        assert [key.number for key in trust_log.own_log(tx).keys] == [1, number]
    (fact,) = place.facts("trust.log.key_introduced")
    assert fact["data"]["verifier_key"] == str(new)
    with pytest.raises(BadLogKey):
        place.do(trust.introduce_log_key, verifier_key=str(new), statement=statement)
    member = place.account(role=trust.Role.MEMBER)
    with pytest.raises(trust.AccessDenied):
        place.do(trust.introduce_log_key, member, verifier_key=str(new), statement=statement)


def test_a_log_that_is_well_is_not_succeeded(place, tmp_path):
    with pytest.raises(NothingToSucceed):
        place.do(trust.succeed_log, folder=str(tmp_path), forked=False, public=bytes(32))
    assert place.facts("trust.log.succeeded") == []


def test_another_log_is_registered_and_its_checkpoints_recorded(place):
    with pytest.raises(trust_log.LogUnknown):
        place.do(record_foreign_checkpoint, origin=GATE.name, note=gate_note(grown(3)))
    vkey = str(GATE.verifier)
    assert place.do(register_foreign_log, origin=GATE.name, verifier_key=vkey) == GATE.name
    assert place.do(record_foreign_checkpoint, origin=GATE.name, note=gate_note(grown(3))) == 3
    tree = grown(9)
    proof = merkle.consistency_proof(3, 9, tree.nodes)
    more = {"origin": GATE.name, "note": gate_note(tree), "proof": tuple(proof)}
    assert place.do(record_foreign_checkpoint, **more) == 9
    with pytest.raises(ForeignForked):
        place.do(record_foreign_checkpoint, origin=GATE.name, note=gate_note(grown(9, b"x")))
    recorded = place.facts("trust.log.foreign_recorded")
    assert [one["data"]["size"] for one in recorded] == [3, 9]
    assert place.audit() == []


def test_refusals_of_strangers_are_kept_as_one_batch(place):
    rows = (("2026-03-02T08:00", "ab", "/api", "api.unknown", 3),)
    assert place.do(count_refusals, trust.PLATFORM, batch=new_id(BatchId), counted=rows) == 3
    with pytest.raises(trust.AccessDenied):
        place.do(
            count_refusals,
            place.account(role=trust.Role.MEMBER),
            batch=new_id(BatchId),
            counted=rows,
        )


def test_what_the_platform_does_itself_is_named_as_a_command_of_its_own(place):
    party = place.party()
    place.account(party, login="li", password="correct horse battery", role=trust.Role.MEMBER)
    trust.sign_in(
        place.database, login="li", password="correct horse battery", hours=1, language="zh-CN"
    )
    with pytest.raises(trust.AccessDenied):
        place.do(trust.rename_party, place.account(), party=party, name="别名")
    named = {one["kind"]: one["command"]["name"] for one in place.facts()}
    assert named["trust.session.opened"] == "trust.session.open"
    assert named["trust.command.refused"] == "trust.refusal.record"
