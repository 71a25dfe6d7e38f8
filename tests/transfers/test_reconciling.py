"""The daily comparison with the gateway: transfers are not there, and are not missed there."""

from __future__ import annotations

from datetime import timedelta

from jobs import books as jobs
from portal.books import queries
from portal.books.models import Reconciliation
from portal.core import clock
from portal.core.db import db
from tests.outside import outside, outside_server  # noqa: F401 - fixtures
from tests.payments.counter import Counter


def test_transfers_of_every_kind_beside_a_top_up_at_the_gateway(outside, desk, ayu):  # noqa: F811 - a fixture
    counter = Counter(outside, ayu.customer_id)
    payment = counter.ask(75_000)
    counter.pay(payment)
    counter.deliver(payment)
    credited, less, undone = desk.proven(), desk.proven(), desk.proven()
    desk.approve(credited, line="FT1")
    desk.approve(less, 45_000, line="FT2")
    desk.approve(undone, line="FT3")
    desk.take_back(undone, 50_000)
    desk.ask(), desk.proven()
    desk.settle()
    counter.pass_time(timedelta(hours=16))
    counts = jobs.reconcile()
    assert (counts["asked"], counts["handed_over"], counts["open_differences"], counts["finished"]) == (1, 0, 0, 1)
    db.session.rollback()
    day = db.session().get_one(Reconciliation, clock.today() - timedelta(days=1))
    sides = ("ours", "gateway", "ledger")
    assert [day.figures[side] for side in sides] == [{"count": 1, "sum": 75_000}] * 3
    assert queries.unexplained_clearing(db.session()) == []
    assert queries.open_differences(db.session()) == []
