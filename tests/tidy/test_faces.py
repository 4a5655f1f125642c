# SPDX-License-Identifier: Apache-2.0
"""The face of a package is its documentation: every name there says what it does."""

import ast

import pytest
import source
from source import Finding

DOCUMENTED_PERCENT = 95


def documented(module):
    """The documented top-level names of a module; a constant's string stands below it."""
    found = set()
    for node, after in zip(module.body, [*module.body[1:], None], strict=True):
        if isinstance(node, source.Function | ast.ClassDef):
            if ast.get_docstring(node):
                found.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            said = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {t.id for t in targets if said and isinstance(t, ast.Name)}
    return found


def is_documented(path, name):
    """Whether `name`, as seen in the module at `path`, says what it does where it is defined."""
    module = source.tree(path)
    if name in documented(module):
        return True
    for inner in (path.parent / f"{name}.py", path.parent / name / "__init__.py"):
        if path.name == "__init__.py" and inner.exists():
            return bool(ast.get_docstring(source.tree(inner)))
    if name not in source.origins(module):
        return False
    origin, there = source.origins(module)[name]
    if as_module := source.module_path(f"{origin}.{there}"):
        return bool(ast.get_docstring(source.tree(as_module)))
    target = source.module_path(origin)
    return target is not None and target != path and is_documented(target, there)


def faces():
    found = source.files(".py", under=[source.PRODUCT, source.VERIFIER])
    return [
        path for path in found if path.name == "__init__.py" and path.parent.name != "migrations"
    ]


def undocumented_names(path):
    for name in source.face_names(source.tree(path)):
        if not name.startswith("__") and not is_documented(path, name):
            yield Finding(f"{source.name(path)}::{name}", "has no docstring where it is defined")


def public(module):
    """Top-level functions and classes and the methods of public classes."""
    for node in module.body:
        if isinstance(node, source.Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            for child in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(child, source.Function) and not child.name.startswith("_"):
                    yield child


def untyped_returns(module, where):
    for name, function in source.functions(module):
        if function.returns is None:
            yield Finding(f"{where}::{name}", "does not say what it returns")


def test_every_name_of_a_face_is_documented():
    source.judge("undocumented", [f for path in faces() for f in undocumented_names(path)])


def test_every_module_says_what_it_hides():
    found = [
        Finding(source.name(path), "has no docstring")
        for path in source.files(".py")
        if source.text(path) and not ast.get_docstring(source.tree(path))
    ]
    source.judge("silent_modules", found)


def test_public_functions_and_classes_are_documented():
    nodes = [node for path in source.product_code() for node in public(source.tree(path))]
    said = sum(bool(ast.get_docstring(node)) for node in nodes)
    assert said * 100 >= len(nodes) * DOCUMENTED_PERCENT, f"{said} of {len(nodes)}"


def test_every_function_says_what_it_returns():
    source.judge("untyped_returns", source.over(source.product_code(), untyped_returns))


@pytest.mark.parametrize("word", source.LINE)
def test_every_package_of_the_line_is_there_and_in_the_glossary(word):
    package, module = source.PRODUCT / word / "__init__.py", source.PRODUCT / f"{word}.py"
    assert package.exists() or module.exists()
    assert f"\n| {word} |" in source.text(source.ROOT / "docs" / "glossary.md")


def test_there_is_no_package_outside_the_line():
    found = {path.name for path in source.PRODUCT.iterdir() if (path / "__init__.py").exists()}
    assert found <= {*source.LINE, "migrations"}


def test_planted_undocumented_names_are_found():
    module = ast.parse(
        "def f():\n    'Says.'\ndef g(): ...\nX = 1\n'Why one.'\nY = 2\nclass C: 'Is.'\n"
    )
    assert documented(module) == {"f", "X", "C"}
    assert source.origins(ast.parse("from lingqu.trust.access import a as b")) == {
        "b": ("lingqu.trust.access", "a")
    }
    assert source.snippet("def f(): ...\n", untyped_returns)
    assert not source.snippet("def f() -> None: ...\n", untyped_returns)
    code = "def _a(): ...\nclass B:\n    def c(self): ...\n    def _d(self): ...\n"
    assert [node.name for node in public(ast.parse(code))] == ["B", "c"]
