"""Pages of subscriptions, one module per thing a customer does."""

from portal.subscriptions.views import purchases, running, waitlist
from portal.subscriptions.views.blueprint import blueprint

__all__ = ["blueprint", "purchases", "running", "waitlist"]
