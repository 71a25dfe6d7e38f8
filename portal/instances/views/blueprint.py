"""The blueprint that the modules beside this one hang their routes on, and whose app a page is about."""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint

from portal.accounts.sessions import current_customer
from portal.core.db import db
from portal.instances import queries
from portal.instances.models import Instance

blueprint = Blueprint("instances", __name__)


def own(instance_id: UUID) -> Instance:
    """An app of whoever is signed in; `InstanceNotFound` for anybody else's."""
    return queries.of_customer(db.session(), instance_id, customer_id=current_customer().id)
