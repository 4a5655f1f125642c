# SPDX-License-Identifier: Apache-2.0
"""The composition root: puts an installation together from its settings; no rules live here.

The only file that knows every domain. `open_app` gives a usable installation without loops running;
`run_platform` runs the loops (sequencer, jobs, refusals of strangers, queued transfers) beside it.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lingqu import gate, interop, ledger, market, rights, supervision, supply, trust
from lingqu.gate import lists, publishing
from lingqu.kernel import errors
from lingqu.kernel.time import Instant
from lingqu.market import bills, distribution, settlement
from lingqu.market import telling as deals
from lingqu.rights import obligations, operation, quantities, registry
from lingqu.rights import telling as grants
from lingqu.runtime import REAL_TIME, Caller, Database, Tx, migrate, new_id, seals
from lingqu.runtime.blobs import BlobStore
from lingqu.runtime.calendar import local_day, shift_days
from lingqu.runtime.engine import Engine, job_limits, open_engine
from lingqu.runtime.jobs import JobContext, JobRegistry, Worker
from lingqu.runtime.keys import KeyExists, KeyId, Keyring, SigningKey, Unlock, create_key_file
from lingqu.runtime.observability import CheckResult, Readiness, fine, get_logger
from lingqu.runtime.openid import Provider
from lingqu.runtime.postgres import PostgresServer, open_postgres
from lingqu.runtime.settings import BadSetting, Settings, key_location, read_secret, source_location
from lingqu.supervision import telling as cases
from lingqu.supply import collection, handing, opening
from lingqu.trust import identity, notices, procedures, rulebook
from lingqu.trust import jobs as works
from lingqu.trust import log as logs
from lingqu_verify import notes

KEYS, BLOBS, LOGS, TABLES, GATE, WAITING = "keys", "blobs", "log", "tables", "gate", "files"
LOG_PURPOSE, ENTITY_PURPOSE = "log", "entity"
DOMAINS = (
    trust, ledger, supply, collection, handing, opening, rights, operation, registry, market,
    settlement, distribution, bills, gate, supervision, interop,
)  # fmt: skip
"""Every domain: with them come their commands, facts and tables."""
FOLLOWERS = (supervision.FOLLOWER, notices.follower(deals.TELLERS, grants.TELLERS, cases.TELLERS))
"""Who follows the log, each in transactions of its own."""
FOLLOWING_INTERVAL_S = 0.2
"""How long a fact in the log waits at most before its followers are given it."""
POSTING_INTERVAL_S = 0.1
"""How long queued transfers wait at most before the next batch begins."""

_log = get_logger("lingqu.wiring")


class NeedsUpgrade(errors.Unavailable):
    """The database is behind this program; `lingqu upgrade` brings it forward, with a backup."""

    code = "trust.installation.needs_upgrade"


class OneEngine:
    """The engine of a process: made when first asked for, because most commands never do."""

    def __init__(self, settings: Settings) -> None:
        """Make nothing yet."""
        self._settings = settings
        self._made: Engine | None = None
        self._lock = threading.Lock()

    def get(self) -> Engine:
        """This will give the engine, the same each time."""
        with self._lock:
            if self._made is None:
                self._made = open_engine(self._settings)
            return self._made

    def close(self) -> None:
        """This will end it where it was made."""
        with self._lock:
            if self._made is not None:
                self._made.close()


@dataclass(slots=True, kw_only=True)
class App:
    """One opened installation and everything in it. `log_directory` holds the written log."""

    settings: Settings
    database: Database
    installation: trust.Installation
    keyring: Keyring
    blobs: BlobStore
    jobs: JobRegistry
    sequencer: logs.Sequencer
    log_directory: Path
    strangers: trust.StrangerRefusals
    readiness: Readiness
    postgres: PostgresServer
    openid: Provider | None
    desk: gate.Desk
    one_engine: OneEngine
    asking: gate.Asking

    @property
    def engine(self) -> Engine:
        """The one engine of this process; its workers start with the first query."""
        return self.one_engine.get()

    def close(self) -> None:
        """This will end the engine's workers, if there are any."""
        self.one_engine.close()

    @property
    def tables(self) -> Path:
        """The folder of Delta tables that loads land in."""
        return self.settings.data_dir / TABLES

    def entity_key(self) -> bytes:
        """This will give the key by which entities are counted without being known."""
        # A signature of the key ring's own, so that no second secret has to be kept.
        signed = self._key_for(ENTITY_PURPOSE).sign(b"lingqu entity domain 1")
        return hashlib.sha256(signed.value).digest()

    @property
    def workshop(self) -> handing.Workshop:
        """What loading a delivery needs."""
        return handing.Workshop(
            engine=self.one_engine.get, tables=self.tables, blobs=self.blobs,
            secrets=source_location(self.settings), entity_key=self.entity_key,
        )  # fmt: skip

    @property
    def bench(self) -> publishing.Bench:
        """What building a snapshot needs."""
        return publishing.Bench(
            engine=self.one_engine.get, keyring=self.keyring, tables=self.tables,
            folder=self.settings.data_dir / GATE,
        )  # fmt: skip

    @property
    def seal(self) -> seals.KeySeal:
        """What papers of this installation are marked with: a signature by a key of ours."""
        return seals.KeySeal(key=self._key_for(seals.PURPOSE), clock=self.installation.clock)

    def _key_for(self, purpose: str) -> SigningKey:
        """The key in force for a purpose, made when it is first asked for."""
        if not self.keyring.all(purpose):
            with suppress(KeyExists):
                self.keyring.create(purpose, at=REAL_TIME.now(), key_id=new_id(KeyId))
            self.keyring.reload()
        return self.keyring.current(purpose)

    @property
    def file_room(self) -> lists.FileRoom:
        """Where tables for the gate wait, and their answers."""
        return lists.FileRoom(self.settings.data_dir / GATE / WAITING)

    @property
    def lock_policy(self) -> identity.LockPolicy:
        """When failed attempts to sign in lock a login."""
        return identity.LockPolicy(
            failures=self.settings.sign_in_failures_max,
            minutes=self.settings.sign_in_lock_minutes,
        )

    @property
    def logs(self) -> Path:
        """The folder of all logs' files."""
        return self.settings.data_dir / LOGS


