"""The kinds of mail: which code is of which, what may be declined, and how each is named."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from flask_babel import lazy_gettext as _l

from portal.notices.wording.alerts import LETTERS


class Category(StrEnum):
    """What a mail is about, as people choose among them. Notices in the portal are for everybody."""

    ACCOUNT = "ACCOUNT"  # the account, its safety, money, and what becomes of an app: always mailed
    REMINDERS = "REMINDERS"  # what is some days away, with nothing to do
    HEALTH = "HEALTH"  # an app that is down, and back
    ROUTINE = "ROUTINE"  # what the reader just did, without money or loss
    OPERATOR = "OPERATOR"  # to who runs this portal: no choice of a customer's


OPTIONAL = (Category.REMINDERS, Category.HEALTH, Category.ROUTINE)

OTHERS: dict[Category, frozenset[str]] = {
    Category.REMINDERS: frozenset({"renewal_soon", "trial_ends_soon"}),
    Category.HEALTH: frozenset({"app_silent", "app_answers_again", "instance_outage"}),
    Category.ROUTINE: frozenset(
        {
            "instance_started", "instance_stopped", "instance_restarted", "instance_updated", "domain_verified",
            "auto_renew_on", "cancellation_undone",
        }
    ),
    Category.OPERATOR: frozenset(
        {
            "books_audited", "books_differ", "daily_summary", "monthly_report", "transfer_to_check",
            "adjustment_waits", *LETTERS,
        }
    ),
}  # fmt: skip
"""Every code that is not ACCOUNT: what nobody sorted is mailed to everybody."""


def category_of(code: str) -> Category:
    """What kind of mail a code is."""
    return next((category for category, codes in OTHERS.items() if code in codes), Category.ACCOUNT)


class Words(NamedTuple):
    """A kind's name, and what belongs to it."""

    name: Any
    text: Any


WORDS: dict[Category, Words] = {
    Category.ACCOUNT: Words(
        _l("Money, your account and your apps"),
        _l("Receipts, invoices, what is missing or overdue, apps that are suspended or end, sign-ins, passwords."),
    ),
    Category.REMINDERS: Words(
        _l("Early reminders"),
        _l("Renewals and trials that end some days ahead, while your credit suffices."),
    ),
    Category.HEALTH: Words(
        _l("Health of my apps"),
        _l("An app of yours does not answer, or is back."),
    ),
    Category.ROUTINE: Words(
        _l("What I did myself"),
        _l("Confirmations of your own doing: an app started, stopped or changed."),
    ),
}
