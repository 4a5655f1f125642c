# SPDX-License-Identifier: Apache-2.0
"""Finds what the rounds of this folder share."""

import sys
from pathlib import Path

if (here := str(Path(__file__).parent)) not in sys.path:
    sys.path.insert(0, here)
