# SPDX-License-Identifier: Apache-2.0
"""交付 handing over: what a body hands over is loaded by a job that can be watched and stopped.

`hand_over` records that a delivery came and begins a work (`trust.jobs`), done by `run_delivery`.
`load_file` and `load_source` do the same at once, for whoever waits. All of it needs a `Workshop`.
"""

from lingqu.supply.handing.delivering import (
    DELIVERY_JOB,
    DeliveryNotFound,
    Handed,
    Workshop,
    hand_over,
    load_file,
    load_source,
    run_delivery,
)

__all__ = (
    "DELIVERY_JOB",
    "DeliveryNotFound",
    "Handed",
    "Workshop",
    "hand_over",
    "load_file",
    "load_source",
    "run_delivery",
)
