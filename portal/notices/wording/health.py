"""Words about apps that fall silent and come back."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.apps import APP, INSTANCE
from portal.notices.wording.phrases import Link, Wording

USE = Link("instances.use", _l("See how it is doing"), ("instance_id",))
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
}
