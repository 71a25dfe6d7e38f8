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