def initialize(
    settings: Settings, *, story_from: Instant | None = None, origin: str | None = None
) -> trust.Installation:
    """This will begin an installation in the data folder; with `story_from` on a story clock.

    Makes the database, the key file beside the folder, the log's first key and the founding fact.
    Safe to repeat after an interruption. Raises AlreadyFounded and what PostgreSQL or keys refuse.
    """
    with _postgres(settings) as postgres:
        migrate.migrate(postgres.owner_conninfo)
        database = Database(postgres.app_conninfo, size=2, rules=_rulebook(settings).version)
        try:
            if not settings.key_passphrase_file and not key_location(settings).exists():
                create_key_file(key_location(settings))
            ring = _keyring(settings)
            if not ring.all(LOG_PURPOSE):
                ring.create(LOG_PURPOSE, at=REAL_TIME.now(), key_id=new_id(KeyId))
            founded = new_id(trust.InstallationId)
            named = origin or settings.origin or f"lingqu.local/{founded[-8:]}"
            trust.execute(
                database,
                trust.found_installation,
                trust.LOCAL_ADMINISTRATOR,
                new_id(trust.CommandId),
                installation=founded,
                origin=named,
                verifier_key=str(logs.log_signer(named, ring.current(LOG_PURPOSE)).verifier),
                story_from=story_from,
            )
            with database.reading() as tx:
                return trust.get_installation(tx)
        finally:
            database.close()


@contextmanager
def open_app(settings: Settings) -> Iterator[App]:
    """This will open an installation, with no loops running. Raises NeedsUpgrade, NotFounded."""
    with _postgres(settings) as postgres:
        pending = migrate.status(postgres.owner_conninfo).pending
        if pending:
            raise NeedsUpgrade(pending=len(pending))
        jobs = _jobs()
        database = Database(postgres.app_conninfo, size=settings.pool_size, jobs=jobs)
        try:
            with database.reading() as tx:
                book = _rulebook(settings, rulebook.find_adoption(tx))
            database.rules = book.version
            app = _assemble(settings, postgres, database, jobs)
            _adopt(database, book)
            try:
                with app.desk, closing(app.asking):
                    yield app
            finally:
                app.close()
        finally:
            database.close()


