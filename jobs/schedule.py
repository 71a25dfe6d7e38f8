"""The one table of periodic work. Times are Asia/Jakarta. What is not listed here does not run.

`late_after` says when readiness calls a job late; `catch_up` that a moment nobody ran is made up for as soon as
somebody can: the rest looks at whatever is due, so that its next run makes up by itself.
"""

from __future__ import annotations

from datetime import timedelta

from portal.core.schedules import Periodic

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

SCHEDULE: list[Periodic] = [
    #        name                 job                         when
    Periodic("outbox-sweep", "outbox.sweep", every_s=15, late_after=2 * MINUTE),
    Periodic("missed-runs", "missed.make_up", every_s=300, late_after=15 * MINUTE),
    # money and subscriptions
    Periodic("top-up-expiry", "payments.expire_due", cron="5 * * * *", late_after=30 * MINUTE),
    Periodic("payment-sync", "payments.sync", cron="*/30 * * * *", late_after=20 * MINUTE),
    # slots that somebody waits for
    Periodic("waitlist-offers", "waitlist.offer_free_slots", cron="*/5 * * * *", late_after=10 * MINUTE),
    Periodic("waitlist-expiry", "waitlist.expire_offers", every_s=60, late_after=10 * MINUTE),
    Periodic("launch-holds", "waitlist.release_launch_holds", every_s=60, late_after=10 * MINUTE),
    Periodic("renewals", "subscriptions.renew_due", cron="*/5 * * * *", late_after=20 * MINUTE),
    Periodic("renewal-reminders", "subscriptions.remind_due", cron="20 * * * *", late_after=HOUR),
    # instances
    Periodic("instance-repair", "instances.repair", cron="*/10 * * * *", late_after=10 * MINUTE),
    Periodic("plan-change-repair", "plan_changes.repair", cron="*/10 * * * *", late_after=10 * MINUTE),
    Periodic("nodes-sync", "nodes.sync", cron="*/5 * * * *", late_after=10 * MINUTE),
    Periodic("app-use", "use.measure", cron="*/5 * * * *", late_after=10 * MINUTE),
    Periodic("domain-checks", "domains.check_due", cron="*/10 * * * *", late_after=20 * MINUTE),
    Periodic("app-health", "health.check_apps", cron="*/5 * * * *", late_after=10 * MINUTE, timeout_s=280),
    Periodic("cluster-drift", "drift.reconcile", cron="40 * * * *", late_after=HOUR, timeout_s=900),
    # books and the operator
    Periodic("alerts", "alerts.evaluate", every_s=60, late_after=5 * MINUTE),
    Periodic("overdue-invoices", "reports.remind_overdue", cron="0 9 * * *", late_after=HOUR, catch_up=True),
    Periodic("daily-summary", "reports.daily", cron="0 23 * * *", late_after=HOUR, catch_up=True),
    Periodic("day-figures", "reports.sum_up", cron="5 * * * *", late_after=HOUR, timeout_s=900),
    Periodic("days-anew", "reports.sum_up_anew", cron="20 0 * * *", late_after=HOUR, catch_up=True, timeout_s=1800),
    Periodic("monthly-reports", "reports.monthly", cron="0 2 1 * *", late_after=HOUR, catch_up=True),
    Periodic("clean-up", "housekeeping.clean_up", cron="0 3 * * *", late_after=HOUR, catch_up=True),
    Periodic("reconciliation", "books.reconcile", cron="0 4 * * *", late_after=HOUR, catch_up=True),
    Periodic("books-audit", "books.audit", cron="30 3 * * *", late_after=HOUR, catch_up=True, timeout_s=3600),
]
