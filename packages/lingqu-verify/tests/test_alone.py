# SPDX-License-Identifier: Apache-2.0
"""The distribution by itself: in an environment that holds no Lingqu and nothing of its needs."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lingqu_verify import bundles

PACKAGE = Path(__file__).resolve().parents[1]
REPOSITORY = PACKAGE.parents[1]
LOCK = REPOSITORY / "requirements" / "verify.txt"


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [str(argument) for argument in arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=170, **options)


@pytest.fixture(scope="module")
def alone(tmp_path_factory) -> Path:
    """The executables of a fresh environment with the verifier alone, out of the hash lock."""
    folder = tmp_path_factory.mktemp("alone") / "venv"
    made = run(sys.executable, "-m", "venv", folder)
    assert made.returncode == 0, made.stderr
    python = folder / "bin" / "python"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    locked = run(*pip, "--only-binary", ":all:", "--require-hashes", "-r", LOCK)
    assert locked.returncode == 0, locked.stderr
    built = run(*pip, "--no-deps", "--no-build-isolation", PACKAGE)
    assert built.returncode == 0, built.stderr
    return folder / "bin"


def test_a_bundle_verifies_where_lingqu_is_not_installed(alone, world, tmp_path):
    bundle = tmp_path / "bundle.json"
    bundle.write_bytes(
        bundles.build_bundle(
            checkpoint=world.checkpoint(),
            leaves=[world.leaf(5)],
            disclosures=[world.disclosure(5)],
            keys=[bundles.OfferedKey(key=world.key)],
        )
    )
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    probe = "import lingqu_verify, importlib.util as u; print(u.find_spec('lingqu'))"
    found = run(alone / "python", "-c", probe, cwd=tmp_path, env=clean)
    assert (found.returncode, found.stdout) == (0, "None\n"), found.stderr

    def verify(*given: object) -> subprocess.CompletedProcess[str]:
        return run(alone / "lingqu-verify", *given, cwd=tmp_path, env=clean)

    done = verify("bundle", bundle, "--fingerprint", world.key.fingerprint, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["facts"][0]["fact"] == "fct_5"
    assert verify("bundle", bundle, "--lang", "en").returncode == 2
    bundle.write_bytes(bundle.read_bytes().replace(b"fct_5", b"fct_6"))
    assert verify("bundle", bundle, "--key", world.key).returncode == 1
    made = run(alone / "lingqu-witness", "init", "--dir", tmp_path / "w", "--name", "w1")
    assert made.returncode == 0, made.stderr


def test_it_imports_the_standard_library_and_cryptography_alone():
    allowed = sys.stdlib_module_names | {"cryptography", "lingqu_verify"}
    for path in (PACKAGE / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, path
                names = [node.module or ""]
            assert {name.split(".")[0] for name in names} <= allowed, path


def test_the_lock_names_no_host_and_hashes_everything():
    text = LOCK.read_text(encoding="utf-8")
    assert "://" not in text
    blocks = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert all("==" in line and line.endswith("\\") for line in blocks)
    assert any(line.startswith("cryptography==") for line in blocks)
