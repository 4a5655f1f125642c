# SPDX-License-Identifier: Apache-2.0
"""Background jobs as people meet them: long work one waits for, and jobs that failed for good.

Queuing and running jobs is `runtime.jobs`. Here stands who may put a failed one back or throw it
away, and the fact that they did; and what a **work** is: begun inside a command (`begin_work`),
told about by its job (`do_work`, `Progress`), seen and stopped by whoever asked for it.
"""

from lingqu.runtime.jobs import FailedJob, QueuedJob
from lingqu.trust.jobs.failed import (
    JobDropped,
    JobNotFailed,
    JobRetried,
    JobWaitsAlready,
    drop_job,
    find_failed_jobs,
    find_queued_jobs,
    retry_job,
)
from lingqu.trust.jobs.works import (
    Progress,
    Work,
    WorkFailed,
    WorkId,
    WorkNotFound,
    WorkOver,
    WorkState,
    WorkStopped,
    begin_work,
    do_work,
    find_works,
    get_work,
    stop_work,
)

__all__ = (
    "FailedJob",
    "JobDropped",
    "JobNotFailed",
    "JobRetried",
    "JobWaitsAlready",
    "Progress",
    "QueuedJob",
    "Work",
    "WorkFailed",
    "WorkId",
    "WorkNotFound",
    "WorkOver",
    "WorkState",
    "WorkStopped",
    "begin_work",
    "do_work",
    "drop_job",
    "find_failed_jobs",
    "find_queued_jobs",
    "find_works",
    "get_work",
    "retry_job",
    "stop_work",
)
