"""Who stands on documents: a customer's name, address, tax number and the address their invoices name."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.accounts import rules
from portal.accounts.errors import DetailsRefused
from portal.accounts.models import Customer, CustomerKind, Membership, MembershipRole, User
from portal.accounts.rules import BillingProblem
from portal.accounts.wording import BILLING_MESSAGES
from portal.audit import actions as audit
from portal.audit.actions import Actor
from portal.core.db import ROW_LOCK
from portal.core.errors import NotFound


@dataclass(frozen=True)
class Billing:
    """What documents made from now on say of the buyer. A person has neither company, address nor tax number."""

    kind: str
    email: str
    company: str = ""
    address: str = ""
    npwp: str = ""


def change_billing(session: Session, customer_id: UUID, wanted: Billing, *, actor: Actor, now: datetime) -> Customer:
    """Changes a customer's billing details; documents keep what they were issued with. A repeat changes nothing.

    Raises `DetailsRefused`, `NotFound`.
    """
    details, problems = checked(wanted)
    if details is None:
        raise DetailsRefused(BILLING_MESSAGES[next(iter(problems.values()))])
    customer = session.get(Customer, customer_id, with_for_update=ROW_LOCK, populate_existing=True)
    if customer is None:
        raise NotFound
    before = _facts(customer)
    company = details.kind == CustomerKind.ORGANISATION
    customer.kind, customer.billing_email = details.kind, details.email
    customer.name = details.company if company else _owners_name(session, customer)
    customer.billing_address = details.address if company else None
    customer.npwp = details.npwp if company else None
    if _facts(customer) != before:
        audit.changed(
            session, actor, "customer.billing_changed", subject_kind="customer", subject_id=customer_id,
            before=before, after=_facts(customer), now=now,
        )  # fmt: skip
    return customer


def checked(wanted: Billing) -> tuple[Billing | None, dict[str, BillingProblem]]:
    """The details as they are stored, or None and what is wrong with each field."""
    company = wanted.kind == CustomerKind.ORGANISATION
    name, address = rules.normal_name(wanted.company), rules.normal_address(wanted.address)
    email, npwp = rules.normal_email(wanted.email), rules.normal_npwp(wanted.npwp)
    problems = {
        "email": BillingProblem.EMAIL if email is None else None,
        "company": BillingProblem.COMPANY if company and not rules.fits_company(name) else None,
        "address": BillingProblem.ADDRESS if company and not rules.fits_address(address) else None,
        "npwp": BillingProblem.NPWP if company and npwp is None else None,
    }
    found = {field: problem for field, problem in problems.items() if problem is not None}
    if found or email is None:
        return None, found
    kind = CustomerKind.ORGANISATION if company else CustomerKind.PERSON
    return Billing(kind, email, name, address, npwp or "") if company else Billing(kind, email), {}


def of(customer: Customer) -> Billing:
    """A customer's details as a form shows them."""
    company = customer.kind == CustomerKind.ORGANISATION
    npwp = rules.format_npwp(customer.npwp) if customer.npwp else ""
    name = customer.name if company else ""
    return Billing(customer.kind, customer.billing_email, name, customer.billing_address or "", npwp)


def _owners_name(session: Session, customer: Customer) -> str:
    """A person is called as their profile says: the owner who has been here longest."""
    statement = (
        select(User.name)
        .join(Membership, Membership.user_id == User.id)
        .where(Membership.customer_id == customer.id, Membership.role == MembershipRole.OWNER)
        .order_by(User.created_at)
    )
    return session.scalar(statement.limit(1)) or customer.name


def _facts(customer: Customer) -> dict[str, Any]:
    return asdict(of(customer)) | {"name": customer.name}
