"""Tables of subscriptions and of everything that waits to become one."""

from portal.subscriptions.models.intent import IntentStatus, LaunchIntent
from portal.subscriptions.models.plan_change import UNDER_WAY, PlanChange, PlanChangeStatus
from portal.subscriptions.models.subscription import (
    ENDED,
    HOLDS_SLOT,
    OF_PERIOD,
    AttemptOutcome,
    ChargeKind,
    EndReason,
    RenewalAttempt,
    Subscription,
    SubscriptionCharge,
    SubscriptionStatus,
    SuspendReason,
    TrialClaim,
)
from portal.subscriptions.models.waitlist import IN_LINE, WaitlistEntry, WaitlistStatus

__all__ = [
    "ENDED", "HOLDS_SLOT", "IN_LINE", "OF_PERIOD", "UNDER_WAY", "AttemptOutcome", "ChargeKind", "EndReason",
    "IntentStatus", "LaunchIntent", "PlanChange", "PlanChangeStatus", "RenewalAttempt", "Subscription",
    "SubscriptionCharge", "SubscriptionStatus", "SuspendReason", "TrialClaim", "WaitlistEntry", "WaitlistStatus",
]  # fmt: skip
