"""Words about apps that fall silent and come back, and about a cluster that is not as wanted."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.apps import APP, INSTANCE
from portal.notices.wording.phrases import Link, When, Wording

USE = Link("instances.use", _l("See how it is doing"), ("instance_id",))
STATUS = Link("web.status", _l("See the status page"))
OUTAGE = {**APP, "began_at": "2026-03-10T03:05:00+00:00"}

HEALTH: dict[str, Wording] = {
    "app_silent": Wording(
        _l("%(app)s does not answer"),
        [
            _l("Your %(app)s (%(name)s) has not answered at its address since %(began_at)s. We look at it."),
            _l("Its log often tells why, and a restart often helps. Your data is kept and no money moved."),
            _l("We tell you when it answers again."),
        ],
        INSTANCE,
        OUTAGE,
    ),
    "app_answers_again": Wording(
        _l("%(app)s answers again"),
        [
            _l("Your %(app)s (%(name)s) is back: it answers at its address as before."),
            _l("It was away from %(began_at)s until %(ended_at)s, for %(away_minutes)s."),
        ],
        USE,
        {**OUTAGE, "ended_at": "2026-03-10T03:20:00+00:00", "away_minutes": 15},
    ),
    "app_data_missing": Wording(
        _l("%(app)s is not started: its storage was not found"),
        [
            _l("The storage of your %(app)s (%(name)s) is not where it was. We do not start it on an empty one."),
            _l("Nothing was overwritten and no money moved. Our operators were told and look for it."),
            _l("Reply to this message if you have a copy of your data or want to begin anew."),
        ],
        INSTANCE,
        APP,
    ),
    # to the operator
    "apps_silent": Wording(
        _l("Most apps do not answer"),
        [
            _l("%(silent)s of %(asked)s apps were silent when they were asked at %(asked_at)s."),
            When("cluster_away", _l("The cluster's API server does not answer either.")),
            _l("So many at once point to the ingress, the network or the servers: no customer was told."),
            _l("Customers see on their apps' pages that we are on it. Look at the ingress controller and the nodes."),
        ],
        STATUS,
        {"silent": 40, "asked": 50, "asked_at": "2026-03-10T03:05:00+00:00", "cluster_away": 1},
    ),
    "apps_answer_again": Wording(
        _l("The apps can be asked again"),
        [_l("At %(asked_at)s %(silent)s of %(asked)s apps were silent. Each of them is judged by itself again.")],
        STATUS,
        {"silent": 1, "asked": 50, "asked_at": "2026-03-10T03:20:00+00:00"},
    ),
    "cluster_drift": Wording(
        _l("The cluster is not as wanted: %(count)s differences to look at"),
        [
            When("held", _l("%(held)s apps differ at once; their repair waits for your word.")),
            When("count", _l("Nothing safe can be done about these: %(first)s.")),
            _l("See all of it with: flask --app wsgi instances drift."),
            _l("Repair what is safe with: flask --app wsgi instances drift --repair."),
        ],
        STATUS,
        {"count": 1, "held": 0, "first": "MISSING PersistentVolumeClaim/n8n-abc123-data in user-1"},
    ),
}
