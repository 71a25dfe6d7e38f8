"""Writes made-up customers: they are copied into staging tables, from which SQL fills the real ones (`rows.sql`).

The append-only triggers are stepped around, for the checks of ten million rows would take longer than writing them: so
the lives are made as the ledger makes them, and the books audit says whether they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from config import settings
from portal.accounts import passwords
from portal.admin.seeding.lives import HISTORY, MONTHLY, YEARLY, Offer, Person, people
from portal.catalog.models import Plan, PlanPrice, Service
from portal.core.ids import readable_code
from portal.subscriptions.terms import terms
from portal.wallet.ledger import system_account, system_accounts
from portal.wallet.models import AccountKind

__all__ = ["HISTORY", "NothingForSale", "fill"]
SQL = Path(__file__).parent
AT_ONCE = 50_000
TABLES = ("seed_person", "seed_subscribed", "seed_line", "seed_short")
Rows = dict[str, list[str]]
Say = Callable[[str], None]


class NothingForSale(Exception):
    """There is no plan that costs something: the catalog has not been synced."""


def fill(session: Session, rows: int, *, seed: int, now: datetime, say: Say = print) -> int:
    """Adds made-up customers with about `rows` lines in their wallets; returns how many lines. In one transaction,
    whose session must be allowed to step around triggers."""
    offers = _offers(session)
    if not offers:
        raise NothingForSale
    for setting in ("session_replication_role = replica", "statement_timeout = 0", "lock_timeout = 0",
                    "idle_in_transaction_session_timeout = 0", "work_mem = '128MB'"):  # fmt: skip
        session.execute(text(f"SET LOCAL {setting}"))
    _open_accounts(session, now=now)
    _run(session, "staging.sql")
    lines = _stage(session, rows, people(seed, offers, now=now, terms=terms()), seed=seed)
    say(f"{lines:,} lines drawn up")
    _run(session, "rows.sql", say, _values(session, now))
    session.execute(text("ANALYZE"))
    return lines


def _offers(session: Session) -> list[Offer]:
    statement = (
        select(Plan.id, Service.id, Service.slug, PlanPrice.interval, PlanPrice.amount, Plan.setup_fee)
        .join(Service, Service.id == Plan.service_id)
        .join(PlanPrice, PlanPrice.plan_id == Plan.id)
        .where(PlanPrice.active, PlanPrice.amount > 0, PlanPrice.interval.in_((MONTHLY, YEARLY)))
        .order_by(Service.slug, Plan.sort_order, PlanPrice.interval)
    )
    return [Offer(*row) for row in session.execute(statement)]


def _open_accounts(session: Session, *, now: datetime) -> None:
    system_account(session, AccountKind.GATEWAY_CLEARING, now=now, qualifier="midtrans")
    system_accounts(session, AccountKind.REVENUE, AccountKind.PPN_PAYABLE, now=now)


def _stage(session: Session, rows: int, drawn: Iterator[Person], *, seed: int) -> int:
    """Draws customers until there are enough lines, and copies what they did."""
    waiting: Rows = {table: [] for table in TABLES}
    lines = 0
    while lines < rows:
        person = next(drawn)
        _add(waiting, person, seed)
        lines += len(person.lines)
        if len(waiting["seed_line"]) >= AT_ONCE or lines >= rows:
            _copy(session, waiting)
    return lines


def _add(waiting: Rows, me: Person, seed: int) -> None:
    email = f"{me.name.lower().replace(' ', '.')}.{me.number}@seed{seed}.minispod.example"
    waiting["seed_person"].append(_row(me.number, me.user_id, me.customer_id, *me.accounts, me.name, email,
                                       me.created_at, me.balance, me.sequence, me.head))  # fmt: skip
    for one in me.subscribed:
        offer = one.offer
        waiting["seed_subscribed"].append(_row(
            one.id, me.customer_id, offer.plan_id, offer.service_id, offer.interval, offer.price, f"{one.name}-{seed}",
            one.started_at, one.anchor_day, one.begins_at, one.ends_at, one.number, one.status, one.grace_ends_at,
            one.suspended_at, one.kept_until, one.ended_at, one.end_reason,
        ))  # fmt: skip
    for line in me.lines:
        waiting["seed_line"].append(_row(
            line.kind, line.at, me.customer_id, me.accounts[0], line.reference_id, line.amount, line.ppn, line.entry_id,
            line.sequence, line.before, line.after, line.chain_hash, line.subscribed and line.subscribed.id,
            line.number, line.begins_at, line.ends_at, line.setup_fee, line.method,
        ))  # fmt: skip
    for short in me.shorts:
        waiting["seed_short"].append(_row(short.subscribed.id, short.number, short.amount, short.missing, short.at))


def _row(*values: Any) -> str:
    """A line of COPY's text format; nothing that is made up here holds a tab or a backslash."""
    return "\t".join(r"\N" if value is None else str(value) for value in values)


def _copy(session: Session, waiting: Rows) -> None:
    driver: Any = session.connection().connection.driver_connection
    for table, rows in waiting.items():
        if rows:
            with driver.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write("\n".join(rows) + "\n")
        rows.clear()


def _values(session: Session, now: datetime) -> dict[str, Any]:
    options = settings()
    return {
        "now": now,
        "password": passwords.hashed(readable_code(20)),
        "numbers_from": session.scalar(text("SELECT coalesce(max(number), 1000) + 1 FROM customer")),
        "rate": options.ppn_rate_percent,
        "base_numerator": options.ppn_base_numerator,
        "base_denominator": options.ppn_base_denominator,
    }


def _run(session: Session, name: str, say: Say | None = None, values: dict[str, Any] | None = None) -> None:
    """Each statement of a file; a comment on its own line before one says what it writes."""
    for statement in (SQL / name).read_text().split(";\n"):
        if body := statement.strip():
            named = {key: value for key, value in (values or {}).items() if f":{key}" in body}
            session.execute(text(body), named)
            if say and body.startswith("-- "):
                say(body.splitlines()[0].removeprefix("-- "))
