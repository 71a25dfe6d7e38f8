"""Many customers with credit, and plans to sell: written in bulk, as true to the books as the verbs would."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from portal.accounts.models import Customer
from portal.catalog.models import Plan, PlanPrice, Service
from portal.core.db import transaction
from portal.core.ids import new_id
from portal.core.money import rupiah
from portal.subscriptions.actions import Purchase
from portal.wallet.ledger import Reference, system_account
from portal.wallet.models import (
    WALLET_KINDS,
    AccountKind,
    EntryKind,
    JournalEntry,
    LedgerAccount,
    Posting,
    Transaction,
)
from portal.wallet.rules import chain_hash

CREDIT = 100_000
PRICE = 25_000
ROWS_AT_ONCE = 500


@dataclass(frozen=True)
class Buyer:
    """A customer and what they are about to buy."""

    customer_id: UUID
    purchase: Purchase


def plans_of_one_app(session: Session, slug: str, *, count: int) -> list[UUID]:
    """`count` more plans of an app, with more slots than anyone will buy."""
    service_id = session.scalars(select(Service.id).where(Service.slug == slug)).one()
    ids = [new_id() for _ in range(count)]
    session.execute(insert(Plan), [_plan(plan_id, service_id, number) for number, plan_id in enumerate(ids)])
    session.execute(insert(PlanPrice), [{"id": new_id(), "plan_id": plan_id, "amount": PRICE} for plan_id in ids])
    return ids


def _plan(plan_id: UUID, service_id: UUID, number: int) -> dict[str, Any]:
    return {
        "id": plan_id, "service_id": service_id, "plan_type": f"BENCH-{number}-{str(plan_id)[-4:]}", "name": "Basic",
        "cpu_millicores": 500, "memory_mib": 512, "storage_gib": 5, "slots_total": 1_000_000,
    }  # fmt: skip


def buyers(count: int, plan_ids: list[UUID], *, now: datetime) -> list[Buyer]:
    """`count` customers with credit of an adjustment each, buying the plans in turn."""
    made: list[Buyer] = []
    while len(made) < count:
        with transaction() as session:
            customer_ids = _customers_with_credit(session, min(ROWS_AT_ONCE, count - len(made)), now=now)
        for customer_id in customer_ids:
            plan_id = plan_ids[len(made) % len(plan_ids)]
            made.append(Buyer(customer_id, Purchase(plan_id, "MONTHLY", rupiah(PRICE), key=new_id().hex)))
    return made


def _customers_with_credit(session: Session, count: int, *, now: datetime) -> list[UUID]:
    source = system_account(session, AccountKind.ADJUSTMENTS, now=now).id
    rows: dict[Any, list[dict[str, Any]]] = {
        table: [] for table in (Customer, LedgerAccount, JournalEntry, Posting, Transaction)
    }
    for _ in range(count):
        _add_customer(rows, source, now)
    for table, values in rows.items():
        session.execute(insert(table), values)
    return [row["id"] for row in rows[Customer]]


def _add_customer(rows: dict[Any, list[dict[str, Any]]], source: UUID, now: datetime) -> None:
    customer_id, account_id, entry_id = new_id(), new_id(), new_id()
    facts: dict[str, Any] = {
        "account_id": account_id,
        "sequence": 1,
        "entry_id": entry_id,
        "amount": CREDIT,
        "currency": "IDR",
    }
    head = chain_hash("", **facts, balance_after=CREDIT)
    rows[Customer].append(
        {"id": customer_id, "name": "Ayu", "billing_email": "ayu@bench.minispod.example", "created_at": now}
    )
    for kind in WALLET_KINDS:
        own = kind == AccountKind.AVAILABLE
        rows[LedgerAccount].append(
            {"id": account_id if own else new_id(), "customer_id": customer_id, "kind": kind, "currency": "IDR",
             "balance": CREDIT if own else 0, "sequence": 1 if own else 0, "chain_hash": head if own else "",
             "created_at": now}
        )  # fmt: skip
    key, about = f"bench:{customer_id}", Reference("customer", customer_id)
    rows[JournalEntry].append(
        {"id": entry_id, "kind": EntryKind.ADJUSTMENT, "idempotency_key": key, "reference_kind": about.kind,
         "reference_id": about.id, "happened_at": now, "facts": {"reason": "bench"}}
    )  # fmt: skip
    rows[Posting].append({"id": new_id(), **facts, "balance_after": CREDIT, "chain_hash": head})
    rows[Posting].append(
        {"id": new_id(), "entry_id": entry_id, "account_id": source, "amount": -CREDIT, "currency": "IDR",
         "sequence": None, "balance_after": None, "chain_hash": None}
    )  # fmt: skip
    rows[Transaction].append(
        {"customer_id": customer_id, "type": "ADMIN_ADJUSTMENT", "status": "COMPLETED", "amount": CREDIT,
         "currency": "IDR", "balance_before": 0, "balance_after": CREDIT, "code": "adjustment", "entry_id": entry_id,
         "parameters": {"reason": "bench"}, "reference_kind": about.kind, "reference_id": about.id,
         "unique_key": key, "created_at": now, "completed_at": now, "id": new_id()}
    )  # fmt: skip
