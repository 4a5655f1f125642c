# SPDX-License-Identifier: Apache-2.0
"""Letters say what they were given, the same in Word and PDF, and take no text for a template."""

import io
import unicodedata
import zipfile

import docx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from printed import docx_texts, has_chinese_fonts, needs_chinese_fonts, pdf_texts
from samples import SAMPLES

from lingqu.runtime import documents
from lingqu.runtime.documents import Format, fonts

HOSTILE = (
    "{{7*7}}",
    "{% for x in [1] %}x{% endfor %}",
    "{_{7*7}_}",
    "{_%raw%_}",
    "{{ ''.__class__.__mro__ }}",
    '#read("letter.typ")',
    "#{1+1} $x^2$ *bold* _em_ `raw` \\ @ref <label>",
    "</w:t><w:t>",
    "&lt;b&gt; &amp; ]]>",
    "{issuer} {amount.words}",
    "<<7*7>> ${7*7} %(x)s",
)


@needs_chinese_fonts
@pytest.mark.parametrize("name", [one.name for one in documents.find_templates()])
def test_every_template_is_drawn_in_both_formats_with_every_word(name):
    data = SAMPLES[name]
    paper = pdf_texts(documents.render(name, data, to=Format.PDF).content)
    word = "\n".join(docx_texts(documents.render(name, data, to=Format.DOCX).content))
    for key in {"issuer", "number", "matter", "holder", "subject"} & set(data):
        assert data[key] in word
        # A long line is broken on paper, so the beginning of a text is looked for.
        assert any(data[key][:12] in text for text in paper), key
    title = documents.get_template(name).zh
    assert title in word
    assert any(title in text for text in paper)


@pytest.mark.parametrize("to", Format if has_chinese_fonts() else [Format.DOCX])
@pytest.mark.parametrize("name", ["acceptance", "statement", "certificate"])
def test_the_same_data_give_the_same_bytes(name, to):
    first = documents.render(name, SAMPLES[name], to=to)
    again = documents.render(name, dict(reversed(SAMPLES[name].items())), to=to)
    assert first.content == again.content
    assert first.sha256 == again.sha256
    other = documents.render(name, {**SAMPLES[name], "number": "另一号"}, to=to)
    assert other.sha256 != first.sha256


@needs_chinese_fonts
@pytest.mark.parametrize("text", HOSTILE)
def test_what_somebody_typed_is_never_a_template(text):
    data = {**SAMPLES["supplement"], "matter": text, "materials": [text], "consequence": text}
    word = docx_texts(documents.render("supplement", data, to=Format.DOCX).content)
    assert f"1. {text}" in word
    assert text in word
    assert any(f"提交的{text}申请" in paragraph for paragraph in word)
    (body,) = [
        found
        for found in pdf_texts(documents.render("supplement", data, to=Format.PDF).content)
        if "告知如下" in found
    ]
    assert text.replace(" ", "")[:8] in body.replace(" ", "")


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=60))
def test_any_text_is_shown_as_it_is_or_refused(text):
    data = {**SAMPLES["refusal"], "matter": text}
    try:
        made = documents.render("refusal", data, to=Format.DOCX)
    except (documents.BadCharacter, documents.BadField):
        return
    (shown,) = [line for line in docx_texts(made.content) if line.startswith("你单位于")]
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").strip())
    assert f"提交的{composed}申请" in shown


@pytest.mark.parametrize(
    "character",
    ["\u202e", "\u2066", "\u200b", "\x00", "\x1b", "\ufdd0", "\ufdd1", "\ufeff", "\ud800"],
)
def test_characters_that_deceive_are_refused(character):
    data = {**SAMPLES["refusal"], "matter": f"登记{character}申请"}
    with pytest.raises(documents.BadCharacter) as refused:
        documents.render("refusal", data, to=Format.DOCX)
    assert refused.value.parameters == {"field": "matter", "character": f"U+{ord(character):04X}"}


@needs_chinese_fonts
def test_a_character_without_a_glyph_is_refused_and_not_left_out():
    data = {**SAMPLES["refusal"], "matter": "登记\U0001f9ff申请"}
    with pytest.raises(documents.GlyphMissing) as refused:
        documents.render("refusal", data, to=Format.PDF)
    assert refused.value.parameters == {"character": "U+1F9FF"}


@pytest.mark.parametrize("name", [one.name for one in documents.find_templates()])
def test_each_field_is_asked_for_and_no_other_taken(name):
    template = documents.get_template(name)
    for field in template.fields:
        rest = {key: value for key, value in SAMPLES[name].items() if key != field.name}
        if field.optional:
            documents.render(name, rest, to=Format.DOCX)
        else:
            with pytest.raises(documents.FieldMissing) as missing:
                documents.render(name, rest, to=Format.DOCX)
            assert missing.value.parameters == {"template": name, "field": field.name}
    with pytest.raises(documents.FieldUnknown):
        documents.render(name, {**SAMPLES[name], "extra": "x"}, to=Format.DOCX)


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("refusal", "matter", ""),
        ("refusal", "matter", " \t"),
        ("refusal", "matter", 7),
        ("refusal", "matter", "x" * 401),
        ("refusal", "reasons", "x" * 40_001),
        ("refusal", "received_on", "2026-02-30"),
        ("refusal", "received_on", "20260228"),
        ("publicity", "days", True),
        ("publicity", "days", 1.5),
        ("publicity", "rows", [1]),
        ("publicity", "rows", [{}] * 5_001),
        ("supplement", "materials", []),
        ("supplement", "materials", "one"),
        ("payment", "amount", 12345),
        ("payment", "amount", {"currency": "USD", "minor": 1}),
        ("payment", "amount", {"currency": "CNY", "minor": 1 << 70}),
        ("certificate", "link", "javascript:alert(1)"),
    ],
)
def test_what_does_not_fit_a_field_is_refused_by_its_name(name, field, value):
    with pytest.raises(documents.BadField) as refused:
        documents.render(name, {**SAMPLES[name], field: value}, to=Format.PDF)
    assert str(refused.value.parameters["field"]).startswith(field)


