# SPDX-License-Identifier: Apache-2.0
"""Size budgets: limits shape code, so they are tested (STYLE.md, rule 8)."""

import ast
import math

import pytest
import source
from source import Finding

SOURCE_LINES = 125_000
PACKAGE_LINES = 9_000
BUDGETS = {
    "kernel": 2_500,
    "runtime": 6_000,
    "api": 15_000,
    "cli": 15_000,
    "ui": 20_000,
    "cli/story": 5_000,
}
SUB_FACE_LINES = 3_500
SUB_FACES = (
    "cli/story",
    "gate/answers",
    "gate/consents",
    "gate/datasets",
    "gate/lists",
    "gate/governance",
    "gate/queries",
    "gate/sql",
    "gate/syntax",
    "gate/predicates",
    "gate/publishing",
    "gate/reveals",
    "gate/trials",
    "gate/underway",
    "market/bills",
    "market/distribution",
    "market/settlement",
    "rights/obligations",
    "rights/operation",
    "rights/quantities",
    "rights/registry",
    "supply/collection",
    "supply/handing",
    "supply/opening",
    "runtime/engine",
    "runtime/documents",
    "runtime/postgres",
    "trust/jobs",
    "trust/copies",
    "trust/divisions",
    "trust/holds",
    "trust/identity",
    "trust/log",
    "trust/notices",
    "trust/procedures",
    "trust/rulebook",
)
FILE_LINES = 700
FUNCTION_LINES = 70
FUNCTION_LINES_P95 = 40
FACE_NAMES = 80
SUB_FACE_NAMES = 40
HOUSE = ("src", "packages", "tools")


def lines(path):
    return source.text(path).count("\n")


def length(function):
    return function.end_lineno - function.lineno + 1


def long_functions(module, where):
    for name, function in source.functions(module):
        if length(function) > FUNCTION_LINES:
            yield Finding(f"{where}::{name}", f"{length(function)} lines, {FUNCTION_LINES} allowed")


def p95(numbers):
    ordered = sorted(numbers)
    return ordered[math.ceil(len(ordered) * 0.95) - 1] if ordered else 0


def test_the_source_stays_small_enough_to_know():
    assert sum(map(lines, source.product_code())) <= SOURCE_LINES


@pytest.mark.parametrize("package", [*source.LINE, *SUB_FACES])
def test_a_package_keeps_its_budget(package):
    usual = SUB_FACE_LINES if "/" in package else PACKAGE_LINES
    budget = BUDGETS.get(package, usual)
    # A sub-face has a budget of its own, and does not count in the package around it.
    inner = [source.PRODUCT / face for face in SUB_FACES if face.startswith(f"{package}/")]
    used = sum(
        lines(path)
        for path in source.files(".py", under=[source.PRODUCT / package])
        if not any(path.is_relative_to(folder) for folder in inner)
    )
    assert used <= budget, f"{package} has {used} lines, {budget} allowed: split it or say less"


def test_no_python_file_is_too_long():
    folders = [source.ROOT / folder for folder in (*HOUSE, "tests", "bench")]
    found = [
        Finding(source.name(path), f"{lines(path)} lines, {FILE_LINES} allowed")
        for path in source.files(".py", under=folders)
        if lines(path) > FILE_LINES
    ]
    source.judge("long_files", found)


def test_no_function_is_too_long():
    folders = [source.ROOT / folder for folder in HOUSE]
    paths = [p for p in source.files(".py", under=folders) if "tests" not in p.parts]
    source.judge("long_functions", source.over(paths, long_functions))


def test_nearly_all_functions_are_short():
    lengths = [
        length(function)
        for path in source.product_code()
        for _, function in source.functions(source.tree(path))
    ]
    assert p95(lengths) <= FUNCTION_LINES_P95


def test_no_face_is_too_wide():
    for path in source.files(".py", under=[source.PRODUCT]):
        if path.name == "__init__.py":
            depth = len(path.relative_to(source.PRODUCT).parts)
            allowed = FACE_NAMES if depth <= 2 else SUB_FACE_NAMES
            count = len(source.face_names(source.tree(path)))
            assert count <= allowed, f"{source.name(path)}: {count} names, {allowed} allowed"


def test_a_planted_long_function_is_found():
    body = "    x = 1\n"
    assert not source.snippet("def f():\n" + body * 69, long_functions)
    assert source.snippet("def f():\n" + body * 70, long_functions)
    assert source.snippet("class C:\n    def m(self):\n" + "    " * 2 + "x = 1\n" * 1
                          + "        x = 1\n" * 70, long_functions)  # fmt: skip


def test_the_percentile_and_the_width_of_a_face_are_counted_rightly():
    assert p95(range(1, 101)) == 95
    assert p95([1] * 19 + [500]) == 1
    face = ast.parse("__all__ = ('a', 'b')")
    assert source.face_names(face) == ("a", "b")
    assert source.face_names(ast.parse("__all__: tuple[str, ...] = ('a',)")) == ("a",)
