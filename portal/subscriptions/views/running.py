"""The customer's subscriptions: the list, one of them, its apps and its documents."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import flash, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from portal.accounts.sessions import current_customer
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.ids import parse_id
from portal.core.money import Money
from portal.instances.rules import can_delete
from portal.invoices.models import Series
from portal.subscriptions import actions, queries, queues, rules, standing, upgrades
from portal.subscriptions.progress import progress_of
from portal.subscriptions.views.blueprint import blueprint
from portal.web import htmx
from portal.web.guards import customer
from portal.web.page import chip

PAGE_MAX = 100_000


@blueprint.get("/")
@customer
def listing() -> Response:
    """The customer's subscriptions, live ones first, and what waits for credit."""
    session, customer_id = db.session(), current_customer().id
    number = min(max(request.args.get("page", 1, type=int), 1), PAGE_MAX)
    page = queries.subscription_page(session, customer_id, number=number)
    if number > 1 and not page.subscriptions:
        return htmx.leave_for(url_for("subscriptions.listing"))
    shown: dict[str, Any] = {"page": page, "may_order": page.live > 1}
    shown["first_place"] = (number - 1) * queries.PAGE_SIZE + 1
    if htmx.asked():
        return htmx.render("subscriptions/listing.html", partial="subscriptions/_listing.html", **shown)
    waiting, places = queues.waits(session, customer_id)
    return htmx.render("subscriptions/listing.html", **shown, waiting=waiting, places=places)


@blueprint.get("/<uuid:subscription_id>")
@customer
def show(subscription_id: UUID) -> Response:
    """One subscription: how it stands, plan, period, next charge, its apps and its charges."""
    return page_of(subscription_id)


def page_of(subscription_id: UUID) -> Response:
    """The subscription's page; htmx gets the region that its own buttons change."""
    session, now = db.session(), clock.now()
    one = standing.standing(session, subscription_id, current_customer().id, balance=balance(), now=now)
    shown: dict[str, Any] = {"standing": one, "subscription": one.subscription}
    if htmx.asked():
        return htmx.render("subscriptions/show.html", partial="subscriptions/_life.html", **shown)
    may_add = rules.may_add_instance(
        one.subscription.status, present=one.present, most=one.subscription.plan.max_instances
    )
    beside = upgrades.beside(session, one.subscription, one.change, now=now)
    shown |= {"beside": beside, "change": one.change} | (progress_of(one.change) if one.change else {})
    charges = queries.charges_of(session, subscription_id)
    return htmx.render("subscriptions/show.html", **shown, charges=charges, can_delete=can_delete, may_add=may_add)


def balance() -> Money:
    """What the signed-in customer may spend, as the chip shows it."""
    shown = chip()
    return shown.balance if shown is not None else Money(0)


@blueprint.post("/<uuid:subscription_id>/instances")
@customer
def add_instance(subscription_id: UUID) -> Response:
    """One more app under the same subscription; it costs nothing more. Pressed twice, it is one."""
    running = request.form.get("running", -1, type=int)
    with transaction() as session:
        instance = actions.add_instance(
            session, subscription_id, current_customer().id, running=running, now=clock.now()
        )
    return htmx.leave_for(url_for("instances.show", instance_id=instance.id))


@blueprint.get("/charges/<uuid:charge_id>/invoice")
@customer
def invoice(charge_id: UUID) -> Response:
    """Leads to the invoice of a charge."""
    return _to_document(charge_id, Series.INVOICE)


@blueprint.get("/charges/<uuid:charge_id>/credit-note")
@customer
def credit_note(charge_id: UUID) -> Response:
    """Leads to a credit note of a refunded charge: the one named by `note`, or its latest."""
    return _to_document(charge_id, Series.CREDIT_NOTE, parse_id(request.args.get("note", "")))


def _to_document(charge_id: UUID, series: Series, document_id: UUID | None = None) -> Response:
    subscription_id, document = queries.charge_document(
        db.session(), charge_id, current_customer().id, series=series, document_id=document_id
    )
    if document is not None and document.issued:
        return htmx.leave_for(url_for("invoices.show", document_id=document.id))
    flash(_("This document is being issued. Try again in a few seconds."), "info")
    return htmx.leave_for(url_for("subscriptions.show", subscription_id=subscription_id))
