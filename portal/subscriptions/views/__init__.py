"""Pages of subscriptions, one module per thing a customer does."""

from portal.subscriptions.views import cancellation, plan_changes, purchases, resumption, running, waitlist
from portal.subscriptions.views.blueprint import blueprint

__all__ = ["blueprint", "cancellation", "plan_changes", "purchases", "resumption", "running", "waitlist"]
