# SPDX-License-Identifier: Apache-2.0
"""Every paper bears place of seal and signature, and is known again to the last byte."""

import random
import zipfile
from datetime import UTC, datetime
from io import BytesIO

import pytest
from printed import docx_texts, has_chinese_fonts, pdf_texts
from samples import SAMPLES

from lingqu.kernel import canon
from lingqu.kernel.errors import LingquError
from lingqu.runtime import documents, new_id, seals
from lingqu.runtime.documents import Format
from lingqu.runtime.keys import KeyId, Keyring, Unlock, create_key_file

FORMS = [*Format] if has_chinese_fonts() else [Format.DOCX]
CHANGES = 5
NAMES = ("acceptance", "publicity", "bill", "agreement", "product_certificate")
"""One of each form: all templates of a form are drawn by the same layout."""


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seals")
    create_key_file(folder / "ring.key")
    ring = Keyring.open(folder / "keys", Unlock.from_key_file(folder / "ring.key"))
    ring.create(seals.PURPOSE, at=datetime(2026, 3, 2, tzinfo=UTC), key_id=new_id(KeyId))
    return ring


def paper_of(name):
    return seals.Paper(
        template=name, data=SAMPLES[name], subject="ctr_1", sealers=("pty_1", "pty_2")
    )


@pytest.mark.parametrize("to", FORMS)
@pytest.mark.parametrize("name", NAMES)
def test_every_paper_bears_the_place_of_the_seal_and_the_signature(ring, name, to):
    seal = seals.KeySeal(key=ring.current(seals.PURPOSE), clock="story")
    made = documents.draw(paper_of(name), to=to, seal=seal)
    shown = pdf_texts(made.content) if to is Format.PDF else docx_texts(made.content)
    text = "".join("".join(shown).split())
    for said in ("印章）", "数字签名：", "不是单位印章", "不具效力"):
        assert said in text, said
    assert seals.digest_of(seal.sign(paper_of(name))) in text
    found = documents.check_file(made.content, ring)
    assert (found.paper.subject, found.paper.sealers) == ("ctr_1", ("pty_1", "pty_2"))
    assert found.paper.data == canon.decode(canon.encode(dict(SAMPLES[name])))


@pytest.mark.parametrize("to", [*FORMS, None])
def test_a_paper_altered_by_one_byte_fails(ring, to):
    seal = seals.KeySeal(key=ring.current(seals.PURPOSE))
    content = seal.sign(paper_of("bill"))
    if to is not None:
        content = documents.draw(paper_of("bill"), to=to, seal=seal).content
    assert documents.check_file(content, ring).paper.template == "bill"
    choose = random.Random(20261121)
    places = [0, len(content) - 1, *(choose.randrange(len(content)) for _ in range(CHANGES))]
    for place in places:
        altered = bytearray(content)
        altered[place] ^= 1 << choose.randrange(8)
        with pytest.raises(LingquError):
            documents.check_file(bytes(altered), ring)
    for other in (content + b"\n", content[:-1]):
        with pytest.raises(LingquError):
            documents.check_file(other, ring)


def test_what_was_not_signed_here_is_no_paper_of_ours(ring, tmp_path):
    create_key_file(tmp_path / "other.key")
    other = Keyring.open(tmp_path / "keys", Unlock.from_key_file(tmp_path / "other.key"))
    other.create(seals.PURPOSE, at=datetime(2026, 3, 2, tzinfo=UTC), key_id=new_id(KeyId))
    foreign = seals.KeySeal(key=other.current(seals.PURPOSE))
    plain = documents.render("bill", SAMPLES["bill"], to=Format.DOCX).content
    bomb = BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("customXml/item1.xml", b"A" * (40 << 20))
    for content in (
        foreign.sign(paper_of("bill")),
        documents.draw(paper_of("bill"), to=Format.DOCX, seal=foreign).content,
        plain,
        bomb.getvalue(),
        b"%PDF-1.7 <</Length 9/Type/EmbeddedFile/Filter/FlateDecode>>\nstream\nnonsense!",
        b"PK\x03\x04",
        b"",
    ):
        with pytest.raises(seals.BadPaper):
            documents.check_file(content, ring)


def test_a_paper_holds_after_its_key_was_followed_by_another(ring):
    seal = seals.KeySeal(key=ring.current(seals.PURPOSE))
    made = documents.draw(paper_of("statement"), to=Format.DOCX, seal=seal)
    ring.rotate(seals.PURPOSE, at=datetime(2026, 4, 2, tzinfo=UTC), key_id=new_id(KeyId))
    assert documents.check_file(made.content, ring).key == seal.key.info.id
