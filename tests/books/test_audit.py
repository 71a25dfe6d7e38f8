"""The audit finds what is broken: one row is damaged behind the triggers' back, and exactly one check names it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from flask import Flask

from jobs import subscriptions as subscription_jobs
from portal.books.audit import CHECKS, differences
from portal.core import clock
from portal.core.db import db, transaction
from portal.wallet.ledger import Reference, Side, lock_wallet, post, system_account
from portal.wallet.models import AccountKind, EntryKind, Transaction
from tests.books import shop
from tests.books.shop import Order
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.instances.world import PRICE

OTHER_WORK = ("invoices.render", "notices.deliver", "instances.provision", "instances.clean_up")


@pytest.fixture
def books(portal: Flask) -> UUID:
    """Books with a bit of everything: top-ups, a chargeback, a sale, a refund, documents with numbers."""
    customer = shop.open_customer()
    plan = shop.sell()
    shop.give(customer, PRICE)
    Order(customer).hear("settlement")
    taken = Order(customer)
    taken.hear("settlement")
    taken.hear("partial_refund", taken_back=10_000)
    shop.fail(shop.instance_of(shop.buy(customer, plan)))
    shop.buy(customer, plan)
    run_due_work(without=OTHER_WORK)
    assert_books_are_clean()
    return customer


def damage(statement: str, **values: Any) -> Any:
    """Changes rows with every trigger off; returns the damaged row's id."""
    with db.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))
        return connection.execute(sa.text(statement), values).scalars().first()


def damaged(statement: str) -> Callable[[UUID], UUID]:
    return lambda _: damage(statement)


def renewed_and_damaged(statement: str) -> Callable[[UUID], UUID]:
    """The same, after a month that was renewed."""

    def harm(_: UUID) -> UUID:
        clock.advance(timedelta(days=31))
        assert subscription_jobs.renew_due() == {"renewed": 1}
        assert_books_are_clean()
        return damage(statement)

    return harm


def one(table: str, condition: str = "true") -> str:
    """A condition for one row of a table."""
    return f"id = (SELECT id FROM {table} WHERE {condition} ORDER BY id LIMIT 1)"


def system_posting(kind: str) -> str:
    accounts = f"SELECT id FROM ledger_account WHERE kind = '{kind}'"
    return one("posting", f"account_id IN ({accounts})")


def debt_beside_credit(customer_id: UUID) -> UUID:
    """Every posting is in order, but a careless verb made a debt although there was credit to take."""
    with transaction() as session:
        wallet = lock_wallet(session, customer_id, now=clock.now())
        bank = system_account(session, AccountKind.BANK, now=clock.now())
        about, sides = Reference("customer", customer_id), [Side(wallet.receivable, -5), Side(bank, 5)]
        entry_id = post(session, EntryKind.ADJUSTMENT, key="careless", about=about, sides=sides, now=clock.now())
        session.add(
            Transaction(
                customer_id=customer_id, type="ADMIN_ADJUSTMENT", status="COMPLETED", amount=-5, balance_before=7,
                balance_after=7, code="x", reference_kind="customer", reference_id=customer_id, entry_id=entry_id,
                unique_key="careless", created_at=clock.now(), completed_at=clock.now(),
            )
        )  # fmt: skip
        return wallet.receivable.id


def set_aside_from_nowhere(customer_id: UUID) -> UUID:
    return damage(
        """
        INSERT INTO waitlist_entry (id, customer_id, plan_id, interval, status, automatic, agreed_total, held,
            joined_at)
        SELECT :id, :customer, id, 'MONTHLY', 'WAITING', true, 5, 5, :now FROM plan LIMIT 1 RETURNING id
        """,
        id=uuid4(), customer=customer_id, now=clock.now(),
    )  # fmt: skip


def paid_and_forgotten(_: UUID) -> UUID:
    return damage(
        """
        INSERT INTO gateway_transaction (id, attempt_id, gateway, transaction_id, status, payment_type, gross_amount,
            currency, credited, taken_back, instructions, first_seen_at, updated_at)
        SELECT :id, id, 'midtrans', 'forgotten', 'settlement', 'qris', 50000, 'IDR', 0, 0, '{}', created_at, created_at
        FROM payment_attempt LIMIT 1 RETURNING id
        """,
        id=uuid4(),
    )


