# SPDX-License-Identifier: Apache-2.0
"""What the platform does by itself: sweeping what the dead left, marking what is overdue."""

import time

from lingqu import ledger, rights, trust, wiring
from lingqu.kernel.lattice import TermsForm
from lingqu.rights import obligations, quantities
from lingqu.runtime import new_id
from lingqu.runtime.postgres import discard_postgres
from lingqu.runtime.settings import load_settings
from lingqu.trust import LOCAL_ADMINISTRATOR


def do(app, command, **arguments):
    name = new_id(trust.CommandId)
    return trust.execute(app.database, command, LOCAL_ADMINISTRATOR, name, **arguments)


def planted(app):
    """A root with 10 calls of which its child, already revoked, has 4, and a report due."""
    party, ground = new_id(trust.PartyId), new_id(rights.GroundId)
    kind = trust.PartyKind.ORGANIZATION
    do(app, trust.register_party, party=party, kind=kind, name="〈数据局〉（演示）")
    do(app, ledger.register_currency, currency="calls", scale=0, name_zh="次", name_en="calls")
    do(
        app,
        rights.record_ground,
        ground=ground,
        kind=rights.GroundKind.DUTY,
        title="职能",
        party=party,
        evidence=bytes(32),
    )
    same = {"holder": party, "kind": rights.GrantKind.USING, "terms": TermsForm()}
    days = rights.Duty(kind=rights.ObligationKind.REPORT, days=1, starts=rights.ClockStart.ISSUED)
    root = do(
        app,
        rights.issue_root,
        grant=new_id(rights.GrantId),
        ground=ground,
        quotas=(rights.Quantity(currency="calls", amount=10),),
        duties=(days,),
        **same,
    )
    child = do(
        app,
        rights.issue_grant,
        grant=new_id(rights.GrantId),
        parent=root.id,
        quotas=(rights.Quantity(currency="calls", amount=4),),
        **same,
    )
    do(app, rights.revoke_grant, grant=child.id, cause=rights.RevocationCause.ERROR)
    return root.id


def test_the_worker_sweeps_and_marks_what_is_overdue(tmp_path):
    tmp_path.chmod(0o755)
    data_dir = tmp_path / "data"
    overrides = {"data_dir": data_dir, "origin": "lingqu.test/jobs", "log_level": "warning"}
    settings = load_settings({}, overrides=overrides)
    try:
        start = wiring.REAL_TIME.now()
        wiring.initialize(settings, origin=settings.origin, story_from=start)
        with wiring.open_app(settings) as app:
            root = planted(app)
            with app.database.reading(LOCAL_ADMINISTRATOR) as tx:
                (due,) = (one.due_at for one in obligations.find_obligations(tx, grant=root))
            do(app, trust.move_story_clock, to=due)
            with app.database.transaction(trust.PLATFORM) as tx:
                tx.defer("rights.quotas.sweep")
                tx.defer("rights.obligations.begin")
                tx.defer("trust.procedures.fire_timers")
            worker = wiring.Worker(app.jobs, app.database.conninfo, platform=app)
            worker.start()
            try:
                wait_for(app, root)
            finally:
                worker.stop()
    finally:
        discard_postgres(data_dir=data_dir)


def wait_for(app, root):
    deadline = time.monotonic() + 60
    while True:
        with app.database.reading(LOCAL_ADMINISTRATOR) as tx:
            (quota,) = quantities.get_quota(tx, root)
            (owed,) = obligations.find_obligations(tx, grant=root)
        swept = (quota.available, quota.unswept) == (10, 0)
        if swept and owed.obligation.state is obligations.ObligationState.OVERDUE:
            return
        assert time.monotonic() < deadline, (quota, owed)
        time.sleep(0.05)
