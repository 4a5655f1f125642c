# SPDX-License-Identifier: Apache-2.0
"""Lets the tests of documents read a PDF and share their sample data."""

import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)
