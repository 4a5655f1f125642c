# SPDX-License-Identifier: Apache-2.0
"""What most runs never need is loaded when it is first used."""

import subprocess
import sys

LOADED = """
import sys
import lingqu.wiring
from lingqu.runtime.engine import version
before = {"duckdb", "deltalake"} & {*sys.modules}
assert not before, before
assert version()
assert "duckdb" in sys.modules
"""


def test_opening_an_installation_does_not_load_the_engines():
    done = subprocess.run(
        [sys.executable, "-c", LOADED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
