"""The business day by day, read from the books: the figures of every calendar day (Jakarta) since a given one.

| names | what | from |
|---|---|---|
| `revenue_sum` `ppn_sum` | sold without PPN, and its PPN; refunds are off both | the ledger |
| `refunds_sum` | given back of what was sold, PPN included | the ledger |
| `balances_sum` `debts_sum` | what customers have to spend or set aside, and owe, at the day's end | the ledger |
| `mrr_sum` `paying`, `mrr_new_sum` `customers_new` … | `portal/insights/mrr.py` | charges |
| `asked_<method>` `paid_…` `open_…` `paid_sum_…` | top-ups asked for that day, and what became of them | payments |
| `registered` `registered_topped_up` `…_bought` | who registered, and did so within 30 days | users |
| `graced` `recovered`, their `…_sum` | renewals that fell short, and were paid in grace after all | attempts |
| `slots_used` `slots_total` | as they were seen on that day | plans |
| `forecast_…` | `portal/insights/forecast.py`, as seen on that day | subscriptions |

Sums are whole rupiah. A day's figures may still change for `SETTLES_WITHIN`: a top-up is paid the next day, an app
that never came up is no sale.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from portal.insights import mrr
from portal.insights.models import BusinessDay
from portal.insights.ranges import ONE_DAY, midnight

Figures = dict[str, int]
SETTLES_WITHIN = timedelta(days=40)
WITHIN = timedelta(days=30)
"""How long after registering a top-up and a purchase count as its conversion, so that cohorts compare."""
STOCKS = ("mrr_sum", "paying", "balances_sum", "debts_sum")
FLOWS = (
    "revenue_sum", "ppn_sum", "refunds_sum", *mrr.FLOWS, "registered", "registered_topped_up", "registered_bought",
    "graced", "graced_sum", "recovered", "recovered_sum",
)  # fmt: skip


def figures(session: Session, since: date, until: date) -> dict[date, Figures]:
    """Those of each day from `since` to `until`. What stood before `since` is taken from the day before it, which
    must have been summed up unless nothing had happened until then."""
    found: defaultdict[date, Figures] = defaultdict(lambda: dict.fromkeys(FLOWS, 0))
    moved: defaultdict[date, Figures] = defaultdict(lambda: dict.fromkeys(STOCKS, 0))
    values = {"since": midnight(since), "until": midnight(until + ONE_DAY), "within": WITHIN}
    _ledger(session, values, found, moved)
    mrr.add(session, since, values, found, moved)
    for sql in (TOP_UPS, REGISTRATIONS, GRACE):
        for row in session.execute(text(sql), values).mappings():
            _put(found[row["day"]], row)
    stands = _standing(session, since - ONE_DAY)
    for number in range((until - since).days + 1):
        day = since + number * ONE_DAY
        stands = {name: stands[name] + moved[day][name] for name in STOCKS}
        found[day] |= stands
    return {day: found[day] for day in sorted(found) if since <= day <= until}


def _standing(session: Session, day: date) -> Figures:
    kept = session.scalar(select(BusinessDay.figures).where(BusinessDay.day == day)) or {}
    return {name: kept.get(name, 0) for name in STOCKS}


def _put(day: Figures, row: Any) -> None:
    """A row's figures under their names, those of a method under the method's."""
    method = row.get("method")
    for name, value in row.items():
        if name not in ("day", "method"):
            day[f"{name}_{method}" if method else name] = int(value or 0)


def _ledger(session: Session, values: dict[str, Any], found: dict[date, Figures], moved: dict[date, Figures]) -> None:
    for row in session.execute(text(LEDGER), values):
        amount = int(row.amount)
        if row.account == "REVENUE":
            found[row.day]["revenue_sum"] += amount
        elif row.account == "PPN_PAYABLE":
            found[row.day]["ppn_sum"] += amount
        elif row.account == "RECEIVABLE":
            moved[row.day]["debts_sum"] -= amount
        else:
            moved[row.day]["balances_sum"] += amount
        if row.refund and row.account in ("REVENUE", "PPN_PAYABLE"):
            found[row.day]["refunds_sum"] -= amount


LEDGER = """
    SELECT CAST(e.happened_at AT TIME ZONE 'Asia/Jakarta' AS date) AS day, c.kind AS account,
           e.kind = 'PURCHASE_REFUND' AS refund, sum(s.amount) AS amount
    FROM journal_entry e JOIN posting s ON s.entry_id = e.id
    JOIN ledger_account c ON c.id = s.account_id
        AND c.kind IN ('REVENUE', 'PPN_PAYABLE', 'AVAILABLE', 'HELD', 'RECEIVABLE')
    WHERE e.happened_at >= :since AND e.happened_at < :until GROUP BY 1, 2, 3
"""
TOP_UPS = """
    SELECT CAST(created_at AT TIME ZONE 'Asia/Jakarta' AS date) AS day, method, count(*) AS asked,
           count(*) FILTER (WHERE settled_at IS NOT NULL) AS paid,
           count(*) FILTER (WHERE settled_at IS NULL AND status IN ('CREATED', 'PENDING', 'IN_REVIEW')) AS open,
           sum(amount) FILTER (WHERE settled_at IS NOT NULL) AS paid_sum
    FROM payment WHERE created_at >= :since AND created_at < :until GROUP BY 1, 2
"""
REGISTRATIONS = """
    SELECT CAST(u.created_at AT TIME ZONE 'Asia/Jakarta' AS date) AS day, count(*) AS registered,
           count(*) FILTER (WHERE EXISTS (
               SELECT FROM payment p WHERE p.customer_id = m.customer_id AND p.settled_at < u.created_at + :within))
               AS registered_topped_up,
           count(*) FILTER (WHERE EXISTS (
               SELECT FROM subscription s JOIN subscription_charge c ON c.subscription_id = s.id AND c.amount > 0
               WHERE s.customer_id = m.customer_id AND c.charged_at < u.created_at + :within
                 AND s.end_reason IS DISTINCT FROM 'provisioning_failed')) AS registered_bought
    FROM user_account u JOIN membership m ON m.user_id = u.id AND m.role = 'OWNER'
    WHERE u.created_at >= :since AND u.created_at < :until AND u.role = 'USER' GROUP BY 1
"""
# Period 1 after a trial has no grace; a resumption pays another period of the same number, so its charge's kind tells.
GRACE = """
    SELECT CAST(g.began_at AT TIME ZONE 'Asia/Jakarta' AS date) AS day, count(*) AS graced, sum(g.amount) AS graced_sum,
           count(c.id) AS recovered, sum(c.amount) AS recovered_sum
    FROM (SELECT DISTINCT ON (a.subscription_id, a.period_number) a.subscription_id, a.period_number, a.amount,
                 a.attempted_at AS began_at
          FROM renewal_attempt a
          WHERE a.outcome = 'SHORT' AND a.period_number > 1 AND a.attempted_at >= :since AND a.attempted_at < :until
            AND NOT EXISTS (
                SELECT FROM renewal_attempt b WHERE b.subscription_id = a.subscription_id AND b.outcome = 'SHORT'
                  AND b.period_number = a.period_number AND b.attempted_at < a.attempted_at)
          ORDER BY a.subscription_id, a.period_number, a.attempted_at) g
    LEFT JOIN subscription_charge c ON c.subscription_id = g.subscription_id AND c.period_number = g.period_number
        AND c.kind = 'RENEWAL'
    GROUP BY 1
"""
