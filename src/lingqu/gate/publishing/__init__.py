# SPDX-License-Identifier: Apache-2.0
"""发布 publishing: a product's snapshot is built from what is loaded, and then answers for it.

`begin_build` records that a snapshot was asked for and begins a work (`trust.jobs`), done by
`run_build`. `publish_product` does the same at once, for whoever waits. Both need a `Bench`.
"""

from lingqu.gate.publishing.works import (
    BUILD_JOB,
    BUILD_KIND,
    Bench,
    begin_build,
    publish_product,
    run_build,
)

__all__ = (
    "BUILD_JOB",
    "BUILD_KIND",
    "Bench",
    "begin_build",
    "publish_product",
    "run_build",
)
