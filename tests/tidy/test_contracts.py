# SPDX-License-Identifier: Apache-2.0
"""Import contracts hold, and each one catches the violation it was written for."""

import os
import shutil
import subprocess
import sys

import pytest
import source

import contracts

LAYERS = "Layers: call down, publish up"
TRUST_FACE = "trust: used only through its face"
PLANTS = {
    "market-knows-gate": ("market/planted.py", "from lingqu import gate\n", LAYERS),
    "supply-knows-rights": ("supply/planted.py", "import lingqu.rights\n", LAYERS),
    "a-package-without-a-place": ("extra/__init__.py", "x = 1\n", LAYERS),
    "an-api-that-knows-pages": ("api/planted.py", "from lingqu import ui\n", LAYERS),
    "an-inner-module-of-trust": (
        "gate/planted.py",
        "from lingqu.trust.access import x\n",
        TRUST_FACE,
    ),
    "an-inner-module-inside-a-function": (
        "rights/planted.py",
        "def f():\n    import lingqu.trust.facts\n",
        TRUST_FACE,
    ),
    "a-web-library-in-a-domain": (
        "market/planted.py",
        "import litestar\n",
        "Domains know no web, no CLI, no templates",
    ),
    "a-driver-outside-its-owner": (
        "ledger/planted.py",
        "import psycopg\n",
        "psycopg belongs to runtime",
    ),
    "an-engine-outside-its-owner": (
        "runtime/planted.py",
        "import duckdb\n",
        "duckdb belongs to runtime.engine",
    ),
    "a-third-party-kernel": (
        "kernel/planted.py",
        "import msgspec\n",
        "The kernel is pure: no third-party package",
    ),
    "a-cycle-inside-a-package": (
        "market/planted.py",
        "from lingqu.market import planted2\n",
        "No cycles inside any package",
    ),
}


def lint(root):
    paths = [root / "src", root / "packages" / "lingqu-verify" / "src"]
    settings = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "COLUMNS": "200"}
    code = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )
    return subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=settings, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A throw-away copy of both distributions' code."""
    root = tmp_path_factory.mktemp("planted")
    for path in (*source.product_code(), source.ROOT / "pyproject.toml"):
        target = root / path.relative_to(source.ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    return root


def test_the_contracts_are_those_of_the_tables():
    assert contracts.current()[1] == contracts.section(), "run: .venv/bin/python tools/contracts.py"


def test_the_line_of_the_tidy_tests_is_that_of_the_contracts():
    ordered = [name for layer in reversed(contracts.LAYERS) for name in layer.split(" | ")]
    assert {*ordered} == {*source.LINE}
    assert contracts.DOMAINS == source.DOMAINS


def test_the_tree_keeps_every_contract(copy):
    answer = lint(copy)
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("plant", PLANTS)
def test_a_planted_import_breaks_its_contract(copy, plant):
    path, code, contract = PLANTS[plant]
    planted = copy / "src" / "lingqu" / path
    made_folder = not planted.parent.exists()
    planted.parent.mkdir(exist_ok=True)
    planted.write_text(code)
    second = planted.with_name("planted2.py")
    second.write_text("from lingqu.market import planted\n" if "cycle" in plant else "")
    try:
        answer = lint(copy)
    finally:
        shutil.rmtree(planted.parent) if made_folder else (planted.unlink(), second.unlink())
    assert answer.returncode == 1
    assert f"{contract} BROKEN" in answer.stdout


def test_a_verifier_that_knows_lingqu_breaks_its_contract(copy):
    planted = copy / "packages" / "lingqu-verify" / "src" / "lingqu_verify" / "planted.py"
    planted.write_text("import lingqu.kernel\n")
    try:
        answer = lint(copy)
    finally:
        planted.unlink()
    assert "The verifier knows nothing of lingqu BROKEN" in answer.stdout