@contextmanager
def run_platform(app: App, stop: threading.Event) -> Iterator[None]:
    """This will run the sequencer and, where settings say so, the worker until the block ends.

    An opened installation may be run again afterwards, with another `stop`, never twice at once.
    """
    loops = (
        ("sequencer", app.sequencer.run, (stop,)),
        ("refusals", _keep_counting, (app, stop)),
        ("posting", _keep_posting, (app, stop)),
        ("following", _keep_following, (app, stop)),
    )
    threads = [
        threading.Thread(target=loop, args=given, name=f"lingqu-{name}", daemon=True)
        for name, loop, given in loops
    ]
    for one in threads:
        one.start()
    worker = None
    if app.settings.worker_embedded:
        worker = Worker(app.jobs, app.database.conninfo, platform=app)
        app.readiness.add("worker", worker.check)
        worker.start()
    try:
        yield
    finally:
        stop.set()
        app.database.committed.set()
        if worker is not None:
            worker.stop()
            app.readiness.remove("worker")
        for one in reversed(threads):
            one.join(timeout=15)


def rotate_log_key(app: App, caller: Caller, command_id: trust.CommandId) -> logs.LogKey:
    """This will sign our log with a new key from now on, vouched for by the present one.

    Sent again after an interruption it finishes what it began. Raises NoSigningKey where the ring
    lacks the log's newest key.
    """
    app.keyring.reload()
    with app.database.reading(caller) as tx:
        log = logs.own_log(tx)
    newest = log.keys[-1]
    current = logs.log_signer(log.origin, app.keyring.current(LOG_PURPOSE))
    if current.verifier == newest.verifier:
        app.keyring.rotate(LOG_PURPOSE, at=REAL_TIME.now(), key_id=new_id(KeyId))
        elder, current = current, logs.log_signer(log.origin, app.keyring.current(LOG_PURPOSE))
    else:
        elder = _elder(app.keyring, log)
    statement = notes.sign_note(notes.key_statement(log.origin, current.verifier), (elder,))
    number = trust.execute(
        app.database,
        trust.introduce_log_key,
        caller,
        command_id,
        verifier_key=str(current.verifier),
        statement=str(statement),
    )
    with app.database.reading(caller) as tx:
        return next(key for key in logs.own_log(tx).keys if key.number == number)


def succeed_log(app: App, caller: Caller, command_id: trust.CommandId) -> trust.LogSucceeded:
    """This will begin a successor of our log, which refuses to sign. Raises NothingToSucceed."""
    return trust.execute(
        app.database,
        trust.succeed_log,
        caller,
        command_id,
        folder=str(app.logs),
        forked=app.sequencer.status().forked is not None,
        public=app.keyring.current(LOG_PURPOSE).info.public,
    )


def _assemble(
    settings: Settings, postgres: PostgresServer, database: Database, jobs: JobRegistry
) -> App:
    _check_roles(settings)
    ring = _keyring(settings)
    with database.reading() as tx:
        installation = trust.get_installation(tx)
        log = logs.own_log(tx)
        recorded = trust.latest_instant(tx)
    database.use_story_clock(story=installation.clock == "story")
    if recorded is not None and installation.clock == "real":
        database.time.remember(recorded)
    folder = settings.data_dir / LOGS
    sequencer = logs.Sequencer(
        database,
        folder,
        lambda origin: tuple(logs.log_signer(origin, key) for key in ring.signing(LOG_PURPOSE)),
        witnesses=tuple(logs.Witness.parse(text) for text in settings.witnesses),
        interval_ms=settings.checkpoint_interval_ms,
    )
    desk, one_engine = gate.Desk(database, ring, settings.data_dir / GATE), OneEngine(settings)
    app = App(
        settings=settings,
        database=database,
        installation=installation,
        keyring=ring,
        blobs=BlobStore(settings.data_dir / BLOBS),
        jobs=jobs,
        sequencer=sequencer,
        log_directory=log.folder(folder),
        strangers=trust.StrangerRefusals(database, key=os.urandom(32)),
        readiness=Readiness(),
        postgres=postgres,
        openid=_openid(settings),
        desk=desk,
        one_engine=one_engine,
        asking=gate.Asking(
            database,
            desk=desk,
            engine=one_engine.get,
            keyring=ring,
            folder=settings.data_dir / GATE,
            limits=job_limits(settings),
            turns=settings.engine_workers,
        ),
    )
    app.readiness.add("database", lambda: _check_database(app), vital=False)
    app.readiness.add("log", lambda: _check_log(app))
    return app


