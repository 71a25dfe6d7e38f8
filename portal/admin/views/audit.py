"""The audit log: every privileged act with who, what, before, after and from where. It can only be read."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, request
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response
from wtforms import DateField, StringField

from portal.admin import lists, subjects
from portal.admin.lists import FilterForm
from portal.admin.queries import audit as queries
from portal.admin.queries.audit import Wanted
from portal.audit import wording
from portal.web.guards import administrator

blueprint = Blueprint("admin_audit", __name__)
HEADING = ("id", "happened_at", "actor_id", "actor", "action", "subject_kind", "subject_id", "facts", "ip_address")


class Filters(FilterForm):
    actor = StringField(_l("Who"))
    action = StringField(_l("What"))
    subject = StringField(_l("About"))
    since = DateField(_l("From"))
    until = DateField(_l("Until"))
    entry = StringField(_l("Entry"))

    def asked(self) -> Wanted:
        return Wanted(**{name: self.wanted(name) for name in self.data})


@blueprint.get("/")
@administrator
def listing() -> Response:
    """Every entry, newest first."""
    form = Filters(request.args)
    return lists.answer(
        queries.listing(form.asked()), folder="audit", form=form, heading=HEADING, cells=_cells, said=wording,
        changes=queries.changes, other_facts=queries.other_facts, address_of=subjects.address_of,
    )  # fmt: skip


def _cells(row: Any) -> list[Any]:
    entry = row.AuditEntry
    return [
        entry.id, entry.happened_at, entry.actor_id or "", row.actor_email or "", entry.action, entry.subject_kind,
        entry.subject_id, json.dumps(entry.facts, ensure_ascii=False), entry.ip_address,
    ]  # fmt: skip
