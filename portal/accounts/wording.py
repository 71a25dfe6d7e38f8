"""Codes of problems to sentences."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from portal.accounts.rules import BillingProblem

BILLING_MESSAGES: dict[BillingProblem, Any] = {
    BillingProblem.EMAIL: _l("This is not an e-mail address we can write to."),
    BillingProblem.COMPANY: _l("Enter the company's name as it stands on its tax card, with at most 100 characters."),
    BillingProblem.ADDRESS: _l("Enter the company's address, with at most 300 characters."),
    BillingProblem.NPWP: _l("This is no tax number. An NPWP has 15 or 16 digits, like 01.312.166.0-091.000."),
}