def an_upgrade_nobody_paid(_: UUID) -> UUID:
    return damage(
        """
        INSERT INTO plan_change (id, subscription_id, customer_id, from_plan_id, to_plan_id, from_interval, to_interval,
            from_price, to_price, unused_value, cost, total, currency, period_number, period_started_at, period_ends_at,
            status, quoted_at, expires_at, confirmed_at, ended_at, before)
        SELECT :id, id, customer_id, plan_id, plan_id, 'MONTHLY', 'YEARLY', 1, 10, 1, 10, 9, 'IDR', 1, created_at,
            created_at, 'DONE', created_at, created_at, created_at, created_at, '{}'
        FROM subscription LIMIT 1 RETURNING id
        """,
        id=uuid4(),
    )


PURCHASE = one("journal_entry", "kind = 'PURCHASE'")
RECEIPT = one("document", "series = 'RECEIPT'")
NEXT_TO_LAST = "account_id IN (SELECT id FROM ledger_account WHERE kind = 'AVAILABLE') AND sequence = 2"


def refund_from_nowhere(customer: UUID) -> UUID:
    """A refund that is asked for, and whose credit nobody set aside."""
    return damage(
        "INSERT INTO payment_refund (id, transaction_id, customer_id, amount, expected_total, reason, status,"
        " unique_key, asked_by, asked_at)"
        " SELECT gen_random_uuid(), id, :customer, 5, 5, 'No hold', 'REQUESTED', 'k', id, now()"
        " FROM gateway_transaction LIMIT 1 RETURNING id", customer=customer,
    )  # fmt: skip


