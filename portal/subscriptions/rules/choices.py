"""What a customer may choose for a subscription, state by state. Pure: buttons and actions ask the same.

| state | cancel at the period's end | cancel now | auto-renew | resume |
|---|---|---|---|---|
| TRIALING, ACTIVE | yes, and undo it until it takes effect | yes | on and off, unless it is cancelled | |
| PAST_DUE | no: its period is over | yes | no: it is to be paid or cancelled | |
| SUSPENDED | no: nothing runs | yes, its data goes | off, so that credit does not resume it by itself | yes |
| CANCELLED, EXPIRED | | | | |
"""

from __future__ import annotations

from portal.subscriptions.models import ENDED, Subscription, SubscriptionStatus
from portal.subscriptions.rules.life import Life, may_resume_by_itself

IN_PERIOD = (SubscriptionStatus.TRIALING, SubscriptionStatus.ACTIVE)


def can_cancel(life: Life | Subscription) -> bool:
    """At the end of the period that runs, which it may use to its last day. A repeat changes nothing."""
    return life.status in IN_PERIOD


def can_undo(life: Life | Subscription) -> bool:
    """A cancellation was asked for and has not taken effect."""
    return life.status in IN_PERIOD and life.cancel_requested_at is not None


def can_cancel_now(life: Life | Subscription) -> bool:
    """At once, with all data, in any state short of the end."""
    return life.status not in ENDED


def can_switch_auto_renew(life: Life | Subscription, *, on: bool) -> bool:
    """What is cancelled ends anyway, and what is overdue is paid or cancelled. A suspended app may be told to wait
    for a word (off); that word is `can_resume`."""
    if life.status in IN_PERIOD:
        return life.cancel_requested_at is None
    return not on and may_resume_by_itself(life)


def can_resume(life: Life | Subscription) -> bool:
    """Suspended, for whatever reason, and its data still there."""
    return life.status == SubscriptionStatus.SUSPENDED
