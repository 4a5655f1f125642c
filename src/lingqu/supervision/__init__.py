# SPDX-License-Identifier: Apache-2.0
"""监管: indicators, detectors, cases, credit, filings, boards.

Nothing here yet: the name and its place in the line are kept.
"""

__all__: tuple[str, ...] = ()