def _postgres(settings: Settings) -> PostgresServer:
    return open_postgres(
        data_dir=settings.data_dir,
        url=settings.database_url,
        owner_url=settings.database_owner_url,
        cache_dir=settings.postgres_cache_dir,
    )


def _rulebook(settings: Settings, adopted: rulebook.Adoption | None = None) -> rulebook.Rulebook:
    """The rules that settings name; where they name none, those adopted before go on."""
    before = rulebook.DEFAULT_PROFILE if adopted is None else adopted.profile
    profile = settings.profile or before
    wanted = settings.unverified_rules
    if wanted is None and adopted is not None and adopted.profile == profile:
        # A rule may have been checked since: then it needs no switch any more.
        known = rulebook.open_rulebook(profile).known()
        memory = {rule.code for rule in known if rule.source is rulebook.Source.MEMORY}
        wanted = tuple(memory & {*adopted.unverified})
    return rulebook.open_rulebook(profile, unverified=frozenset(wanted or ()))


def _adopt(database: Database, book: rulebook.Rulebook) -> None:
    """Record that these rules are in force from now on, where others were or none."""
    try:
        with database.alone("trust.rulebook.adopt") as held:
            with database.reading() as tx:
                latest = rulebook.find_adoption(tx)
            if not held or (latest is not None and latest.rules == book.version):
                return
            trust.execute(
                database,
                rulebook.adopt_rulebook,
                trust.PLATFORM,
                new_id(trust.CommandId),
                adoption=new_id(rulebook.AdoptionId),
                rules=book.version,
                profile=book.profile.name,
                edition=book.edition.name,
                unverified=tuple(sorted(book.unverified)),
            )
    except errors.Unavailable as error:
        # Every fact names its rules anyway; the next opening adopts them.
        _log.warning("rulebook_not_adopted", code=error.code, rules=book.version)


def _keyring(settings: Settings) -> Keyring:
    if settings.key_passphrase_file:
        unlock = Unlock.from_passphrase_file(settings.key_passphrase_file)
    else:
        unlock = Unlock.from_key_file(key_location(settings))
    return Keyring.open(settings.data_dir / KEYS, unlock, data_dir=settings.data_dir)


def _check_roles(settings: Settings) -> None:
    """A role misspelt would leave its holders without the second factor they need."""
    known = [role.value for role in trust.Role]
    for name in settings.second_factor_roles:
        if name not in known:
            allowed = ", ".join(known)
            raise BadSetting(field="second_factor_roles", given=name, allowed=allowed)


def _openid(settings: Settings) -> Provider | None:
    if settings.openid_issuer is None:
        return None
    file = settings.openid_client_secret_file
    return Provider(
        issuer=settings.openid_issuer,
        client_id=settings.openid_client_id,
        client_secret=None if file is None else read_secret(file),
    )


def _elder(ring: Keyring, log: logs.OwnLog) -> notes.Signer:
    for key in ring.signing(LOG_PURPOSE):
        signer = logs.log_signer(log.origin, key)
        if signer.verifier == log.keys[-1].verifier:
            return signer
    raise logs.NoSigningKey(origin=log.origin, key=log.keys[-1].verifier.fingerprint)


