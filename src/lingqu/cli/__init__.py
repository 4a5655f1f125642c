# SPDX-License-Identifier: Apache-2.0
"""The command line: what an administrator types on the machine itself.

Each command translates words to one command of a domain or some reads, and the answer to words or
JSON. The texts are in `messages.toml`; start reading in `program`, then `grammar`.
"""

from lingqu.cli.program import main

__all__ = ("main",)
