"""Refusals of the catalog."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.core.errors import Conflict, NotFound


class QuotaExceeded(Conflict):
    code = "QUOTA_EXCEEDED"
    message = _l("The last slot of this plan has just gone. Nothing was charged.")


class SlotsInUse(Conflict):
    code = "SLOTS_IN_USE"
    message = _l("More slots than that are in use. Nothing was changed.")


class PlanNotSold(NotFound):
    code = "PLAN_NOT_SOLD"
    message = _l("This plan is not for sale.")


class ServiceNotFound(NotFound):
    code = "SERVICE_NOT_FOUND"
    message = _l("There is no such app in the catalog.")


class TemplateNotFound(NotFound):
    code = "TEMPLATE_NOT_FOUND"
    message = _l("There is no such app template, or no such version of it.")


class NoTemplateLeft(Conflict):
    code = "NO_TEMPLATE_LEFT"
    message = _l("There is no file to go back to: its apps could not be looked after any more. Nothing was changed.")


class AlreadyThere(Conflict):
    code = "ALREADY_THERE"
    message = _l("This exists already. Nothing was changed.")


class CategoryInUse(Conflict):
    code = "CATEGORY_IN_USE"
    message = _l("Services or app templates stand in this category. Nothing was changed. Move them first.")


class NothingToSell(Conflict):
    code = "NOTHING_TO_SELL"
    message = _l("It has no plan that is sold and has a price, or no app template. Nothing was changed.")


class PlanTooSmall(Conflict):
    """`resource`, `offered` and `needed` say what the app cannot run with."""

    code = "PLAN_TOO_SMALL"
    message = _l("The app does not run with so little: its template says what it needs. Nothing was changed.")
