"""Words about keeping an app up to date and its own domain alive."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.apps import APP, INSTANCE
from portal.notices.wording.phrases import Link, Wording

UPDATES = Link("instances.versions", _l("See its version"), ("instance_id",))

UPKEEP: dict[str, Wording] = {
    "instance_updated": Wording(
        _l("%(app)s was updated to %(version)s"),
        [
            _l("Your %(app)s (%(name)s) now runs version %(version)s and answers at its address."),
            _l("Its data and its settings stayed as they were. No money moved."),
        ],
        INSTANCE,
        {**APP, "version": "2.35.5"},
    ),
    "instance_update_failed": Wording(
        _l("%(app)s could not be updated and runs its former version"),
        [
            _l("The update of your %(app)s (%(name)s) to %(version)s did not come up: %(reason)s."),
            _l("We went back to %(former_version)s by ourselves; its data stayed. No money moved."),
            _l("You can try again later, or write to us."),
        ],
        UPDATES,
        {**APP, "version": "2.35.5", "former_version": "2.34.0", "reason": "crash_loop"},
    ),
}
