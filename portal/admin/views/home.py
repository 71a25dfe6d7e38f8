"""The operator's first page: whether the business is well, and what waits for a person."""

from __future__ import annotations

from typing import Any

from flask import Blueprint
from werkzeug.wrappers import Response

from portal.admin import sections, subjects
from portal.admin.queries import home as queries
from portal.audit import wording as audit_wording
from portal.core import clock
from portal.core.db import db
from portal.wallet.wording import TYPES
from portal.web import htmx
from portal.web.guards import administrator

blueprint = Blueprint("admin_home", __name__)


@blueprint.get("/")
@administrator
def overview() -> Response:
    """Whether the business is well, at a glance."""
    session, now = db.session(), clock.now()
    changes, made_at = queries.week(session, clock.today(now))
    return htmx.render(
        "admin/home/overview.html",
        changes=changes, made_at=made_at, waiting=queries.waiting(session, now=now),
        happenings=queries.happenings(session), transaction_types=TYPES, address_of=subjects.address_of,
        subject_words=audit_wording.subject,
    )  # fmt: skip


@blueprint.app_context_processor
def frame() -> dict[str, Any]:
    """What the frame of the operator's pages shows."""
    return {"admin_sections": sections.GROUPS, "act_words": audit_wording.action}