def _jobs() -> JobRegistry:
    jobs = JobRegistry()

    @jobs.job("trust.sessions.drop_expired")
    def drop_expired(context: JobContext) -> None:
        """Delete sessions whose time is over."""
        app = _app_of(context)
        with app.database.transaction(trust.PLATFORM) as tx:
            trust.drop_expired_sessions(tx, now=REAL_TIME.now())
            identity.drop_old_failures(tx, now=REAL_TIME.now(), policy=app.lock_policy)

    @jobs.job("trust.procedures.fire_timers")
    def fire_timers(context: JobContext) -> None:
        """Let clocks of procedures act that have run out."""
        app = _app_of(context)
        procedures.fire_due_timers(app.database, trust.PLATFORM)

    @jobs.job("trust.procedures.recount_deadlines")
    def recount_deadlines(context: JobContext) -> None:
        """Count provisional deadlines again, once a day, after a year's days were published."""
        app = _app_of(context)
        procedures.recount_all_deadlines(app.database, trust.PLATFORM)

    @jobs.job("rights.quotas.sweep")
    def sweep_quotas(context: JobContext) -> None:
        """Move what dead grants have not spent to the living above them."""
        app = _app_of(context)
        with app.database.reading(trust.PLATFORM) as tx:
            roots = quantities.find_unswept(tx)
        for root in roots:
            trust.execute(
                app.database,
                quantities.sweep_quotas,
                trust.PLATFORM,
                new_id(trust.CommandId),
                root=root,
            )

    @jobs.job("rights.obligations.begin")
    def begin_obligations(context: JobContext) -> None:
        """Start the clocks of what is owed after grants that ended, until none is left."""
        app = _app_of(context)
        due = True
        while due and not context.should_stop():
            with app.database.reading(trust.PLATFORM) as tx:
                due = obligations.has_ended(tx)
            if due:
                trust.execute(
                    app.database,
                    obligations.begin_obligations,
                    trust.PLATFORM,
                    new_id(trust.CommandId),
                )

    _supply_jobs(jobs)
    _gate_jobs(jobs)
    _market_jobs(jobs)
    _supervise(jobs)

    jobs.periodic("rights.quotas.sweep", "* * * * *")
    jobs.periodic("rights.obligations.begin", "*/10 * * * *")
    jobs.periodic("trust.sessions.drop_expired", "17 * * * *")
    jobs.periodic("trust.procedures.fire_timers", "* * * * *")
    jobs.periodic("trust.procedures.recount_deadlines", "41 20 * * *")
    return jobs


def _app_of(context: JobContext) -> App:
    app = context.platform
    assert isinstance(app, App), "the worker was started with the app"
    return app


def _supply_jobs(jobs: JobRegistry) -> None:
    @jobs.job(handing.DELIVERY_JOB)
    def load_delivery(context: JobContext, work: str) -> None:
        """Load what a body handed over, and tell how far it is."""
        app = _app_of(context)
        handing.run_delivery(app.database, works.WorkId(work), app.workshop)


def _market_jobs(jobs: JobRegistry) -> None:
    @jobs.job("market.contracts.expire")
    def expire_contracts(context: JobContext) -> None:
        """End the contracts whose period is over, some at a time, until none is left."""
        app = _app_of(context)
        due = True
        while due and not context.should_stop():
            with app.database.reading(trust.PLATFORM) as tx:
                due = market.has_due(tx)
            if due:
                trust.execute(
                    app.database,
                    market.expire_contracts,
                    trust.PLATFORM,
                    new_id(trust.CommandId),
                )

    @jobs.job("market.days.settle")
    def settle_days(context: JobContext) -> None:
        """Share out at each venue what was earned up to the day the ledger closed last."""
        app = _app_of(context)
        distribution.settle_closed_day(app.database, trust.PLATFORM)

    jobs.periodic("market.contracts.expire", "*/5 * * * *")
    jobs.periodic("market.days.settle", "37 17 * * *")


def _gate_jobs(jobs: JobRegistry) -> None:
    @jobs.job("gate.leases.settle")
    def settle_leases(context: JobContext) -> None:
        """Settle leases of a gate that ended without settling, and drop what need not be kept."""
        app = _app_of(context)
        gate.settle_overdue(app.database)
        gate.settle_abandoned(app.database)
        app.file_room.sweep(REAL_TIME.now())
        with app.database.transaction(trust.PLATFORM) as tx:
            gate.drop_old_replies(tx)

    @jobs.job(publishing.BUILD_JOB)
    def build_snapshot(context: JobContext, work: str) -> None:
        """Build a snapshot that was asked for, and tell how far it is."""
        app = _app_of(context)
        publishing.run_build(app.database, works.WorkId(work), app.bench)

    @jobs.job(lists.JOB)
    def run_file(context: JobContext, job: str) -> None:
        """Answer a table of subjects that was handed in."""
        app = _app_of(context)
        left = lists.run_file(
            app.database, app.desk, app.file_room, lists.FileJobId(job), parts=lists.TURN
        )
        if left.state is lists.FileState.WAITING:
            # Files take turns, so that a long one does not keep those of others waiting.
            with app.database.transaction(trust.PLATFORM) as tx:
                tx.defer(lists.JOB, job=job)

    jobs.periodic("gate.leases.settle", "* * * * *")


