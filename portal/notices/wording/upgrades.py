"""Words about changes of plan."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.apps import GIVEN_BACK, SUBSCRIPTION, TAKEN
from portal.notices.wording.money import BALANCE
from portal.notices.wording.phrases import When, Wording

CHANGE = {
    "app": "n8n",
    "plan": "Pro",
    "amount": 38_000,
    "price": 75_000,
    "balance": 50_000,
    "ends_at": "2026-04-10T05:00:00+00:00",
    "subscription_id": "0197b2a0-0000-7000-8000-000000000004",
}

UPGRADES: dict[str, Wording] = {
    "plan_changed": Wording(
        _l("%(app)s is on %(plan)s now"),
        [
            _l("The change of plan is done; your data stayed where it was."),
            TAKEN,
            BALANCE,
            When("price", _l("The next charge is %(price)s on %(ends_at)s.")),
        ],
        SUBSCRIPTION,
        CHANGE,
    ),
    "plan_change_failed": Wording(
        _l("%(app)s could not be changed to %(plan)s"),
        [
            _l("The change of plan did not work out: %(reason)s. Your data is safe, and your plan is as it was."),
            GIVEN_BACK,
            BALANCE,
            _l("You can try again at any time, or write to us if it happens twice."),
        ],
        SUBSCRIPTION,
        {**CHANGE, "reason": "no_capacity"},
    ),
}
