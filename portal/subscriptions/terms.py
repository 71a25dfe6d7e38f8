"""The terms that subscriptions live by, as the operator set them."""

from __future__ import annotations

from datetime import timedelta

from config import settings
from portal.subscriptions.rules.life import Terms


def terms() -> Terms:
    """Grace, how long data is kept, and when the last warning comes."""
    options = settings()
    return Terms(
        grace=timedelta(days=options.grace_days),
        data_kept=timedelta(days=options.data_kept_days),
        last_warning=timedelta(days=options.last_warning_days),
    )
