# SPDX-License-Identifier: Apache-2.0
"""What people do about background jobs that failed for good: see them, retry one, drop one.

Queuing and running jobs is `runtime.jobs`; here stands who may put a failed one back or throw it
away, and the fact that they did.
"""

from lingqu.runtime.jobs import FailedJob
from lingqu.trust.jobs.failed import (
    JobDropped,
    JobNotFailed,
    JobRetried,
    JobWaitsAlready,
    drop_job,
    find_failed_jobs,
    retry_job,
)

__all__ = (
    "FailedJob",
    "JobDropped",
    "JobNotFailed",
    "JobRetried",
    "JobWaitsAlready",
    "drop_job",
    "find_failed_jobs",
    "retry_job",
)