DAMAGES: list[tuple[str, str, str, Callable[[UUID], UUID]]] = [
    ("a purchase's revenue grew", "entries_balance", "journal_entry", damaged(
        f"UPDATE posting SET amount = amount + 1 WHERE {system_posting('REVENUE')} RETURNING entry_id")),
    ("a side is gone", "entries_balance", "journal_entry", damaged(
        f"DELETE FROM posting WHERE {system_posting('GATEWAY_CLEARING')} RETURNING entry_id")),
    ("a cached balance grew", "balances_equal_postings", "ledger_account", damaged(
        "UPDATE ledger_account SET balance = balance + 1 WHERE kind = 'AVAILABLE' RETURNING id")),
    ("something is held from nowhere", "balances_equal_postings", "ledger_account", damaged(
        "UPDATE ledger_account SET balance = 5 WHERE kind = 'HELD' RETURNING id")),
    ("a link's hash was changed", "chains_hold", "posting", damaged(
        f"UPDATE posting SET chain_hash = repeat('0', 64) WHERE {NEXT_TO_LAST} RETURNING id")),
    ("a posting was renumbered", "chains_hold", "posting", damaged(
        f"UPDATE posting SET sequence = 99 WHERE {NEXT_TO_LAST} RETURNING id")),
    ("the end of a chain was cut off", "chains_hold", "ledger_account", damaged(
        "UPDATE ledger_account SET chain_hash = repeat('0', 64) WHERE kind = 'AVAILABLE' RETURNING id")),
    ("a line shows another balance", "lines_agree", "transaction", damaged(
        f"UPDATE transaction SET balance_after = balance_after + 1 WHERE {one('transaction', 'entry_id IS NOT NULL')}"
        " RETURNING id")),
    ("a line shows no balance", "lines_agree", "transaction", damaged(
        f"UPDATE transaction SET balance_before = NULL WHERE {one('transaction', 'entry_id IS NOT NULL')}"
        " RETURNING id")),
    ("a line was removed", "lines_agree", "journal_entry", damaged(
        f"DELETE FROM transaction WHERE {one('transaction', 'entry_id IS NOT NULL')} RETURNING entry_id")),
    ("a debt beside credit", "debts_block_spending", "ledger_account", debt_beside_credit),
    ("a refund was forgotten", "settled_attempts_are_booked", "gateway_transaction", damaged(
        f"UPDATE gateway_transaction SET taken_back = 0 WHERE {one('gateway_transaction', 'taken_back > 0')}"
        " RETURNING id")),
    ("a paid try was not credited", "paid_ones_are_credited", "gateway_transaction", paid_and_forgotten),
    ("a credit came from nowhere", "credits_have_a_cause", "journal_entry", damaged(
        f"WITH gone AS (DELETE FROM gateway_transaction WHERE {one('gateway_transaction')} RETURNING transaction_id)"
        " SELECT e.id FROM journal_entry e, gone"
        " WHERE idempotency_key = 'midtrans:' || transaction_id || '\\:credit'")),
    ("a slot leaked", "slots_equal_holders", "plan", damaged(
        "UPDATE plan SET slots_used = slots_used + 1 RETURNING id")),
    ("a slot was given away", "slots_equal_holders", "plan", damaged(
        "UPDATE plan SET slots_used = slots_used - 1 RETURNING id")),
    ("a cleaned-up app kept its slot", "ended_ones_let_go", "subscription", damaged(
        "UPDATE instance SET cleaned_up_at = fenced_at WHERE fenced_at IS NOT NULL RETURNING subscription_id")),
    ("more is set aside than was booked", "held_is_set_aside", "waitlist_entry", set_aside_from_nowhere),
    ("a refund under way holds nothing", "held_is_set_aside", "payment_refund", refund_from_nowhere),
    ("a promo code counts what nobody redeemed", "codes_count_their_redemptions", "promo_code", damaged(
        "INSERT INTO promo_code (id, code, amount, currency, note, starts_at, redemptions_max, redemptions,"
        " newcomers_only, active, created_at) VALUES (gen_random_uuid(), 'FAIR', 1, 'IDR', '', now(), 9, 1, false,"
        " true, now()) RETURNING code")),
    ("a gift that nobody redeemed", "redemptions_have_their_entries", "journal_entry", damaged(
        "UPDATE journal_entry SET kind = 'PROMO' WHERE kind = 'ADJUSTMENT' RETURNING id")),
    ("a purchase became something else", "charges_are_booked", "subscription_charge", damaged(
        f"UPDATE journal_entry SET kind = 'HOLD' WHERE {PURCHASE}"
        " RETURNING reference_id")),
    ("a purchase without a charge", "purchases_have_a_charge", "journal_entry", damaged(
        "UPDATE journal_entry SET kind = 'PURCHASE' WHERE kind = 'ADJUSTMENT' RETURNING id")),
    ("a charge for an upgrade that nobody made", "upgrades_are_charged", "subscription_charge", damaged(
        f"UPDATE subscription_charge SET kind = 'UPGRADE' WHERE {one('subscription_charge')} RETURNING id")),
    ("an upgrade for nothing", "upgrades_are_charged", "plan_change", an_upgrade_nobody_paid),
    ("a period that nobody charged", "periods_are_charged", "subscription", damaged(
        "UPDATE subscription SET period_number = 2 WHERE status = 'ACTIVE' RETURNING id")),
    ("a renewal that nobody tried", "attempts_agree", "subscription_charge", renewed_and_damaged(
        "DELETE FROM renewal_attempt RETURNING (SELECT id FROM subscription_charge WHERE kind = 'RENEWAL')")),
    ("a try over another sum", "attempts_agree", "renewal_attempt", renewed_and_damaged(
        "UPDATE renewal_attempt SET amount = amount + 1 RETURNING id")),
    ("a subscription that time forgot", "nobody_is_forgotten", "subscription", damaged(
        "UPDATE subscription SET due_at = due_at + interval '1 day' WHERE status = 'ACTIVE' RETURNING id")),
    ("an invoice's line grew", "invoices_agree", "document", damaged(
        f"UPDATE document_line SET amount = amount + 1 WHERE {one('document_line')} RETURNING document_id")),
    ("a credit note is gone", "invoices_agree", "subscription_charge", damaged(
        "UPDATE document SET corrects_id = NULL WHERE series = 'CREDIT_NOTE'"
        " RETURNING (SELECT id FROM subscription_charge WHERE refunded > 0)")),
    ("a receipt went astray", "receipts_agree", "gateway_transaction", damaged(
        f"WITH astray AS (SELECT id, reference_id FROM document WHERE {RECEIPT})"
        " UPDATE document d SET reference_kind = 'nobody' FROM astray WHERE d.id = astray.id"
        " RETURNING astray.reference_id")),
    ("a number was skipped", "numbers_are_gapless", "document_series INVOICE 2026", damaged(
        "UPDATE document_series SET last_number = last_number + 1 WHERE series = 'INVOICE' RETURNING NULL")),
    ("a number is missing", "numbers_are_gapless", "document_series RECEIPT 2026", damaged(
        "UPDATE document SET number = 77 WHERE series = 'RECEIPT' AND number = 1 RETURNING NULL")),
    ("a counter is gone", "numbers_are_gapless", "document_series RECEIPT 2026", damaged(
        "DELETE FROM document_series WHERE series = 'RECEIPT' RETURNING NULL")),
]  # fmt: skip


