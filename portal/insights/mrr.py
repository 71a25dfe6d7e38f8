"""Monthly recurring revenue and its movements, derived from what was charged.

A subscription recurs at what the running period was charged, its setup fee apart, PPN included: from the moment of the
charge, or of the upgrade, until it is suspended or ends. Grace still counts, a trial does not, nor does an app that
never came up. A yearly price counts a twelfth a month, rounded down to whole rupiah.

A customer's MRR is the sum of theirs. It is compared from the end of one Jakarta day to the end of the next:

| before | after | movement |
|---|---|---|
| never any | some | new |
| none any more | some | reactivated |
| some | more | expansion |
| some | less | contraction |
| some | none | churned |

So for any range: MRR at the start + new + reactivated + expansion - contraction - churned = MRR at the end.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

MOVEMENTS = ("new", "reactivated", "expansion", "contraction", "churned")
FLOWS = tuple(name for kind in MOVEMENTS for name in (f"mrr_{kind}_sum", f"customers_{kind}"))


def add(
    session: Session, since: date, values: dict[str, Any], found: dict[date, dict[str, int]],
    moved: dict[date, dict[str, int]],
) -> None:  # fmt: skip
    """Adds the movements of each day from `since` on to `found`, counted upwards, and their effect to `moved`."""
    for row in session.execute(text(MOVES), {"since": values["since"], "until": values["until"], "first": since}):
        amount, customers = int(row.amount), int(row.customers)
        found[row.day][f"mrr_{row.kind}_sum"] = abs(amount)
        found[row.day][f"customers_{row.kind}"] = customers
        moved[row.day]["mrr_sum"] += amount
        moved[row.day]["paying"] += {"new": customers, "reactivated": customers, "churned": -customers}.get(row.kind, 0)


# `touched`: whoever moved since then. Their whole history is read, so that each step knows the one before it.
MOVES = """
    WITH touched AS MATERIALIZED (
        SELECT s.customer_id FROM subscription_charge c JOIN subscription s ON s.id = c.subscription_id
            WHERE c.charged_at >= :since AND c.charged_at < :until
        UNION SELECT customer_id FROM plan_change WHERE confirmed_at >= :since AND confirmed_at < :until
        UNION SELECT customer_id FROM subscription
            WHERE (suspended_at >= :since AND suspended_at < :until) OR (ended_at >= :since AND ended_at < :until)),
    sub AS MATERIALIZED (
        SELECT s.* FROM subscription s JOIN touched USING (customer_id)
        WHERE s.end_reason IS DISTINCT FROM 'provisioning_failed'),
    change AS MATERIALIZED (
        SELECT p.subscription_id, p.confirmed_at AS at, p.from_interval, p.to_interval, p.to_price
        FROM plan_change p JOIN sub ON sub.id = p.subscription_id
        WHERE p.status IN ('RESIZING', 'DONE') AND p.confirmed_at < :until),
    changed AS MATERIALIZED (SELECT DISTINCT subscription_id FROM change),
    step AS (
        SELECT sub.id, sub.customer_id, c.charged_at AS at, 0 AS rank, (c.amount - c.setup_fee)
            / CASE WHEN changed.subscription_id IS NULL THEN CASE sub.interval WHEN 'YEARLY' THEN 12 ELSE 1 END
              ELSE CASE coalesce(
                (SELECT x.to_interval FROM change x WHERE x.subscription_id = sub.id AND x.at <= c.charged_at
                 ORDER BY x.at DESC LIMIT 1),
                (SELECT x.from_interval FROM change x WHERE x.subscription_id = sub.id AND x.at > c.charged_at
                 ORDER BY x.at LIMIT 1)) WHEN 'YEARLY' THEN 12 ELSE 1 END END AS mrr
        FROM subscription_charge c JOIN sub ON sub.id = c.subscription_id
        LEFT JOIN changed ON changed.subscription_id = sub.id
        WHERE c.kind <> 'UPGRADE' AND c.charged_at < :until
        UNION ALL
        SELECT sub.id, sub.customer_id, change.at, 1, to_price / CASE to_interval WHEN 'YEARLY' THEN 12 ELSE 1 END
        FROM change JOIN sub ON sub.id = change.subscription_id
        UNION ALL
        SELECT id, customer_id, suspended_at, 2, 0 FROM sub WHERE suspended_at < :until
        UNION ALL
        SELECT id, customer_id, ended_at, 2, 0 FROM sub WHERE ended_at < :until
        UNION ALL
        SELECT sub.id, sub.customer_id, e.happened_at, 2, 0
        FROM sub JOIN instance i ON i.subscription_id = sub.id
        JOIN instance_event e ON e.instance_id = i.id AND e.code = 'suspended' AND e.happened_at < :until),
    at_the_end AS (
        SELECT DISTINCT ON (id, day) id, customer_id, CAST(at AT TIME ZONE 'Asia/Jakarta' AS date) AS day, mrr
        FROM step ORDER BY id, day, at DESC, rank DESC),
    difference AS (
        SELECT customer_id, day, mrr - coalesce(lag(mrr) OVER (PARTITION BY id ORDER BY day), 0) AS amount
        FROM at_the_end),
    movement AS (
        SELECT customer_id, day, sum(amount) AS amount FROM difference GROUP BY 1, 2 HAVING sum(amount) <> 0),
    course AS (
        SELECT day, amount, row_number() OVER theirs AS number, sum(amount) OVER theirs AS after FROM movement
        WINDOW theirs AS (PARTITION BY customer_id ORDER BY day))
    SELECT day, sum(amount) AS amount, count(*) AS customers,
           CASE WHEN number = 1 THEN 'new' WHEN after = 0 THEN 'churned' WHEN after = amount THEN 'reactivated'
                WHEN amount > 0 THEN 'expansion' ELSE 'contraction' END AS kind
    FROM course WHERE day >= :first GROUP BY 1, 4
"""
