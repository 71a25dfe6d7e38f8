"""Words about subscriptions and the apps that run for them."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.money import BALANCE, WALLET
from portal.notices.wording.phrases import Link, When, Wording

INSTANCE = Link("instances.show", _l("See my app"), ("instance_id",))
CATALOG = Link("catalog.index", _l("Choose an app"))
PURCHASE = {
    "service": "n8n",
    "plan": "Basic",
    "amount": 25_000,
    "balance": 50_000,
    "instance_id": "0197b2a0-0000-7000-8000-000000000003",
}
APP = {"service": "n8n", "name": "calm-river", "instance_id": PURCHASE["instance_id"]}
REFUND = {**APP, "amount": 25_000, "balance": 75_000, "reason": "timeout"}

TAKEN = When("amount", _l("%(amount)s was taken from your credit."))
GIVEN_BACK = When("amount", _l("%(amount)s was given back to your credit."))

APPS: dict[str, Wording] = {
    "subscription_started": Wording(
        _l("%(service)s %(plan)s is yours"),
        [
            _l("We are setting up %(service)s for you now; it usually takes a few minutes."),
            TAKEN,
            BALANCE,
            _l("We tell you when it is ready."),
        ],
        INSTANCE,
        PURCHASE,
    ),
    "launch_done": Wording(
        _l("Your credit arrived and %(service)s is starting"),
        [
            _l("As you asked, we subscribed you to %(service)s %(plan)s as soon as your top-up arrived."),
            TAKEN,
            BALANCE,
        ],
        INSTANCE,
        PURCHASE,
    ),
    "launch_waiting_failed": Wording(
        _l("%(service)s could not be started"),
        [
            _l("Your credit arrived, but %(service)s %(plan)s could not be started: %(reason)s."),
            _l("Nothing was charged for it; your credit stays yours."),
            BALANCE,
            _l("Choose another plan or app whenever you like."),
        ],
        CATALOG,
        {"service": "n8n", "plan": "Basic", "balance": 50_000, "reason": "QUOTA_EXCEEDED"},
    ),
    "instance_ready": Wording(
        _l("%(service)s is running"),
        [
            _l("Your %(service)s is ready at %(address)s."),
            _l("Its page shows your first steps and how to sign in."),
        ],
        INSTANCE,
        {**APP, "address": "https://calm-river.apps.example.com"},
    ),
    "instance_failed_refunded": Wording(
        _l("%(service)s could not be started, and you have your money back"),
        [
            _l("We could not start %(service)s because %(reason)s. We removed what was begun."),
            GIVEN_BACK,
            BALANCE,
            _l("You can try again at any time, or write to us if it happens twice."),
        ],
        CATALOG,
        REFUND,
    ),
    "instance_started": Wording(
        _l("%(service)s is running again"), [_l("You started %(name)s. No money moved.")], INSTANCE, APP
    ),
    "instance_stopped": Wording(
        _l("%(service)s is stopped"),
        [_l("You stopped %(name)s. Its data stays, and so does its subscription.")],
        INSTANCE,
        APP,
    ),
    "instance_restarted": Wording(
        _l("%(service)s was restarted"), [_l("You restarted %(name)s. No money moved.")], INSTANCE, APP
    ),
    "instance_deleted": Wording(
        _l("%(service)s was deleted"),
        [
            _l("%(name)s and all its data were deleted as you asked, and its subscription has ended."),
            GIVEN_BACK,
            _l("Nothing more will be charged for it."),
        ],
        WALLET,
        {**APP, "amount": 10_000},
    ),
}