@pytest.mark.parametrize("what, check, table, harm", DAMAGES, ids=[each[0] for each in DAMAGES])
def test_one_damaged_row_is_named_by_exactly_its_check(
    books: UUID, what: str, check: str, table: str, harm: Callable[[UUID], UUID | None]
) -> None:
    row_id = harm(books)
    db.session.rollback()
    found = list(differences(db.session()))
    assert {difference.check for difference in found} == {check}
    wanted = f"{table} {row_id}" if row_id else table
    assert wanted in {difference.row for difference in found}


def test_every_check_was_damaged() -> None:
    assert {check.__name__ for check in CHECKS} == {check for _, check, _, _ in DAMAGES}


def dump() -> list[Any]:
    """Every row of every table."""
    db.session.rollback()
    tables = [table.name for table in db.metadata.sorted_tables]
    rows = [db.session().scalars(sa.text(f'SELECT t::text FROM "{name}" t ORDER BY 1')).all() for name in tables]
    db.session.rollback()
    return rows


def test_the_command_exits_0_then_1_and_changes_nothing(portal: Flask, books: UUID) -> None:
    before = dump()
    clean = portal.test_cli_runner().invoke(args=["books", "audit"])
    assert (clean.exit_code, clean.stdout) == (0, f"{len(CHECKS)} checks, 0 differences\n")
    assert dump() == before
    row_id = damage("UPDATE plan SET slots_used = slots_used + 1 RETURNING id")
    before = dump()
    broken = portal.test_cli_runner().invoke(args=["books", "audit"])
    assert (broken.exit_code, broken.stdout) == (1, f"{len(CHECKS)} checks, 1 differences\n")
    assert f"slots_equal_holders: plan {row_id}: " in broken.stderr
    assert dump() == before


def test_the_nightly_audit_mails_the_operator_what_it_found(
    portal: Flask, books: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    from config import settings
    from jobs import books as jobs
    from portal.notices.models import Mail

    monkeypatch.setenv("OPERATOR_EMAIL", "operator@example.com")
    settings.cache_clear()
    row_id = damage("UPDATE plan SET slots_used = slots_used + 1 RETURNING id")
    assert [jobs.audit() for _ in range(2)] == [{"differences": 1, "told": 1}, {"differences": 1, "told": 0}]
    mails = db.session().scalars(sa.select(Mail).where(Mail.to_address == "operator@example.com")).all()
    told = {mail.code: mail for mail in mails}
    assert sorted(told) == ["books_audited", "books_differ"]
    assert str(row_id) in told["books_differ"].parameters["listed"]
    assert len(told["books_audited"].parameters["heads"]) == 64
    monkeypatch.undo()
    settings.cache_clear()


def test_the_heads_outside_show_an_end_that_was_cut_off(portal: Flask, books: UUID) -> None:
    """Whoever can switch triggers off can cut a chain's end and mend its head: only what was noted outside tells."""
    noted = portal.test_cli_runner().invoke(args=["books", "heads"]).stdout
    shop.give(books, 1)
    after = portal.test_cli_runner().invoke(args=["books", "heads"]).stdout
    kept = {line.split()[0]: line for line in noted.splitlines()}
    assert kept != {line.split()[0]: line for line in after.splitlines()}
    assert kept.keys() <= {line.split()[0] for line in after.splitlines()}