def _supervise(jobs: JobRegistry) -> None:
    @jobs.job("supervision.day.reconcile")
    def reconcile_day(context: JobContext) -> None:
        """Compare meter, bill and ledger of the day before, contract by contract."""
        app = _app_of(context)
        day = shift_days(local_day(app.database.time.now()), -1)
        supervision.reconcile_day(app.database, trust.PLATFORM, day=day)

    jobs.periodic("supervision.day.reconcile", "37 18 * * *")


def _keep_counting(app: App, stop: threading.Event) -> None:
    while not stop.wait(60):
        _flush(app)
    _flush(app)


def _keep_posting(app: App, stop: threading.Event) -> None:
    """Post what is queued for the ledger, batch after batch while there is any."""
    while not stop.wait(POSTING_INTERVAL_S):
        try:
            while not stop.is_set():
                with app.database.reading() as tx:
                    if not ledger.count_queued(tx):
                        break
                command = new_id(trust.CommandId)
                trust.execute(app.database, ledger.post_batch, trust.PLATFORM, command)
        except errors.LingquError as error:
            _log.warning("transfers_not_posted", code=error.code)


def follow_log(app: App) -> int:
    """This will hand every follower what it has not seen of the log; says how many facts."""
    done = 0
    for follower in (*FOLLOWERS, *_market_followers(app)):
        while given := trust.deliver(app.database, follower):
            done += given
    return done


def _market_followers(app: App) -> tuple[trust.Subscription, ...]:
    """What was metered is charged, and a contract that got funds again may be used."""

    def charge(_: Tx, fact: trust.DeliveredFact) -> None:
        _charge_batch(app, rights.GrantId(fact.data["grant"]), fact.data["batch"]["id"])

    def free(_: Tx, fact: trust.DeliveredFact) -> None:
        contract = market.ContractId(fact.data["contract"])
        with app.database.reading(trust.PLATFORM) as tx:
            can_go = settlement.is_free_to_go(tx, contract)
        if can_go:
            command = trust.CommandId(f"cmd_{fact.id.partition('_')[2]}")
            free_contract = settlement.free_contract
            trust.execute(app.database, free_contract, trust.PLATFORM, command, contract=contract)

    metered, added = frozenset({gate.CallsMetered.kind}), frozenset({settlement.FundsAdded.kind})
    return (
        trust.Subscription(name="market.charging", handler=charge, kinds=metered),
        trust.Subscription(name="market.freeing", handler=free, kinds=added),
    )


def _charge_batch(app: App, grant: rights.GrantId, batch: str) -> None:
    """Charge a metered batch to its contract, if it has one.

    A transaction of its own, under a command id that follows from the batch: killed between it and
    the position of the follower, the batch is handed in again and not charged again.
    """
    with app.database.reading(trust.PLATFORM) as tx:
        if market.find_contract_by_grant(tx, grant) is None:
            return
        if settlement.find_charge_batch(tx, batch) is not None:
            return
        calls = gate.find_batch_calls(tx, gate.MeterBatchId(batch))
    trust.execute(
        app.database,
        settlement.charge_calls,
        trust.PLATFORM,
        trust.CommandId(f"cmd_{batch.partition('_')[2]}"),
        batch=batch,
        grant=grant,
        calls=tuple(supervision.chargeable(one) for one in calls),
    )


def _keep_following(app: App, stop: threading.Event) -> None:
    while not stop.wait(FOLLOWING_INTERVAL_S):
        try:
            follow_log(app)
        except errors.LingquError as error:
            _log.warning("log_not_followed", code=error.code)
            with suppress(errors.LingquError):  # starts an embedded database that was killed
                app.postgres.ensure_running()


def _flush(app: App) -> None:
    try:
        app.strangers.flush()
    except errors.LingquError as error:
        _log.warning("refusals_not_kept", code=error.code)


def _check_database(app: App) -> CheckResult:
    try:
        with app.database.reading() as tx:
            tx.one("SELECT 1 AS up")
    except errors.LingquError as error:
        return CheckResult(ok=False, code=error.code)
    return fine()


def _check_log(app: App) -> CheckResult:
    status = app.sequencer.status()
    code = status.trouble if status.forked is None else status.forked.code
    return fine() if code is None else CheckResult(ok=False, code=code)
