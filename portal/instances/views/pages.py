"""What the templates of instances are given; each function answers one page within its few queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from flask_babel import get_locale
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config import settings
from portal.accounts.models import Customer
from portal.catalog.app_templates import AppTemplate, Localized
from portal.catalog.placeholders import secrets_in
from portal.instances import queries, rules, versions, wanted, wording
from portal.instances.apps import app_template
from portal.instances.errors import UnknownApp
from portal.instances.models import Instance, InstanceState, WantedState
from portal.instances.versions import Update
from portal.provisioning.manifests import shown_credentials
from portal.subscriptions.models import Subscription, SubscriptionCharge
from portal.web.states import Shown, shown


def listing_page(instances: Sequence[Instance]) -> dict[str, Any]:
    """The cards of all apps; `unfinished` while one of them is changing."""
    cards = [
        {
            "instance": one,
            "icon": icon_of(one.service_slug),
            "address": wanted.address_of(one.name),
            "shown": shown_state(one),
        }
        for one in instances
    ]
    return {"cards": cards, "unfinished": any(rules.is_unfinished(one) for one in instances)}


def instance_page(session: Session, instance: Instance, customer: Customer, *, now: datetime) -> dict[str, Any]:
    """One app: state, steps, what may be done. `instance.events` must be loaded."""
    app = template_of(instance)
    failed = instance.failure_code is not None
    return {
        "instance": instance,
        "icon_file": icon_of(instance.service_slug),
        "address": wanted.address_of(instance.name),
        "shown": shown_state(instance),
        "unfinished": rules.is_unfinished(instance),
        "first": rules.is_first_roll_out(instance),
        "steps": wording.progress(instance) if instance.deadline_at or failed or instance.state == "PENDING" else [],
        "stopping": wanted.replicas_of(instance) == 0,
        "elapsed": wording.elapsed(_begun_at(instance), now) if instance.deadline_at else "",
        "limit_minutes": max(1, settings().provision_timeout_s // 60),
        "history": wording.history(instance),
        "begun_with": wording.began_with(instance),
        "reason": wording.reason(instance.failure_code) if failed else "",
        "refunded": _refunded(session, instance) if failed and instance.fenced_at else 0,
        "open_door": _open_door(instance, app, customer),
        "first_steps": [localized(step) for step in app.first_steps] if app else [],
        "can": permissions(instance),
        "suspended": _suspended(session, instance),
        "update": offered_update(instance),
    }


def credentials_page(session: Session, instance: Instance, customer: Customer) -> dict[str, Any]:
    """How to get in, passwords included."""
    app = app_template(instance.service_slug)
    return _door(instance, app, customer, queries.secrets_of(session, instance.id))


def permissions(instance: Instance) -> dict[str, bool]:
    """Which buttons to draw: the very rules that the actions enforce."""
    return {
        "start": rules.can_start(instance),
        "stop": rules.can_stop(instance),
        "restart": rules.can_restart(instance),
        "delete": rules.can_delete(instance),
        "logs": rules.can_read_logs(instance),
        "update": rules.can_update(instance),
        "configure": rules.can_configure(instance),
        "use": rules.can_see_use(instance),
        "credentials": rules.can_see_credentials(instance),
    }


def shown_state(instance: Instance) -> Shown:
    """The state to show: what is under way says more than where it came from."""
    return wording.PHASES.get(_phase(instance)) or shown(_phase(instance), "instance")


def template_of(instance: Instance) -> AppTemplate | None:
    """The app's template; None when the operator has removed its file since."""
    try:
        return app_template(instance.service_slug)
    except UnknownApp:
        return None


def offered_update(instance: Instance) -> Update | None:
    """The update to offer; None as well when the app's template is gone or the app is ending."""
    app = template_of(instance)
    return versions.next_update(instance, app) if app and instance.fenced_at is None else None


def icon_of(slug: str) -> str:
    """The file name of the app's picture."""
    try:
        return app_template(slug).icon
    except UnknownApp:
        return f"{slug}.svg"


def localized(text: Localized) -> str:
    """The text in the reader's language."""
    return text.en if str(get_locale()) == "en" else text.id


def _open_door(instance: Instance, app: AppTemplate | None, customer: Customer) -> dict[str, Any] | None:
    """How to get in when no password is part of it: that may stand on the page at once."""
    if app is None or any(one.hidden or secrets_in(one.value) for one in app.credentials):
        return None
    return _door(instance, app, customer, {})


def _door(instance: Instance, app: AppTemplate, customer: Customer, secrets: Mapping[str, str]) -> dict[str, Any]:
    spec = wanted.instance_spec(instance, customer=customer, secrets=secrets)
    rows = [(localized(one.label), value, one.hidden) for one, value in shown_credentials(spec, app)]
    return {"instance": instance, "sign_in": localized(app.sign_in), "rows": rows}


def _phase(instance: Instance) -> str:
    if instance.state == InstanceState.TERMINATED:
        return InstanceState.TERMINATED if instance.cleaned_up_at else "DELETING"
    if instance.fenced_at is not None or instance.deadline_at is None or instance.state == InstanceState.ERROR:
        return instance.state
    if rules.is_resizing(instance):
        return "RESIZING"
    if wanted.replicas_of(instance) == 0:
        return "STOPPING"
    return "STARTING" if instance.ready_at else InstanceState.PROVISIONING


def _begun_at(instance: Instance) -> datetime:
    begun = [event.happened_at for event in instance.events if event.code.endswith(wording.BEGINNINGS)]
    return max(begun, default=instance.created_at)


def _suspended(session: Session, instance: Instance) -> Subscription | None:
    """The subscription that keeps it from running, which says why; None for all that may run."""
    if instance.wanted != WantedState.SUSPENDED:
        return None
    return session.get(Subscription, instance.subscription_id, populate_existing=True)


def _refunded(session: Session, instance: Instance) -> int:
    """Whole rupiah that came back for it."""
    statement = select(func.coalesce(func.sum(SubscriptionCharge.refunded), 0))
    return int(session.scalar(statement.where(SubscriptionCharge.subscription_id == instance.subscription_id)) or 0)
