# SPDX-License-Identifier: Apache-2.0
"""Answers to governed queries: executed in confinement, released by rules, metered like any call.

Start reading in `cells` and `release`, which are pure.
"""