def test_a_row_is_refused_by_its_number_and_column():
    rows = [SAMPLES["publicity"]["rows"][0], {"subject": "甲", "kind": "首次登记", "title": "乙"}]
    with pytest.raises(documents.FieldMissing) as missing:
        documents.render("publicity", {**SAMPLES["publicity"], "rows": rows}, to=Format.DOCX)
    assert missing.value.parameters["field"] == "rows[2].summary"
    rows[1] = {**rows[0], "colour": "red"}
    with pytest.raises(documents.FieldUnknown) as unknown:
        documents.render("publicity", {**SAMPLES["publicity"], "rows": rows}, to=Format.DOCX)
    assert unknown.value.parameters["field"] == "rows[2].colour"


def test_an_unknown_template_is_refused_with_those_there_are():
    with pytest.raises(documents.TemplateMissing) as missing:
        documents.render("../letter/letter", {}, to=Format.DOCX)
    assert "acceptance" in str(missing.value.parameters["known"])


def test_the_word_file_has_styles_page_numbers_and_no_trace_of_its_making():
    made = documents.render("acceptance", SAMPLES["acceptance"], to=Format.DOCX)
    assert (
        made.content
        == documents.render("acceptance", SAMPLES["acceptance"], to=Format.DOCX).content
    )
    document = docx.Document(io.BytesIO(made.content))
    assert document.core_properties.title == "受理通知书 灵数受〔2026〕12号"
    assert document.core_properties.author == "灵渠市数据局"
    assert [p.style.name for p in document.paragraphs[:4]] == [
        "发文机关标志", "发文字号", "Title", "主送机关",
    ]  # fmt: skip
    section = document.sections[0]
    assert "PAGE" in section.footer._element.xml
    assert "PAGE" in section.even_page_footer._element.xml
    # GB/T 9704-2012, 5.2.1: the type area is 156 mm wide on A4.
    area = section.page_width - section.left_margin - section.right_margin
    assert abs(area / 36_000 - 156) < 1
    digest = docx.Document(
        io.BytesIO(documents.render("certificate", SAMPLES["certificate"], to=Format.DOCX).content)
    )
    wrapped = [
        row.cells[1] for row in digest.tables[0].rows if "wordWrap" in row.cells[1]._element.xml
    ]
    assert SAMPLES["certificate"]["digest"] in [cell.text for cell in wrapped]
    with zipfile.ZipFile(io.BytesIO(made.content)) as package:
        assert {one.date_time for one in package.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_the_certificate_carries_its_address_as_a_qr_code():
    made = documents.render("certificate", SAMPLES["certificate"], to=Format.DOCX)
    with zipfile.ZipFile(io.BytesIO(made.content)) as package:
        (picture,) = [name for name in package.namelist() if name.endswith(".png")]
        assert package.read(picture) == documents.draw_png(SAMPLES["certificate"]["link"])
    assert documents.draw_svg("https://a.example/").startswith(b"<svg")
    with pytest.raises(documents.QRTooLong):
        documents.draw_svg("字" * 1_000)
    with pytest.raises(documents.QRTooLong):
        documents.draw_png("")


@needs_chinese_fonts
def test_a_page_never_holds_the_signature_alone():
    # The text is lengthened line by line past the end of the page.
    for lines in range(8, 16):
        data = {**SAMPLES["refusal"], "reasons": "\n".join(["理由。"] * lines)}
        pages = documents.preview("refusal", data, dots=20)
        content = documents.render("refusal", data, to=Format.PDF).content
        assert len(pages) in {1, 2}
        if len(pages) == 2:
            (body,) = [text for text in pdf_texts(content) if "特此通知。" in text]
            assert 0 < body.find("— 1 —") < body.find("特此通知。")


@needs_chinese_fonts
def test_pages_can_be_looked_at_before_they_are_issued():
    pages = documents.preview("statement", SAMPLES["statement"], dots=30)
    assert len(pages) == 3
    assert all(page.startswith(b"\x89PNG") for page in pages)


@needs_chinese_fonts
def test_a_folder_of_further_fonts_may_be_empty_or_missing(tmp_path):
    usual = documents.render("refusal", SAMPLES["refusal"], to=Format.PDF)
    for folder in (tmp_path, tmp_path / "none"):
        made = documents.render("refusal", SAMPLES["refusal"], to=Format.PDF, fonts=folder)
        assert made.sha256 == usual.sha256


def test_a_machine_without_chinese_fonts_refuses_a_pdf():
    with pytest.raises(documents.FontMissing) as missing:
        fonts.choose_fonts(["DejaVu Sans", "Libertinus Serif"])
    assert "Noto Serif CJK SC" in str(missing.value.parameters["known"])
    only = fonts.choose_fonts(["WenQuanYi Zen Hei"])
    assert only.body == only.heads == ("WenQuanYi Zen Hei",)
