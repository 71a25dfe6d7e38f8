"""Words of alerts: what is not well, and what to do about it. `docs/alerts.md` has the longer story of each."""

from __future__ import annotations

from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _l
from flask_babel.speaklater import LazyString

from portal.notices.wording.phrases import Link, When, Wording

OPENED, OVER = "alert_", "alert_over_"
"""Before an alert's code: the codes of the mail that tells of it, and of the one that tells that it is over."""

SHOW = Link("admin_alerts.show", _l("See the alert"), ("alert_id",))
SAMPLE = {
    "alert_id": "0197b2a0-0000-7000-8000-000000000001",
    "opened_at": "2026-03-10T03:05:00+00:00",
    "closed_at": "2026-03-10T03:45:00+00:00",
}


def _alert(title: Any, *sentences: Any, **sample: Any) -> Wording:
    return Wording(title, sentences, SHOW, {**SAMPLE, **sample})


ALERTS: dict[str, Wording] = {
    "books_differ": _alert(
        _l("The books differ: %(count)s differences"),
        _l("Found by the audit: %(first)s."),
        _l("Nothing was changed. See what each means and what to do with: flask books differences."),
        count=2, first="entries_balance journal_entry 1",
    ),
    "reconciliation_differs": _alert(
        _l("The gateway and the books differ: %(count)s differences"),
        _l("Found by the comparison with the gateway: %(first)s."),
        _l("No money was moved. Open the top-up, press check now, and follow: flask books differences."),
        count=1, first="paid_but_not_credited order TOPUP-1",
    ),
    "gateway_down": _alert(
        _l("The payment gateway does not answer"),
        _l("%(failed)s of %(calls)s calls in the last ten minutes got no answer."),
        _l("Look at the gateway's status page. Top-ups that were paid are credited once it answers."),
        _l("If it lasts, say so on a banner or stop top-ups: flask switches set no_top_ups."),
        failed=12, calls=14,
    ),
    "cluster_down": _alert(
        _l("The cluster does not answer"),
        _l("%(failed)s of %(calls)s calls in the last ten minutes got no answer."),
        _l("Apps that run may still be well. Look at the API server and at the worker's way to it."),
        _l("If it lasts, hold back new apps: flask switches set no_provisioning."),
        failed=12, calls=14,
    ),
    "apps_silent": _alert(
        _l("Most apps do not answer"),
        _l("%(silent)s of %(asked)s apps were silent when they were asked at %(asked_at)s."),
        When("cluster_away", _l("The cluster's API server does not answer either.")),
        _l("So many at once point to the ingress, the network or the servers: no customer was told."),
        _l("Customers see on their apps' pages that we are on it. Look at the ingress controller and the nodes."),
        silent=40, asked=50, asked_at="2026-03-10T03:05:00+00:00", cluster_away=1,
    ),
    "cluster_drift": _alert(
        _l("The cluster is not as wanted: %(count)s differences to look at"),
        When("held", _l("%(held)s apps differ at once; their repair waits for your word.")),
        When("count", _l("Nothing safe can be done about these: %(first)s.")),
        _l("See all of it with: flask --app wsgi instances drift."),
        _l("Repair what is safe with: flask --app wsgi instances drift --repair."),
        count=1, held=0, first="MISSING PersistentVolumeClaim/n8n-abc123-data in user-1",
    ),
    "queue_old": _alert(
        _l("Queued work waits too long"),
        _l("%(due)s pieces of work are due, the oldest since %(oldest_at)s."),
        _l("See on the page of jobs what the workers do. Too few: start another. One stuck: restart it."),
        _l("Nothing is lost: work is done once, when its turn comes."),
        due=120, oldest_at="2026-03-10T03:05:00+00:00",
    ),
    "work_failed": _alert(
        _l("Queued work failed for good: %(count)s"),
        _l("All attempts are used up of: %(first)s."),
        _l("Read the reason on the page of jobs, mend it, then try again there, or give it up with a reason."),
        count=3, first="payments.check",
    ),
    "worker_absent": _alert(
        _l("No worker is alive"),
        _l("Payments are not credited and apps are not started until a worker runs. Nothing is lost meanwhile."),
        _l("Start one: python -m jobs.worker. If it ends at once, its log says why."),
    ),
    "runs_late": _alert(
        _l("Periodic work is late: %(count)s"),
        _l("Not run when it should have been: %(first)s."),
        _l("Is a scheduler running, and are there enough workers? What matters is made up for by itself."),
        count=2, first="renewals, books-audit",
    ),
    "runs_failed": _alert(
        _l("Periodic work failed: %(count)s"),
        _l("The last run failed of: %(first)s."),
        _l("Read its error on the page of jobs, mend it, then run it now there."),
        count=1, first="books-audit",
    ),
    "mail_failing": _alert(
        _l("The mail server takes no mail"),
        _l("%(failed)s of %(calls)s mails in the last ten minutes were not taken."),
        _l("Look at SMTP_URL and at the mail server. Mails wait and are sent once it takes them."),
        failed=9, calls=9,
    ),
    "many_errors": _alert(
        _l("The portal fails often: %(failed)s errors in ten minutes"),
        _l("So many pages ended with an error that nobody expected."),
        _l("Look for request.failed in the log of the web processes. After a release: go back one version."),
        failed=14,
    ),
    "disk_short": _alert(
        _l("The database's volume is %(percent)s%% full"),
        _l("The database takes %(size_gib)s of %(volume_gib)s GiB."),
        _l("Make the volume larger before it is full: a full one stops every payment."),
        percent=86, size_gib=43, volume_gib=50,
    ),
    "slots_short": _alert(
        _l("Customers wait for slots: %(count)s plans"),
        _l("Nearly or entirely sold out, with people in line: %(first)s."),
        _l("Look whether the nodes have room, then raise the quota: flask catalog slots."),
        count=2, first="n8n Basic (3), Ghost Basic (1)",
    ),
    "node_offline": _alert(
        _l("Nodes are away: %(count)s"),
        _l("Silent for more than 90 seconds, or not ready: %(first)s."),
        _l("Look at the machine and its kubelet. Apps on it may be down; Kubernetes moves them after five minutes."),
        _l("Work on purpose: switch maintenance on for the node, and this is over."),
        count=1, first="node-2",
    ),
}  # fmt: skip
"""By the alert's code. Titles also stand in the mail that tells that it is over."""


def _over(title: Any) -> str:
    return gettext("Over: %(title)s", title=str(title))


LETTERS: dict[str, Wording] = {f"{OPENED}{code}": wording for code, wording in ALERTS.items()} | {
    f"{OVER}{code}": Wording(
        LazyString(_over, wording.title),
        [
            _l("It lasted from %(opened_at)s until %(closed_at)s and has not been seen since."),
            _l("Nothing is left to do."),
        ],
        SHOW,
        wording.sample,
    )
    for code, wording in ALERTS.items()
}
