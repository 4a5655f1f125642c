# SPDX-License-Identifier: Apache-2.0
"""Papers leave by one way: what bears the platform's name bears its mark."""

import ast

import source
from source import Finding

DRAWING = {
    "src/lingqu/errands.py": {"draw"},
    "src/lingqu/cli/documents.py": {"render"},
}
"""Where letters are drawn: every paper, and a template that somebody tries, which nobody signs."""


def drawn(module, where):
    for node in ast.walk(module):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in {"draw", "render"}
            and isinstance(node.value, ast.Name)
            and node.value.id == "documents"
            and node.attr not in DRAWING.get(where, set())
        ):
            yield Finding(
                f"{where}:{node.lineno}", f"documents.{node.attr}: use errands.issue_paper"
            )


def test_papers_are_drawn_in_one_place():
    found = [
        finding
        for path in source.product_code()
        for finding in drawn(source.tree(path), source.name(path))
    ]
    source.judge("drawing", found)


def test_a_planted_drawing_is_found():
    planted = ast.parse("documents.render('bill', {}, to=form)")
    assert [*drawn(planted, "src/lingqu/ui/pages/contracts.py")]
    assert not [*drawn(planted, "src/lingqu/cli/documents.py")]
