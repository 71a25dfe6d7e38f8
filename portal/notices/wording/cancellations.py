"""Words about what customers decide for their subscriptions, about trials, and about prices that change."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.apps import GIVEN_BACK, SUBSCRIPTION, TAKEN
from portal.notices.wording.money import WALLET
from portal.notices.wording.phrases import Wording

DECISION = {"app": "n8n", "subscription_id": "0197b2a0-0000-7000-8000-000000000004"}
AT_THE_END = {**DECISION, "ends_at": "2026-04-10T05:00:00+00:00"}
NEW_PRICE = {**DECISION, "plan": "Basic", "amount": 25_000, "price": 30_000, "from_at": "2026-05-10T05:00:00+00:00"}

CANCELLATIONS: dict[str, Wording] = {
    "cancellation_requested": Wording(
        _l("%(app)s ends on %(ends_at)s, as you asked"),
        [
            _l("Until then %(app)s runs as before, and nothing more is charged for it."),
            _l("At its end the app and all its data are deleted for good; save what you need before."),
            _l("If you change your mind, undo it on its page until then."),
        ],
        SUBSCRIPTION,
        AT_THE_END,
    ),
    "cancellation_undone": Wording(
        _l("%(app)s goes on"),
        [_l("You took the cancellation back: %(app)s keeps running. No money moved.")],
        SUBSCRIPTION,
        AT_THE_END,
    ),
    "subscription_cancelled": Wording(
        _l("%(app)s has ended, as you asked"),
        [
            _l("You cancelled %(app)s. The app and all its data are being deleted."),
            GIVEN_BACK,
            _l("Nothing more will be charged for it."),
        ],
        WALLET,
        {**DECISION, "amount": 10_000},
    ),
    "auto_renew_on": Wording(
        _l("%(app)s renews by itself again"),
        [_l("It renews from your credit on %(ends_at)s. No money moved today.")],
        SUBSCRIPTION,
        AT_THE_END,
    ),
    "auto_renew_off": Wording(
        _l("%(app)s no longer renews by itself"),
        [
            _l("Nothing more is charged for it unless you say so."),
            _l("When its paid time is over it is suspended and its data is kept for a while; you can resume it then."),
        ],
        SUBSCRIPTION,
        AT_THE_END,
    ),
    "subscription_resumed": Wording(
        _l("%(app)s is coming back"),
        [
            TAKEN,
            _l("It is started just as it was, and paid until %(ends_at)s. From then on it renews by itself."),
        ],
        SUBSCRIPTION,
        {**AT_THE_END, "plan": "Basic", "amount": 25_000},
    ),
    "trial_started": Wording(
        _l("Your trial of %(app)s has begun"),
        [
            _l("We are setting up %(app)s %(plan)s for you now. It costs nothing until %(ends_at)s."),
            _l("Then it goes on for %(price)s from your credit; without enough credit it is suspended, never owed."),
            _l("You may cancel at any time before."),
        ],
        SUBSCRIPTION,
        {**AT_THE_END, "plan": "Basic", "price": 25_000},
    ),
    "price_announced": Wording(
        _l("%(app)s %(plan)s will cost %(price)s instead of %(amount)s"),
        [
            _l("The new price holds for your first renewal from %(from_at)s on; what you have paid stays paid."),
            _l("If it does not suit you, cancel before: you owe nothing then."),
        ],
        SUBSCRIPTION,
        NEW_PRICE,
    ),
    "price_lowered": Wording(
        _l("%(app)s %(plan)s gets cheaper: %(price)s instead of %(amount)s"),
        [_l("You pay the lower price from your next renewal on. There is nothing to do.")],
        SUBSCRIPTION,
        {**NEW_PRICE, "price": 20_000},
    ),
    "price_kept": Wording(
        _l("%(app)s %(plan)s keeps its price"),
        [_l("The new price that we announced does not come: it stays %(price)s. There is nothing to do.")],
        SUBSCRIPTION,
        NEW_PRICE,
    ),
}
"""`amount` is the price so far, `price` the new one."""
