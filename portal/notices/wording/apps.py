"""Words about subscriptions and the apps that run for them."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.money import BALANCE, WALLET
from portal.notices.wording.phrases import Link, When, Wording

INSTANCE = Link("instances.show", _l("See my app"), ("instance_id",))
CATALOG = Link("catalog.index", _l("Choose an app"))
SUBSCRIPTION = Link("subscriptions.show", _l("See my subscription"), ("subscription_id",))
PURCHASE = {
    "app": "n8n",
    "plan": "Basic",
    "amount": 25_000,
    "balance": 50_000,
    "subscription_id": "0197b2a0-0000-7000-8000-000000000004",
}
APP = {"app": "n8n", "name": "calm-river", "instance_id": "0197b2a0-0000-7000-8000-000000000003"}
REFUND = {**APP, "amount": 25_000, "balance": 75_000, "reason": "not_ready_in_time"}

TAKEN = When("amount", _l("%(amount)s was taken from your credit."))
GIVEN_BACK = When("amount", _l("%(amount)s was given back to your credit."))

APPS: dict[str, Wording] = {
    "subscription_started": Wording(
        _l("%(app)s %(plan)s is yours"),
        [
            _l("We are setting up %(app)s for you now; it usually takes a few minutes."),
            TAKEN,
            BALANCE,
            _l("We tell you when it is ready."),
        ],
        SUBSCRIPTION,
        PURCHASE,
    ),
    "launch_done": Wording(
        _l("Your credit arrived and %(app)s is starting"),
        [
            _l("As you asked, we subscribed you to %(app)s %(plan)s as soon as your top-up arrived."),
            TAKEN,
            BALANCE,
        ],
        SUBSCRIPTION,
        PURCHASE,
    ),
    "launch_waiting_failed": Wording(
        _l("%(app)s could not be started"),
        [
            _l("Your credit arrived, but %(app)s %(plan)s could not be started: %(reason)s."),
            _l("Nothing was charged for it; your credit stays yours."),
            BALANCE,
            _l("Choose another plan or app whenever you like."),
        ],
        Link("catalog.service", _l("See what is left"), ("slug",)),
        {"app": "n8n", "plan": "Basic", "balance": 50_000, "reason": "QUOTA_EXCEEDED", "slug": "n8n"},
    ),
    "instance_ready": Wording(
        _l("%(app)s is running"),
        [
            _l("Your %(app)s is ready at %(address)s."),
            _l("Its page shows your first steps and how to sign in."),
        ],
        INSTANCE,
        {**APP, "address": "https://calm-river.apps.example.com"},
    ),
    "instance_outage": Wording(
        _l("%(app)s is not running"),
        [
            _l("Your %(app)s (%(name)s) stopped working: %(reason)s. Your data is kept and no money moved."),
            _l("We keep trying to bring it back; its page shows how things stand."),
        ],
        INSTANCE,
        {**APP, "reason": "crash_loop"},
    ),
    "instance_failed_refunded": Wording(
        _l("%(app)s could not be started, and you have your money back"),
        [
            _l("We could not start %(app)s: %(reason)s. We removed what was begun."),
            GIVEN_BACK,
            BALANCE,
            _l("You can try again at any time, or write to us if it happens twice."),
        ],
        CATALOG,
        REFUND,
    ),
    "instance_failed": Wording(
        _l("%(app)s could not be started"),
        [
            _l("We could not start %(app)s: %(reason)s. We removed what was begun."),
            _l("It cost nothing, so no money moved; your other apps are not touched."),
            _l("You can try again at any time, or write to us if it happens twice."),
        ],
        SUBSCRIPTION,
        {**APP, "subscription_id": PURCHASE["subscription_id"], "reason": "not_ready_in_time"},
    ),
    "instance_started": Wording(
        _l("%(app)s is running again"), [_l("You started %(name)s. No money moved.")], INSTANCE, APP
    ),
    "instance_stopped": Wording(
        _l("%(app)s is stopped"),
        [_l("You stopped %(name)s. Its data stays, and so does its subscription.")],
        INSTANCE,
        APP,
    ),
    "instance_restarted": Wording(
        _l("%(app)s was restarted"), [_l("You restarted %(name)s. No money moved.")], INSTANCE, APP
    ),
    "instance_deleted_alone": Wording(
        _l("%(app)s was deleted"),
        [
            _l("%(name)s and all its data were deleted as you asked."),
            _l("Its subscription goes on with your other apps. No money moved."),
        ],
        Link("instances.listing", _l("See my apps")),
        {**APP, "amount": 0},
    ),
    "instance_deleted": Wording(
        _l("%(app)s was deleted"),
        [
            _l("%(name)s and all its data were deleted as you asked, and its subscription has ended."),
            GIVEN_BACK,
            _l("Nothing more will be charged for it."),
        ],
        WALLET,
        {**APP, "amount": 10_000},
    ),
}
