"""Users: find them, see their whole story, change what may be changed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Blueprint, request, url_for
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField

from portal.accounts import administration
from portal.accounts.models import Role
from portal.admin import bulk, lists
from portal.admin.acting import acting
from portal.admin.lists import FilterForm
from portal.admin.queries import users as queries
from portal.admin.queries.users import Wanted
from portal.core import clock
from portal.web.guards import administrator

blueprint = Blueprint("admin_users", __name__)
HEADING = ("id", "name", "email", "role", "active", "email_verified_at", "created_at", "customer_number", "credit")


class Filters(FilterForm):
    search = StringField(_l("Search"))
    role = SelectField(
        _l("Role"),
        choices=[("", _l("Any role")), (Role.USER, _l("Customer")), (Role.ADMINISTRATOR, _l("Administrator"))],
    )
    active = SelectField(
        _l("Account"), choices=[("", _l("Open and closed")), ("yes", _l("Open")), ("no", _l("Closed"))]
    )

    def asked(self) -> Wanted:
        active = self.wanted("active")
        return Wanted(self.wanted("search"), self.wanted("role"), None if active is None else active == "yes")


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Everybody with an account, newest first."""
    form = Filters(request.args)
    return lists.answer(
        queries.listing(form.asked()), folder="users", form=form, heading=HEADING, cells=_cells, acts=ACTS
    )


def _cells(row: Any) -> list[Any]:
    user = row.User
    return [
        user.id, user.name, user.email, user.role, user.active, user.email_verified_at, user.created_at,
        row.number, row.balance,
    ]  # fmt: skip


def _close(session: Session, user_id: UUID) -> None:
    administration.set_active(session, user_id, active=False, actor=acting(), now=clock.now())


def _open(session: Session, user_id: UUID) -> None:
    administration.set_active(session, user_id, active=True, actor=acting(), now=clock.now())


def _confirm(session: Session, user_id: UUID) -> None:
    administration.confirm_email(session, user_id, actor=acting(), now=clock.now())


ACTS = {
    "close": (_l("Close accounts"), _close),
    "open": (_l("Open accounts"), _open),
    "confirm": (_l("Take e-mail addresses as confirmed"), _confirm),
}


@blueprint.post("/bulk")
@administrator
def act_on_many() -> Response:
    """Shows what an act would do to the ticked users; does it once that is confirmed."""
    return bulk.answer(
        ACTS, back=url_for("admin_users.listing"), names=queries.names,
        said=lambda count: ngettext("Done for %(num)d account.", "Done for %(num)d accounts.", count),
    )  # fmt: skip


from portal.admin.views import user_changes, user_page  # noqa: E402 - they hang their pages on the blueprint above

__all__ = ["blueprint", "user_changes", "user_page"]
