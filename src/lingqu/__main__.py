# SPDX-License-Identifier: Apache-2.0
"""`python -m lingqu` is `lingqu`."""

from lingqu.cli import main

main()
