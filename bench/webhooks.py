"""`python -m bench.webhooks`: notifications accepted a second, and how long a gateway waits for our 200.

Every notification is signed, another one than all before, and about an order we know: each is stored and queued in a
committed transaction before it is answered. First a hundred a second are offered, whatever the answers take; then
eight connections send as fast as they are answered. No worker runs beside: accepting is measured, not working off.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import count, islice
from pathlib import Path

from bench import load
from bench.world import SERVER_KEY, World, served, world

AIM_P99_MS = 50
OFFERED_PER_SECOND = 100
ORDERS = 1_000
SATURATED_PER_SECOND_MAX = 3_000
AMOUNT = "50000.00"


def main() -> None:
    """Measures both, and prints the latency's share of what is allowed last."""
    parser = argparse.ArgumentParser(prog="python -m bench.webhooks", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="length of each part (10)")
    given = parser.parse_args()
    with world() as bench:
        notifications = signed(known_orders(ORDERS))
        with served("wsgi:app", folder=bench.folder, ready_path="/readyz") as portal:
            url = f"{portal}/webhooks/midtrans"
            load.offer(url, per_second=OFFERED_PER_SECOND, seconds=3, bodies=_file(bench, notifications, 300))
            bodies = _file(bench, notifications, OFFERED_PER_SECOND * given.seconds)
            offered = load.offer(url, per_second=OFFERED_PER_SECOND, seconds=given.seconds, bodies=bodies)
            bodies = _file(bench, notifications, SATURATED_PER_SECOND_MAX * given.seconds)
            saturated = load.saturate(url, seconds=given.seconds, bodies=bodies)
        stored = stored_and_queued()
    report(offered, saturated, stored)


def known_orders(number: int) -> list[str]:
    """Open top-ups of one customer, each with the order the gateway knows it by."""
    from sqlalchemy import insert

    from bench.buyers import buyers
    from portal.core import clock
    from portal.core.db import transaction
    from portal.core.ids import new_id
    from portal.payments.models import Payment, PaymentAttempt

    now = clock.now()
    customer_id = buyers(1, [new_id()], now=now)[0].customer_id
    payments = [
        {"id": new_id(), "customer_id": customer_id, "method": "bca_va", "amount": 50_000, "created_at": now,
         "idempotency_key": new_id().hex, "expires_at": now.replace(year=now.year + 1)}
        for _ in range(number)
    ]  # fmt: skip
    attempts = [
        {"id": new_id(), "payment_id": payment["id"], "gateway": "midtrans", "order_id": f"bench-{position}",
         "created_at": now}
        for position, payment in enumerate(payments)
    ]  # fmt: skip
    with transaction() as session:
        session.execute(insert(Payment), payments)
        session.execute(insert(PaymentAttempt), attempts)
    return [str(attempt["order_id"]) for attempt in attempts]


def signed(order_ids: Sequence[str]) -> Iterator[str]:
    """Settlement notifications of the orders in turn, without end, each with a transaction of its own."""
    for number in count():
        order_id = order_ids[number % len(order_ids)]
        text = f"{order_id}200{AMOUNT}{SERVER_KEY}"
        yield json.dumps(
            {
                "transaction_time": "2026-03-10 12:00:00",
                "transaction_status": "settlement",
                "transaction_id": f"00000000-0000-4000-8000-{number:012d}",
                "status_message": "midtrans payment notification",
                "status_code": "200",
                "signature_key": hashlib.sha512(text.encode()).hexdigest(),
                "payment_type": "bank_transfer",
                "order_id": order_id,
                "merchant_id": "G000000000",
                "gross_amount": AMOUNT,
                "fraud_status": "accept",
                "currency": "IDR",
                "va_numbers": [{"va_number": "812785002530231", "bank": "bca"}],
            }
        )


def _file(bench: World, notifications: Iterator[str], number: int) -> Path:
    path = bench.folder / "notifications.jsonl"
    path.write_text("\n".join(islice(notifications, number)) + "\n")
    return path


def stored_and_queued() -> tuple[int, int]:
    """Notifications and pieces of work in the database, to be held against the answers."""
    from sqlalchemy import func, select

    from portal.core.db import db
    from portal.core.outbox import OutboxMessage
    from portal.payments.models import GatewayEvent

    events = select(func.count(GatewayEvent.id)).scalar_subquery()
    stored, queued = db.session().execute(select(events, func.count(OutboxMessage.id))).one()
    return stored, queued


def report(offered: load.Load, saturated: load.Load, stored: tuple[int, int]) -> None:
    """Two lines, what the database holds of it, and the ratio."""
    print(f"load: bench.callers at {OFFERED_PER_SECOND}/s, then {load.generator()}; gunicorn gthread, 2 x 4 threads")
    print(f"{'load':<22}{'accepted/s':>12}{'p50 ms':>10}{'p99 ms':>10}{'refused':>10}")
    for name, turn in ((f"{OFFERED_PER_SECOND}/s offered", offered), (f"{load.CONNECTIONS} connections", saturated)):
        print(f"{name:<22}{turn.per_second:>12.0f}{turn.p50_ms:>10.1f}{turn.p99_ms:>10.1f}{turn.refused:>10}")
    print(f"in the database: {stored[0]} notifications, {stored[1]} pieces of work")
    share = offered.p99_ms / AIM_P99_MS
    print(f"ratio: p99 at {OFFERED_PER_SECOND}/s / {AIM_P99_MS} ms = {share:.2f} (aim: below 1)")


if __name__ == "__main__":
    main()
