"""The operator's first page."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app
from werkzeug.wrappers import Response

from portal.admin import sections
from portal.web import htmx
from portal.web.guards import administrator

blueprint = Blueprint("admin_home", __name__)


@blueprint.get("/")
@administrator
def overview() -> Response:
    """Whether the business is well, at a glance."""
    return htmx.render("admin/overview.html")


@blueprint.app_context_processor
def frame() -> dict[str, Any]:
    """What the frame of the operator's pages shows."""
    return {"admin_sections": sections.groups, "has_page": lambda endpoint: endpoint in current_app.view_functions}
