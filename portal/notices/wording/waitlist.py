"""Words about waiting for a slot, and about slots that are held."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.apps import CATALOG, SUBSCRIPTION, TAKEN
from portal.notices.wording.money import WALLET
from portal.notices.wording.phrases import Link, When, Wording

ENTRY = {"app": "n8n", "plan": "Basic", "entry_id": "0197b2a0-0000-7000-8000-000000000005"}
OFFER = {**ENTRY, "ends_at": "2026-03-11T05:00:00+00:00"}
GIVEN_BACK = When("amount", _l("%(amount)s that was set aside for it is yours to spend again."))


def _place(label: object) -> Link:
    return Link("subscriptions.waitlist_place", label, ("entry_id",))


WAITLIST: dict[str, Wording] = {
    "waitlist_offer": Wording(
        _l("A slot for %(app)s %(plan)s is yours, if you want it"),
        [
            _l("You waited for it, and now one is free: it is held for you until %(ends_at)s."),
            _l("Nothing is charged before you confirm. Do nothing, and it goes to the next in line."),
        ],
        _place(_l("Take the slot")),
        OFFER,
    ),
    "waitlist_offer_to_resume": Wording(
        _l("Your %(app)s can run again"),
        [
            _l("A slot for %(app)s %(plan)s is free: it is held for you until %(ends_at)s."),
            _l("Resume it and it runs again as it was. Nothing is charged before you confirm."),
        ],
        _place(_l("Resume it")),
        OFFER,
    ),
    "waitlist_served": Wording(
        _l("Your turn has come: %(app)s %(plan)s is starting"),
        [
            _l("A slot came free, and as you asked we subscribed you at once."),
            TAKEN,
            _l("We tell you when it is ready."),
        ],
        SUBSCRIPTION,
        {**ENTRY, "amount": 25_000, "subscription_id": "0197b2a0-0000-7000-8000-000000000004"},
    ),
    "waitlist_missed": Wording(
        _l("The slot for %(app)s %(plan)s has gone to the next in line"),
        [
            _l("It was held for you, but the time to take it is over. Nothing was charged."),
            _l("You can join the waitlist again at any time."),
        ],
        _place(_l("Join again")),
        ENTRY,
    ),
    "waitlist_left": Wording(
        _l("You no longer wait for %(app)s %(plan)s"),
        [
            _l("Your turn came, but it could not be started: %(reason)s. Nothing was charged."),
            GIVEN_BACK,
            _l("Have a look at what else there is."),
        ],
        CATALOG,
        {**ENTRY, "reason": "PRICE_CHANGED", "amount": 25_000},
    ),
    "waitlist_removed": Wording(
        _l("You no longer wait for %(app)s %(plan)s"),
        [
            _l("We took you out of the queue. The reason: %(why)s"),
            GIVEN_BACK,
            _l("Nothing was charged. You can join again at any time, or write to us."),
        ],
        CATALOG,
        {**ENTRY, "why": "This plan is being replaced by a larger one.", "amount": 25_000},
    ),
    "waitlist_hold_used": Wording(
        _l("What was set aside for %(app)s %(plan)s paid what you owed"),
        [
            _l("Your bank took back money that had been spent already, so %(amount)s was no longer kept apart."),
            _l("It pays that debt first; what is left of it is yours to spend. You keep your place in the queue."),
            _l("When your turn comes we ask you, instead of subscribing by itself."),
        ],
        WALLET,
        {**ENTRY, "amount": 25_000},
    ),
    "waitlist_to_resume": Wording(
        _l("%(app)s waits for a free slot"),
        [
            _l("Your %(app)s could run again, but all slots of %(plan)s are taken right now. Nothing was charged."),
            _l("You are at the front of the queue, and we tell you the moment one is free. Your data is kept."),
        ],
        _place(_l("See how it stands")),
        ENTRY,
    ),
    "launch_hold_ended": Wording(
        _l("The slot for %(app)s %(plan)s is no longer held"),
        [
            _l("It was held for you while you paid, and that time is over. Nothing was charged."),
            _l("%(app)s still launches by itself when your credit arrives, as long as a slot is free."),
        ],
        Link("subscriptions.listing", _l("See what waits")),
        {"app": "n8n", "plan": "Basic"},
    ),
}
