"""What the books audit proves about subscriptions: charges and slots."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import text
from sqlalchemy.orm import Session

from portal.wallet.proofs import Difference


def slots_equal_holders(session: Session) -> Iterator[Difference]:
    """A plan's used slots are held by subscriptions, by changes of plan under way (the plan they lead to), by open
    waitlist offers and by *pay and launch* with a hold."""
    rows = session.execute(
        text(
            """
            WITH holder AS (
                SELECT plan_id FROM subscription WHERE holds_slot
                UNION ALL SELECT to_plan_id FROM plan_change
                    WHERE status IN ('RESIZING', 'ROLLING_BACK') AND to_plan_id <> from_plan_id
                UNION ALL SELECT plan_id FROM waitlist_entry WHERE status = 'OFFERED'
                UNION ALL SELECT plan_id FROM launch_intent WHERE status = 'WAITING' AND hold_ends_at IS NOT NULL)
            SELECT p.id, p.slots_used, count(h.plan_id) AS holders
            FROM plan p LEFT JOIN holder h ON h.plan_id = p.id
            GROUP BY p.id HAVING p.slots_used <> count(h.plan_id)
            """
        )
    )
    for row in rows:
        yield Difference("slots_equal_holders", f"plan {row.id}", f"{row.slots_used} used, {row.holders} holders")


def ended_ones_let_go(session: Session) -> Iterator[Difference]:
    """An ended subscription holds its slot only as long as one of its apps is not cleaned up."""
    rows = session.scalars(
        text(
            """
            SELECT s.id FROM subscription s
            WHERE s.status IN ('CANCELLED', 'EXPIRED') AND s.holds_slot
              AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.subscription_id = s.id AND i.cleaned_up_at IS NULL)
            """
        )
    )
    for subscription_id in rows:
        reason = "ended and cleaned up, but holds a slot"
        yield Difference("ended_ones_let_go", f"subscription {subscription_id}", reason)


def held_is_set_aside(session: Session) -> Iterator[Difference]:
    """What the ledger holds aside is what open places in queues and refunds under way say, one by one."""
    rows = session.execute(
        text(
            """
            WITH booked AS (
                SELECT e.reference_kind, e.reference_id, sum(p.amount) AS amount
                FROM posting p JOIN ledger_account a ON a.id = p.account_id AND a.kind = 'HELD'
                JOIN journal_entry e ON e.id = p.entry_id
                GROUP BY e.reference_kind, e.reference_id),
            holder AS (
                SELECT 'waitlist_entry' AS kind, id, held FROM waitlist_entry
                UNION ALL
                SELECT 'payment_refund', id, CASE status WHEN 'REQUESTED' THEN amount ELSE 0 END FROM payment_refund)
            SELECT coalesce(h.kind, b.reference_kind) AS kind, coalesce(h.id, b.reference_id) AS id,
                   coalesce(h.held, 0) AS held, coalesce(b.amount, 0) AS amount
            FROM holder h FULL JOIN booked b ON b.reference_kind = h.kind AND b.reference_id = h.id
            WHERE coalesce(h.held, 0) <> coalesce(b.amount, 0)
            """
        )
    )
    for row in rows:
        yield Difference("held_is_set_aside", f"{row.kind} {row.id}", f"{row.held}, the ledger says {row.amount}")


def charges_are_booked(session: Session) -> Iterator[Difference]:
    """Every charge has its entry with exactly its amount, its refunds exactly theirs, and a free one has none."""
    rows = session.execute(
        text(
            """
            SELECT c.id, c.amount, c.refunded,
              coalesce(-sum(p.amount) FILTER (WHERE e.kind = 'PURCHASE'), 0) AS paid,
              coalesce(sum(p.amount) FILTER (WHERE e.kind = 'PURCHASE_REFUND'), 0) AS returned
            FROM subscription_charge c
            LEFT JOIN journal_entry e ON e.reference_kind = 'subscription_charge' AND e.reference_id = c.id
            LEFT JOIN posting p ON p.entry_id = e.id
                AND p.account_id IN (SELECT id FROM ledger_account WHERE customer_id IS NOT NULL)
            GROUP BY c.id
            """
        )
    )
    for row in rows:
        if row.paid != row.amount:
            yield Difference("charges_are_booked", f"subscription_charge {row.id}", f"{row.amount}, paid {row.paid}")
        if row.returned != row.refunded:
            reason = f"refunded {row.refunded}, the ledger says {row.returned}"
            yield Difference("charges_are_booked", f"subscription_charge {row.id}", reason)


def purchases_have_a_charge(session: Session) -> Iterator[Difference]:
    """Every purchase entry belongs to a charge."""
    rows = session.scalars(
        text(
            """
            SELECT e.id FROM journal_entry e
            LEFT JOIN subscription_charge c ON c.id = e.reference_id
            WHERE e.kind IN ('PURCHASE', 'PURCHASE_REFUND') AND c.id IS NULL
            """
        )
    )
    for entry_id in rows:
        yield Difference("purchases_have_a_charge", f"journal_entry {entry_id}", "no charge stands behind it")


def invoices_agree(session: Session) -> Iterator[Difference]:
    """Every paid charge has its invoice over its amount, its refunds credit notes that correct that invoice by their
    sum, and lines add up."""
    rows = session.execute(
        text(
            """
            SELECT c.id, c.amount, c.refunded, coalesce(sum(d.total), 0) AS invoiced,
              coalesce(sum(n.credited), 0) AS credited
            FROM subscription_charge c
            LEFT JOIN document d ON d.reference_kind = 'subscription_charge' AND d.reference_id = c.id
                AND d.series = 'INVOICE'
            LEFT JOIN (SELECT corrects_id, sum(total) AS credited FROM document WHERE series = 'CREDIT_NOTE'
                       GROUP BY corrects_id) n ON n.corrects_id = d.id
            GROUP BY c.id
            HAVING coalesce(sum(d.total), 0) <> c.amount OR coalesce(sum(n.credited), 0) <> c.refunded
            """
        )
    )
    for row in rows:
        reason = f"{row.amount}/{row.refunded}, documents say {row.invoiced}/{row.credited}"
        yield Difference("invoices_agree", f"subscription_charge {row.id}", reason)
    sums = session.execute(
        text(
            """
            SELECT d.id, d.total, coalesce(sum(l.amount), 0) AS lines
            FROM document d LEFT JOIN document_line l ON l.document_id = d.id
            GROUP BY d.id HAVING d.total <> coalesce(sum(l.amount), 0)
            """
        )
    )
    for row in sums:
        yield Difference("invoices_agree", f"document {row.id}", f"total {row.total}, lines {row.lines}")


def upgrades_are_charged(session: Session) -> Iterator[Difference]:
    """Every charge for an upgrade has its change of plan and the quoted sum, every confirmed change its charge; what
    is carried out is not refunded, and what was undone is, in full."""
    rows = session.execute(
        text(
            """
            SELECT c.id AS charge_id, p.id AS change_id, p.status, p.total, c.amount, c.refunded
            FROM (SELECT * FROM subscription_charge WHERE kind = 'UPGRADE') c
            FULL JOIN (SELECT * FROM plan_change WHERE charge_id IS NOT NULL
                       OR status NOT IN ('QUOTED', 'LAPSED')) p ON p.charge_id = c.id
            WHERE p.id IS NULL OR c.id IS NULL OR p.total <> c.amount OR p.status IN ('QUOTED', 'LAPSED')
               OR (p.status = 'RESIZING' AND c.refunded <> 0)
               OR (p.status IN ('ROLLING_BACK', 'ROLLED_BACK') AND c.refunded <> c.amount)
            """
        )
    )
    for row in rows:
        name = f"plan_change {row.change_id}" if row.change_id else f"subscription_charge {row.charge_id}"
        reason = f"{row.status}: quoted {row.total}, charged {row.amount}, refunded {row.refunded}"
        yield Difference("upgrades_are_charged", name, reason)


def periods_are_charged(session: Session) -> Iterator[Difference]:
    """Every paid period that began has a charge, and none that did not."""
    rows = session.execute(
        text(
            """
            SELECT s.id, s.period_number, count(DISTINCT c.period_number) AS charged, max(c.period_number) AS last
            FROM subscription s LEFT JOIN subscription_charge c ON c.subscription_id = s.id
            GROUP BY s.id
            HAVING count(DISTINCT c.period_number) <> s.period_number
                OR coalesce(max(c.period_number), 0) <> s.period_number
            """
        )
    )
    for row in rows:
        reason = f"in period {row.period_number}, charged {row.charged}, the last one {row.last}"
        yield Difference("periods_are_charged", f"subscription {row.id}", reason)


def attempts_agree(session: Session) -> Iterator[Difference]:
    """Every try that was paid has its charge of that sum, every renewal and resumption the try that paid it; a first
    period, and one that was paid before the subscription was taken over, need none."""
    rows = session.execute(
        text(
            """
            SELECT a.id AS attempt_id, c.id AS charge_id, a.amount AS tried, c.amount AS charged
            FROM (SELECT * FROM renewal_attempt WHERE outcome = 'PAID') a
            FULL JOIN (SELECT * FROM subscription_charge WHERE kind <> 'UPGRADE') c
                ON c.subscription_id = a.subscription_id AND c.period_number = a.period_number
            WHERE (a.id IS NULL AND c.kind NOT IN ('FIRST', 'IMPORTED')) OR c.id IS NULL OR a.amount <> c.amount
            """
        )
    )
    for row in rows:
        name = f"renewal_attempt {row.attempt_id}" if row.attempt_id else f"subscription_charge {row.charge_id}"
        yield Difference("attempts_agree", name, f"tried {row.tried}, charged {row.charged}")


def nobody_is_forgotten(session: Session) -> Iterator[Difference]:
    """Time comes back to every live subscription no later than its state ends; an hour after a try that failed by our
    own fault."""
    rows = session.execute(
        text(
            """
            SELECT s.id, s.status, s.due_at FROM subscription s
            LEFT JOIN LATERAL (SELECT outcome, attempted_at FROM renewal_attempt a WHERE a.subscription_id = s.id
                               ORDER BY attempted_at DESC, id DESC LIMIT 1) a ON a.outcome = 'FAILED'
            WHERE s.due_at > greatest(CASE s.status WHEN 'PAST_DUE' THEN s.grace_ends_at
                                                    WHEN 'SUSPENDED' THEN s.data_kept_until
                                                    ELSE s.period_ends_at END, a.attempted_at + interval '1 hour')
            """
        )
    )
    for row in rows:
        yield Difference("nobody_is_forgotten", f"subscription {row.id}", f"{row.status}, not before {row.due_at}")


def receipts_agree(session: Session) -> Iterator[Difference]:
    """Every credited gateway transaction has its receipt over exactly that sum."""
    rows = session.execute(
        text(
            """
            SELECT g.id, g.credited, coalesce(sum(d.total), 0) AS receipted
            FROM gateway_transaction g
            LEFT JOIN document d ON d.reference_kind = 'gateway_transaction' AND d.reference_id = g.id
                AND d.series = 'RECEIPT'
            GROUP BY g.id HAVING g.credited <> coalesce(sum(d.total), 0)
            """
        )
    )
    for row in rows:
        yield Difference("receipts_agree", f"gateway_transaction {row.id}", f"{row.credited}, receipts {row.receipted}")


def numbers_are_gapless(session: Session) -> Iterator[Difference]:
    """Each series runs from 1 to its counter, every year, without a hole."""
    rows = session.execute(
        text(
            """
            WITH d AS (SELECT series, year, number FROM document WHERE number IS NOT NULL)
            SELECT series, year, coalesce(max(s.last_number), 0) AS last_number, count(d.number) AS given,
                   coalesce(max(d.number), 0) AS highest
            FROM document_series s FULL JOIN d USING (series, year)
            GROUP BY series, year
            HAVING coalesce(max(s.last_number), 0) <> count(d.number)
                OR coalesce(max(s.last_number), 0) <> coalesce(max(d.number), 0)
            """
        )
    )
    for row in rows:
        reason = f"counter {row.last_number}, {row.given} documents up to {row.highest}"
        yield Difference("numbers_are_gapless", f"document_series {row.series} {row.year}", reason)


CHECKS = [
    slots_equal_holders,
    ended_ones_let_go,
    held_is_set_aside,
    charges_are_booked,
    purchases_have_a_charge,
    invoices_agree,
    upgrades_are_charged,
    periods_are_charged,
    attempts_agree,
    nobody_is_forgotten,
    receipts_agree,
    numbers_are_gapless,
]
