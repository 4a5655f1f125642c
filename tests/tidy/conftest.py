# SPDX-License-Identifier: Apache-2.0
"""Lets the tidy tests import their own walker and the repository's tools."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for folder in (ROOT / "tools", ROOT / "tests" / "tidy"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
