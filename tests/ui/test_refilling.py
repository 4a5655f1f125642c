# SPDX-License-Identifier: Apache-2.0
"""A form that was refused is drawn again with what was typed, and only that form."""

from trade_people import read

from lingqu.ui.refilling import refill

PAGE = """<form method="get" action="/here"><input name="name" value="asked"></form>
<form method="post" action="/other"><input name="name" value="另一处"></form>
<form method="post" action="/here"><input type="hidden" name="move" value="one">
<input type="text" name="name" value="first"></form>
<form method="post" action="/here?back=1"><input type="hidden" name="move" value="two">
<input type="text" name="name" value="before" required><textarea name="said" rows="3">old</textarea>
<input type="password" name="password"><input name="kept" value="ours" readonly>
<select name="kind"><option value="a" selected>A</option><option value="b">B</option></select>
<input type="checkbox" name="one" value="yes" checked><input type="checkbox" name="two" value="yes">
</form>"""
ODD = "\"'><script>alert(1)</script>&amp; \\1 \n二"
TYPED = {
    "move": "two", "name": ODD, "said": f"\n{ODD}", "password": "secret", "kept": "theirs",
    "kind": "b", "two": "yes",
}  # fmt: skip


def test_what_was_typed_stands_in_the_form_that_was_sent():
    page = refill(PAGE, "/here", TYPED)
    asked, other, first, sent = read(page).find("form")
    assert [one.find("input")[-1].has["value"] for one in (asked, other, first)] == [
        "asked", "另一处", "first",
    ]  # fmt: skip
    held = {one.has["name"]: one.has for one in sent.find("input")}
    assert held["name"]["value"] == ODD
    assert "required" in held["name"]
    assert held["kept"]["value"] == "ours"
    assert "value" not in held["password"]
    assert "checked" not in held["one"]
    assert "checked" in held["two"]
    assert [one.text() for one in sent.find("option") if "selected" in one.has] == ["B"]
    area = "".join(str(part) for part in sent.find("textarea")[0].inside)
    assert area.removeprefix("\n") == f"\n{ODD}"
    assert "<script>" not in page


def test_a_page_without_the_form_stays_as_it_is():
    assert refill(PAGE, "/elsewhere", TYPED) == PAGE
