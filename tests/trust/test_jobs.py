# SPDX-License-Identifier: Apache-2.0
"""Failed jobs are seen, retried and dropped by whoever runs the installation, on the record."""

import time

import pytest

from lingqu import trust
from lingqu.kernel.paging import BadPage, PageRequest
from lingqu.runtime.jobs import JobRegistry, Retry, Worker
from lingqu.trust import jobs

PAGE = PageRequest(size=50)


class Queue:
    """A registry whose job fails until it is mended, and a worker when one is wanted."""

    def __init__(self, place):
        self.mended, self.ran = False, 0
        self.registry = JobRegistry()
        self.place = place
        place.database.close()
        place.database = place.open(jobs=self.registry)

        @self.registry.job("tests.breaks", retry=Retry(attempts=1))
        def breaks(_context):
            assert self.mended, "still broken"
            self.ran += 1

    def defer(self):
        with self.place.database.transaction(trust.PLATFORM) as tx:
            return tx.defer("tests.breaks")

    def work_until(self, condition):
        worker = Worker(self.registry, self.place.database.conninfo, poll_s=0.1)
        worker.start()
        deadline = time.monotonic() + 30
        while not condition():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert worker.stop()


@pytest.fixture
def queue(place):
    return Queue(place)


def failed(place, caller=trust.LOCAL_ADMINISTRATOR, page=PAGE):
    with place.database.reading(caller) as tx:
        return jobs.find_failed_jobs(tx, page=page)


def test_a_failed_job_is_retried_and_runs(place, queue):
    number = queue.defer()
    queue.work_until(lambda: failed(place).items)
    (seen,) = failed(place).items
    assert (seen.id, seen.name, seen.attempts) == (number, "tests.breaks", 1)
    assert seen.failed_at is not None
    command = trust.CommandId.of(trust.PartyId.make(unix_ms=1, entropy=b"0" * 10).uuid)
    assert place.do(jobs.retry_job, trust.LOCAL_ADMINISTRATOR, command, job=number) == seen
    assert place.do(jobs.retry_job, trust.LOCAL_ADMINISTRATOR, command, job=number) == seen
    assert failed(place).items == ()
    queue.mended = True
    queue.work_until(lambda: queue.ran)
    (fact,) = place.facts("trust.job.retried")
    assert fact["data"] == {"job": number, "name": "tests.breaks", "attempts": 1}
    assert place.audit() == []


def test_a_failed_job_is_dropped_for_good(place, queue):
    number = queue.defer()
    queue.work_until(lambda: failed(place).items)
    place.do(jobs.drop_job, job=number)
    assert place.count("runtime.procrastinate_jobs") == 0
    assert [one["data"]["job"] for one in place.facts("trust.job.dropped")] == [number]
    for what in (jobs.retry_job, jobs.drop_job):
        with pytest.raises(jobs.JobNotFailed):
            place.do(what, job=number)


def test_a_job_that_waits_or_never_was_is_no_failed_one(place, queue):
    waiting = queue.defer()
    for number in (waiting, waiting + 1, 0, -1, (1 << 53) - 1):
        with pytest.raises(jobs.JobNotFailed):
            place.do(jobs.retry_job, job=number)
    assert place.count("runtime.procrastinate_jobs") == 1


def test_a_job_whose_next_run_waits_already_is_not_put_back(place, queue):
    numbers = [queue.defer(), queue.defer()]
    place.sql(
        "UPDATE runtime.procrastinate_jobs SET status = 'failed', queueing_lock = 'one'"
        " WHERE id = %s", (numbers[0],),
    )  # fmt: skip
    place.sql(
        "UPDATE runtime.procrastinate_jobs SET queueing_lock = 'one' WHERE id = %s", (numbers[1],)
    )
    with pytest.raises(jobs.JobWaitsAlready):
        place.do(jobs.retry_job, job=numbers[0])
    assert place.do(jobs.drop_job, job=numbers[0]).id == numbers[0]


def test_only_who_runs_the_installation_sees_and_changes_the_queue(place, queue):
    number = queue.defer()
    place.sql("UPDATE runtime.procrastinate_jobs SET status = 'failed'")
    for role in (trust.Role.MEMBER, trust.Role.REGULATOR):
        caller = place.account(role=role)
        with pytest.raises(trust.AccessDenied):
            failed(place, caller)
        for what in (jobs.retry_job, jobs.drop_job):
            for job in (number, number + 7):
                with pytest.raises(trust.AccessDenied):
                    place.do(what, caller, job=job)
    administrator = place.account(role=trust.Role.ADMINISTRATOR)
    assert place.do(jobs.drop_job, administrator, job=number).id == number


def test_the_list_is_walked_newest_first(place, queue):
    numbers = [queue.defer() for _ in range(5)]
    place.sql("UPDATE runtime.procrastinate_jobs SET status = 'failed'")
    walked, after = [], None
    while True:
        page = failed(place, page=PageRequest(size=2, after=after))
        walked += [one.id for one in page.items]
        after = page.next
        if after is None:
            break
    assert walked == sorted(numbers, reverse=True)
    for nonsense in ("eHg", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"):
        with pytest.raises(BadPage):
            failed(place, page=PageRequest(size=2, after=nonsense))
