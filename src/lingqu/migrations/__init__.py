# SPDX-License-Identifier: Apache-2.0
"""Numbered SQL files, forward only; `lingqu.runtime.migrate` applies them."""
