"""One box that finds everything: what was typed is read as whatever it may be, and each reading asks an index."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.orm import Session

from config import settings
from portal.core.ids import parse_id
from portal.core.words import sound
from portal.invoices.models import NUMBER_PREFIX

EACH_MAX = 10
TEXT_MAX = 200
LABEL = re.compile(r"(RCP|INV|CN)[/-](\d{4})[/-](\d{1,9})(?:\.PDF)?", re.IGNORECASE)
NUMBER = re.compile(r"(?:user-)?(\d{1,12})", re.IGNORECASE)
BIGGEST = 2**63 - 1


@dataclass(frozen=True)
class Hit:
    """A thing that was found. `exact`: what was typed is its own name, not the beginning of it."""

    kind: str
    id: UUID
    title: str
    detail: str
    exact: bool
    at: datetime | None = None


@dataclass(frozen=True)
class Reading:
    """What was typed, read as one kind of thing: a statement of `id, title, detail, exact` and its values."""

    kind: str
    sql: str
    values: dict[str, Any]


def cleaned(typed: str) -> str:
    """What was typed, without what no name holds."""
    return " ".join(sound(typed).split())[:TEXT_MAX]


def found(session: Session, typed: str) -> list[Hit]:
    """Everything whose name begins with what was typed, `EACH_MAX` of a kind, in one query; exact ones first."""
    typed = cleaned(typed)
    readings = list(_readings(typed)) if typed else []
    if not readings:
        return []
    # Statements of this module only; what was typed travels as parameters.
    wrapped = "(SELECT {n} AS place, '{kind}' AS kind, f.* FROM ({sql} LIMIT {limit}) f)"
    parts = [wrapped.format(n=n, kind=one.kind, sql=one.sql, limit=EACH_MAX) for n, one in enumerate(readings)]
    values = {name: value for one in readings for name, value in one.values.items()}
    statement = text(" UNION ALL ".join(parts)).bindparams(*(bindparam(name, value) for name, value in values.items()))
    hits = {(row.kind, row.id): row for row in session.execute(statement)}
    rows = sorted(hits.values(), key=lambda row: (not row.exact, row.place, row.title))
    return [Hit(row.kind, row.id, row.title, row.detail, row.exact) for row in rows]


def _readings(typed: str) -> Iterator[Reading]:
    if (thing_id := parse_id(typed)) is not None:
        yield from (Reading(kind, sql, {"id": thing_id}) for kind, sql in BY_ID)
        yield Reading("payment", BY_TRANSACTION, {"transaction": str(thing_id)})
        return
    if label := LABEL.fullmatch(typed):
        series = next(series for series, prefix in NUMBER_PREFIX.items() if prefix == label[1].upper())
        yield Reading("document", BY_NUMBER, {"series": str(series), "year": int(label[2]), "number": int(label[3])})
    if (number := NUMBER.fullmatch(typed)) and int(number[1]) <= BIGGEST:
        yield Reading("customer", BY_CUSTOMER, {"customer": int(number[1])})
    lower = typed.lower()
    values = {"prefix": _prefix(lower), "whole": lower}
    yield Reading("user", BY_EMAIL, values)
    yield Reading("user", BY_NAME, values)
    yield Reading("customer", BY_CUSTOMER_NAME, values)
    yield Reading("promo_code", BY_CODE, {"code_prefix": _prefix(typed.upper()), "code": typed.upper()})
    host = _host(lower)
    name = host.removesuffix("." + settings().apps_domain)
    yield Reading("instance", BY_INSTANCE, {"name_prefix": _prefix(name), "name": name})
    yield Reading("domain", BY_HOST, {"host_prefix": _prefix(host), "host": host})
    order = "TOPUP-" + lower.removeprefix("topup-") if lower.startswith("topup-") else typed
    yield Reading("payment", BY_ORDER, {"order_prefix": _prefix(order), "order": order})


def _host(typed: str) -> str:
    """The host of a pasted address; without one, what was typed."""
    try:
        return (urlsplit(typed).hostname or typed) if "://" in typed else typed.rstrip("/.")
    except ValueError:
        return typed


def _prefix(typed: str) -> str:
    return typed.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"


# `USING ~<~` is the order of the prefix indexes: the first few are read from them, however many match.
BY_EMAIL = """SELECT id, name AS title, email AS detail, email = :whole AS exact
    FROM user_account WHERE email LIKE :prefix ORDER BY email USING ~<~"""
BY_NAME = """SELECT id, name AS title, email AS detail, false AS exact
    FROM user_account WHERE lower(name) LIKE :prefix ORDER BY lower(name) USING ~<~"""
BY_CODE = """SELECT id, code AS title, note AS detail, code = :code AS exact
    FROM promo_code WHERE code LIKE :code_prefix ORDER BY code"""
BY_CUSTOMER_NAME = """SELECT id, name AS title, 'user-' || number AS detail, false AS exact
    FROM customer WHERE lower(name) LIKE :prefix ORDER BY lower(name) USING ~<~"""
BY_CUSTOMER = """SELECT id, name AS title, 'user-' || number AS detail, true AS exact
    FROM customer WHERE number = :customer"""
BY_INSTANCE = """SELECT id, name AS title, service_name AS detail, name = :name AS exact
    FROM instance WHERE name LIKE :name_prefix ORDER BY name USING ~<~"""
BY_HOST = """SELECT instance_id AS id, host AS title, status AS detail, host = :host AS exact
    FROM instance_domain WHERE host LIKE :host_prefix ORDER BY host USING ~<~"""
BY_ORDER = """SELECT payment_id AS id, order_id AS title, gateway AS detail, order_id = :order AS exact
    FROM payment_attempt WHERE order_id LIKE :order_prefix ORDER BY order_id USING ~<~"""
BY_TRANSACTION = """SELECT a.payment_id AS id, a.order_id AS title, g.status AS detail, true AS exact
    FROM gateway_transaction g JOIN payment_attempt a ON a.id = g.attempt_id
    WHERE g.gateway = 'midtrans' AND g.transaction_id = :transaction"""
BY_NUMBER = """SELECT id, series || ' ' || year || '/' || number AS title, status AS detail, true AS exact
    FROM document WHERE series = :series AND year = :year AND number = :number"""
BY_ID = [
    ("user", "SELECT id, name AS title, email AS detail, true AS exact FROM user_account WHERE id = :id"),
    ("customer", "SELECT id, name AS title, 'user-' || number AS detail, true AS exact FROM customer WHERE id = :id"),
    ("payment", "SELECT id, method AS title, status AS detail, true AS exact FROM payment WHERE id = :id"),
    ("payment", "SELECT payment_id AS id, order_id AS title, gateway AS detail, true AS exact FROM payment_attempt "
                "WHERE id = :id"),
    ("subscription", "SELECT s.id, v.name AS title, s.status AS detail, true AS exact FROM subscription s "
                     "JOIN service v ON v.id = s.service_id WHERE s.id = :id"),
    ("instance", "SELECT id, name AS title, service_name AS detail, true AS exact FROM instance WHERE id = :id"),
    ("document", "SELECT id, series || coalesce(' ' || year || '/' || number, '') AS title, status AS detail, "
                 "true AS exact FROM document WHERE id = :id"),
    ("entry", "SELECT id, kind AS title, idempotency_key AS detail, true AS exact FROM journal_entry WHERE id = :id"),
    ("entry", "SELECT t.entry_id AS id, t.type AS title, t.status AS detail, true AS exact FROM transaction t "
              "WHERE t.id = :id AND t.entry_id IS NOT NULL"),
    ("work", "SELECT id, name AS title, queue AS detail, true AS exact FROM outbox_message WHERE id = :id"),
    ("event", "SELECT id, order_id AS title, verdict AS detail, true AS exact FROM gateway_event WHERE id = :id"),
]  # fmt: skip
