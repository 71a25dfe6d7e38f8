"""x"""

from flask import Blueprint

from portal.web.guards import administrator

blueprint = Blueprint("admin_app_templates", __name__)


@blueprint.get("/")
@administrator
def listing() -> str:
    return ""


@blueprint.get("/<slug>")
@administrator
def show(slug: str) -> str:
    return ""
