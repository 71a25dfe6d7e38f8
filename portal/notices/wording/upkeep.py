"""Words about keeping an app up to date and its own domain alive."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.apps import APP, INSTANCE
from portal.notices.wording.phrases import Link, Wording

UPDATES = Link("instances.versions", _l("See its version"), ("instance_id",))

DOMAINS = Link("instances.domains", _l("See its domains"), ("instance_id",))
DOMAIN = {**APP, "host": "blog.example.com"}

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
    "domain_verified": Wording(
        _l("%(host)s leads to your %(app)s"),
        [
            _l("We found the records of %(host)s, and it now leads to your %(app)s (%(name)s)."),
            _l("Its certificate is made within a few minutes. Leave both records where they are."),
        ],
        DOMAINS,
        DOMAIN,
    ),
    "domain_missing": Wording(
        _l("The records of %(host)s are gone"),
        [
            _l("%(host)s should lead to your %(app)s (%(name)s), but its DNS records are no longer as they were."),
            _l("Put them back until %(ends_at)s; then we stop answering for it. The app keeps its own address."),
        ],
        DOMAINS,
        {**DOMAIN, "ends_at": "2026-03-13T05:00:00+00:00"},
    ),
    "domain_lost": Wording(
        _l("%(host)s no longer leads to your %(app)s"),
        [
            _l("Its DNS records were gone for days, so we no longer answer for %(host)s."),
            _l("Your %(app)s (%(name)s) runs on at its own address, and no money moved."),
            _l("Put the records back and ask us to check, and it leads there again."),
        ],
        DOMAINS,
        DOMAIN,
    ),
    "domain_taken_over": Wording(
        _l("%(host)s leads to another app now"),
        [
            _l("Another app proved by the DNS that %(host)s belongs to it, so it no longer leads to your %(app)s."),
            _l("If that was not you, look into who may change the records of your domain."),
            _l("Your %(app)s (%(name)s) runs on at its own address, and no money moved."),
        ],
        DOMAINS,
        DOMAIN,
    ),
}
