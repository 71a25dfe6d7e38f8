"""Words about renewals: before, after, and when the credit does not reach; what is suspended, and what ends."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.apps import SUBSCRIPTION, TAKEN
from portal.notices.wording.phrases import Link, When, Wording

TOP_UP = Link("payments.new", _l("Top up what is missing"), ("amount",))
RESUME = Link("subscriptions.show", _l("See how to resume it"), ("subscription_id",))
CATALOG = Link("catalog.index", _l("Choose an app"))

APP = {"app": "n8n", "plan": "Basic", "subscription_id": "0197b2a0-0000-7000-8000-000000000004"}
COMING = {**APP, "price": 25_000, "ends_at": "2026-04-10T05:00:00+00:00"}
SHORT = {**COMING, "missing": 5_000, "amount": 10_000, "until_at": "2026-04-17T05:00:00+00:00"}
SUSPENDED = {**APP, "missing": 5_000, "kept_until_at": "2026-05-17T05:00:00+00:00", "amount": 10_000}

KEPT = _l("Your data is kept until %(kept_until_at)s; after that it is deleted for good.")
AT_ONCE = _l("Top up before, and it is paid at once: no day is lost.")

RENEWALS: dict[str, Wording] = {
    # before
    "renewal_soon": Wording(
        _l("%(app)s renews on %(ends_at)s for %(price)s"),
        [_l("Your credit covers it: there is nothing to do."), _l("No money has moved yet.")],
        SUBSCRIPTION,
        COMING,
    ),
    "renewal_soon_short": Wording(
        _l("%(missing)s is missing before %(app)s renews"),
        [
            _l("%(app)s %(plan)s renews on %(ends_at)s for %(price)s."),
            _l("With all that renews, your credit reaches until %(until_at)s; %(missing)s is missing then."),
            _l("No money has moved yet. Top up in time and there is nothing more to do."),
        ],
        TOP_UP,
        SHORT,
    ),
    "trial_ends_soon": Wording(
        _l("Your trial of %(app)s ends on %(ends_at)s"),
        [
            _l("Then it goes on for %(price)s, and your credit covers that: there is nothing to do."),
            _l("If you do not want it, cancel before: nothing is charged then."),
        ],
        SUBSCRIPTION,
        COMING,
    ),
    "trial_ends_soon_short": Wording(
        _l("Your trial of %(app)s ends on %(ends_at)s: %(missing)s is missing"),
        [
            _l("To go on it costs %(price)s; %(missing)s is missing in your credit."),
            _l("Without it %(app)s is stopped then, and you owe nothing. Your data is kept for a while."),
        ],
        TOP_UP,
        SHORT,
    ),
    "period_ends_soon": Wording(
        _l("%(app)s stops on %(ends_at)s"),
        [
            _l("It does not renew by itself, as you chose, so nothing will be charged."),
            _l("Then it is stopped and its data kept for a while. Switch renewal on again to keep it running."),
        ],
        SUBSCRIPTION,
        COMING,
    ),
    "cancellation_soon": Wording(
        _l("%(app)s ends on %(ends_at)s and its data is deleted"),
        [
            _l("You cancelled it, so nothing more will be charged."),
            _l("Save what you need before then, or undo the cancellation on its page."),
        ],
        SUBSCRIPTION,
        COMING,
    ),
    # paid
    "renewed": Wording(
        _l("%(app)s is paid until %(ends_at)s"),
        [_l("%(app)s %(plan)s was renewed."), TAKEN],
        SUBSCRIPTION,
        {**APP, "amount": 25_000, "ends_at": "2026-05-10T05:00:00+00:00"},
    ),
    "trial_converted": Wording(
        _l("Your trial is over and %(app)s goes on"),
        [_l("%(app)s %(plan)s is paid until %(ends_at)s."), TAKEN],
        SUBSCRIPTION,
        {**APP, "amount": 25_000, "ends_at": "2026-05-10T05:00:00+00:00"},
    ),
    # not enough credit
    "renewal_short": Wording(
        _l("%(missing)s is missing to renew %(app)s"),
        [
            _l("Renewing %(app)s %(plan)s costs %(price)s, more than your credit: nothing was charged."),
            _l("It keeps running until %(until_at)s; we try again every day."),
            AT_ONCE,
        ],
        TOP_UP,
        SHORT,
    ),
    "renewal_still_short": Wording(
        _l("Still missing for %(app)s: %(missing)s"),
        [_l("Nothing was charged. %(app)s keeps running until %(until_at)s and is stopped then."), AT_ONCE],
        TOP_UP,
        SHORT,
    ),
    "credit_still_short": Wording(
        _l("Your credit arrived; %(missing)s is still missing for %(app)s"),
        [
            _l("%(app)s %(plan)s costs %(price)s, more than your credit covers: nothing was charged."),
            _l("It goes on as soon as the rest is there."),
        ],
        TOP_UP,
        SHORT,
    ),
    # suspended
    "suspended_unpaid": Wording(
        _l("%(app)s is stopped: %(missing)s is missing"),
        [
            _l("Its days of grace are over, so it is stopped and its place is free for others. You owe nothing."),
            KEPT,
            _l("Top up, and it comes back by itself as it was, if a place is free; a new period begins then."),
        ],
        TOP_UP,
        SUSPENDED,
    ),
    "suspended_not_renewed": Wording(
        _l("%(app)s is stopped, as you chose"),
        [_l("Its paid time is over and it does not renew by itself. Nothing was charged."), KEPT],
        RESUME,
        SUSPENDED,
    ),
    "suspended_trial_ended": Wording(
        _l("Your trial of %(app)s is over"),
        [
            _l("It is stopped, nothing was charged and you owe nothing."),
            When("missing", _l("To go on, %(missing)s is missing in your credit.")),
            KEPT,
        ],
        RESUME,
        SUSPENDED,
    ),
    "data_goes_soon": Wording(
        _l("Last warning: the data of %(app)s is deleted on %(kept_until_at)s"),
        [
            _l("%(app)s %(plan)s has been stopped for a while. On that day it is deleted with all its data, for good."),
            _l("Resume it before then to keep it; nothing is charged otherwise."),
        ],
        RESUME,
        SUSPENDED,
    ),
    # ended
    "subscription_expired": Wording(
        _l("%(app)s and its data are deleted"),
        [
            _l("It was stopped until its data's time was up, and nobody resumed it. You owe nothing."),
            _l("You can start anew at any time."),
        ],
        CATALOG,
        APP,
    ),
    "subscription_ended": Wording(
        _l("%(app)s has ended, as you asked"),
        [_l("The app and all its data are being deleted. Nothing more will be charged for it.")],
        CATALOG,
        APP,
    ),
}
"""`amount` is what to top up, or what was taken; `price` what the next period costs."""
