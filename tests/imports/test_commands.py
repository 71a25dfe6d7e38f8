"""`flask import`: rehearsed, done once, refused as a whole, and clean in the books."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from flask_babel import force_locale
from sqlalchemy.orm import undefer

from jobs import subscriptions as jobs
from portal.accounts import passwords
from portal.accounts import queries as accounts
from portal.accounts.models import Customer, User
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.clock import JAKARTA
from portal.core.db import db, transaction
from portal.core.ids import new_id
from portal.core.money import rupiah
from portal.core.outbox import OutboxMessage
from portal.imports.models import HistoricalInvoice, ImportRecord
from portal.instances.models import Instance
from portal.invoices.models import Document
from portal.notices.models import Mail
from portal.subscriptions import actions as subscriptions
from portal.subscriptions.leaks import leaks
from portal.subscriptions.models import Subscription
from portal.wallet import actions as wallet_actions
from portal.wallet import queries as wallet
from portal.wallet.actions import Line
from portal.wallet.models import EntryKind, JournalEntry, Transaction, TransactionType
from portal.wallet.wording import line_text
from tests.books_audit import assert_books_are_clean
from tests.personas import PASSWORD, register_person, sign_in
from tests.subscriptions.course import attempts, charges, come_up, go_to
from tests.subscriptions.shop import plan_of, sell_out

AYU = "ayu.lestari@example.com"


def count(model) -> int:
    db.session.close()
    return db.session().scalar(sa.select(sa.func.count()).select_from(model))


def user(email: str = AYU) -> User:
    db.session.close()
    found = accounts.user_by_email(db.session(), email)
    assert found is not None
    return found


def customer(email: str = AYU) -> Customer:
    found = accounts.customer_of(db.session(), user(email).id)
    assert found is not None
    return found


def balance(email: str = AYU) -> int:
    return wallet.available(db.session(), customer(email).id).amount


def the_subscription() -> Subscription:
    db.session.close()
    return db.session().scalars(sa.select(Subscription)).one()


# --- users ------------------------------------------------------------------------------------------------


def test_a_dry_run_reports_and_changes_nothing(run):
    result = run("users")
    assert (result.exit_code, "2 created" in result.output, "Dry run" in result.output) == (0, True, True)
    assert [count(model) for model in (User, Customer, ImportRecord, AuditEntry, OutboxMessage)] == [0] * 5


def test_users_come_without_a_password_and_without_a_mail(run, session):
    assert run("users", "--commit").exit_code == 0
    ayu, budi = user(), user("budi@example.com")
    assert (ayu.name, ayu.phone, ayu.language, ayu.active) == ("Ayu Lestari", "+6281234567890", "id", True)
    assert (ayu.email_verified_at is not None, budi.email_verified_at, budi.phone) == (True, None, None)
    stored = session.scalars(sa.text("SELECT phone FROM user_account WHERE phone IS NOT NULL")).one()
    assert "6281234567890" not in stored
    assert (count(Mail), customer().billing_email) == (0, AYU)


def test_nobody_signs_in_before_a_password_is_set(moved, client):
    for password in ("", "!", PASSWORD):
        assert client.post("/sign-in", data={"email": AYU, "password": password}).status_code != 303


def test_the_same_file_again_changes_nothing(run):
    run("users", "--commit")
    result = run("users", "--commit")
    assert (result.exit_code, "2 already there" in result.output, count(User)) == (0, True, 2)


def test_a_changed_row_says_so_and_is_refused(run, moved):
    result = run("users", "--commit", rows=["u-1;ayu.lestari@example.com;Ayu L;0812-3456-7890;id;ya"])
    assert (result.exit_code, "line 2" in result.output, "changed since" in result.output) == (1, True, True)
    assert user().name == "Ayu Lestari"


def test_another_spelling_of_the_same_is_no_change(run, moved):
    result = run("users", "--commit", rows=["u-1;AYU.lestari@Example.com;Ayu  Lestari;+62 812 34567890;;yes"])
    assert (result.exit_code, "1 already there" in result.output) == (0, True)


def test_an_account_that_is_there_is_refused_and_linked_when_asked(run, ayu):
    row = ["u-9;ayu@example.com;Somebody Else;;id;ya"]
    refused = run("users", "--commit", rows=row)
    assert (refused.exit_code, "column email" in refused.output, count(ImportRecord)) == (1, True, 0)
    linked = run("users", "--commit", "--link-existing", rows=row)
    assert (linked.exit_code, "1 linked" in linked.output, user("ayu@example.com").name) == (0, True, "Ayu Lestari")
    assert run("balances", "--commit", rows=["b-9;u-9;5.000"]).exit_code == 0
    assert balance("ayu@example.com") == 5_000
    assert_books_are_clean()


@pytest.mark.parametrize("closed", [True, False])
def test_an_unconfirmed_or_closed_account_is_never_linked(run, closed):
    register_person("Mallory", "victim@example.com", verified=closed)
    if closed:
        with transaction() as session:
            session.execute(sa.update(User).values(active=False))
    result = run("users", "--commit", "--link-existing", rows=["u-9;victim@example.com;Victim;;id;ya"])
    assert (result.exit_code, count(ImportRecord)) == (1, 0)


def test_one_refused_row_stops_all_unless_skipped(run):
    rows = ["u-1;ayu.lestari@example.com;Ayu;;id;ya", "u-2;nobody;Budi;;id;ya", "u-3;c@example.com;=cmd|x;;id;ya"]
    result = run("users", "--commit", rows=rows)
    assert (result.exit_code, count(User), "2 refused" in result.output) == (1, 0, True)
    assert "line 3 " in result.output
    assert "column email" in result.output
    assert "column name" in result.output
    skipped = run("users", "--commit", "--skip-refused", rows=rows)
    assert (skipped.exit_code, count(User)) == (1, 1)


def test_the_audit_log_has_the_run_and_who_did_it(run, dewi):
    assert run("users", "--commit", "--by", "nobody@example.com").exit_code == 1
    assert run("users", "--commit", "--by", "dewi@example.com").exit_code == 0
    entry = db.session().scalars(sa.select(AuditEntry).where(AuditEntry.action == "import.committed")).one()
    assert (entry.actor_id, entry.subject_id, entry.facts["file"]) == (dewi.user_id, "USERS", "users.csv")
    assert (entry.facts["rows"]["created"], entry.facts["rows"]["refused"]) == (2, 0)


def test_a_file_that_is_too_large_or_broken_is_refused(run, folder, monkeypatch):
    (folder / "users.csv").write_bytes(b"\xff\xfe\0")
    assert "UTF-8" in run("users").output
    monkeypatch.setattr("portal.imports.rules.FILE_MIB_MAX", 0)
    assert "larger" in run("users", rows=[]).output


def test_a_second_import_at_the_same_time_is_refused(run):
    with db.engine.begin() as other:
        other.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended('imports', 0))"))
        result = run("users", "--commit")
    assert (result.exit_code, "Another import" in result.output, count(User)) == (1, True, 0)


# --- invitations ------------------------------------------------------------------------------------------


def test_invitations_are_a_step_of_their_own_and_go_out_once(portal, run, moved):
    invite = lambda *words: portal.test_cli_runner().invoke(args=["import", "invite", *words])  # noqa: E731
    assert "2 would be invited" in invite().output
    assert count(Mail) == 0
    assert "2 invited" in invite("--commit").output
    mails = db.session().scalars(sa.select(Mail).order_by(Mail.to_address)).all()
    assert [(mail.to_address, mail.code, mail.language) for mail in mails] == [
        (AYU, "account_moved", "id"), ("budi@example.com", "account_moved", "en"),
    ]  # fmt: skip
    assert "0 invited" in invite("--commit").output
    assert count(Mail) == 2


# --- balances ---------------------------------------------------------------------------------------------


def test_balances_are_opening_entries_that_the_books_agree_with(run, moved):
    result = run("balances", "--commit")
    assert (result.exit_code, "total of what is new: Rp150.000" in result.output) == (0, True)
    assert (balance(), balance("budi@example.com")) == (150_000, 0)
    entry = db.session().scalars(sa.select(JournalEntry)).one()
    assert (entry.kind, entry.idempotency_key) == ("OPENING_BALANCE", "import:balance:b-1")
    line = db.session().scalars(sa.select(Transaction)).one()
    assert (line.type, line.amount, line.balance_after) == ("OPENING_BALANCE", 150_000, 150_000)
    with force_locale("en"):
        assert line_text(line) == "Credit that you brought along from before"
    assert_books_are_clean()


def test_what_follows_a_balance_mails_nobody(run, moved, drain):
    run("balances", "--commit")
    assert drain() > 0
    assert count(Mail) == 0
    assert_books_are_clean()


def test_a_debt_is_paid_first(run, ayu):
    with transaction() as session:
        wallet_actions.take_back_top_up(
            session, ayu.customer_id, rupiah(3_000), kind=EntryKind.CHARGEBACK, gateway="midtrans", key="back",
            payment_id=new_id(), line=Line(TransactionType.REFUND, "top_up_charged_back", {}), now=clock.now(),
        )  # fmt: skip
    run("users", "--commit", "--link-existing", rows=["u-9;ayu@example.com;Ayu;;id;ya"])
    run("balances", "--commit", rows=["b-9;u-9;5.000"])
    assert balance("ayu@example.com") == 2_000


def test_a_balance_is_booked_once_however_often_it_is_imported(run, moved):
    run("balances", "--commit")
    again = run("balances", "--commit")
    assert (again.exit_code, "total of what is new: Rp0" in again.output) == (0, True)
    assert run("balances", "--commit", rows=["b-1;u-1;Rp150.001"]).exit_code == 1
    assert balance() == 150_000
    assert_books_are_clean()


def test_a_negative_balance_and_an_unknown_user_are_refused_with_words(run, moved):
    result = run("balances", rows=["b-1;u-1;-5.000", "b-2;u-7;5.000", "b-3;u-1;5,000"])
    assert result.exit_code == 1
    for words in ("column amount: Must not be negative.", "column user: No imported user", "two ways", "3 refused"):
        assert words in result.output
    assert count(JournalEntry) == 0


# --- subscriptions ----------------------------------------------------------------------------------------


@pytest.fixture
def taken(shop, run, moved) -> Subscription:
    assert run("subscriptions", "--commit").exit_code == 0
    return the_subscription()


def test_a_subscription_goes_on_at_its_price_without_a_charge(taken):
    assert (taken.status, taken.price, taken.auto_renew, taken.anchor_day) == ("ACTIVE", 20_000, True, 31)
    ends_at = datetime(2026, 3, 31, tzinfo=JAKARTA)
    assert (taken.period_ends_at, taken.due_at) == (ends_at, ends_at)
    assert taken.period_started_at == datetime(2026, 2, 28, tzinfo=JAKARTA)
    assert charges(taken.id) == [(1, "IMPORTED", 0)]
    assert [count(model) for model in (JournalEntry, Document, Instance)] == [0, 0, 1]
    names = set(db.session().scalars(sa.select(OutboxMessage.name)))
    assert "instances.provision" in names
    assert_books_are_clean()


def test_its_page_says_that_the_period_was_paid_before(client, taken):
    with transaction() as session:
        values = {"password_hash": passwords.hashed(PASSWORD), "language": "en"}
        session.execute(sa.update(User).where(User.email == AYU).values(**values))
    sign_in(client, AYU)
    page = client.get(f"/subscriptions/{taken.id}").text
    assert "Paid before you moved here" in page
    assert "Free" not in page


def test_it_is_no_leak_and_takes_its_slot(taken):
    used = db.session().scalar(sa.text("SELECT slots_used FROM plan WHERE id = :id"), {"id": taken.plan_id})
    assert used == 1
    go_to(datetime(2026, 3, 20, tzinfo=UTC))
    assert list(leaks(db.session(), now=clock.now())) == []


def test_it_renews_from_credit_at_the_agreed_price_on_its_anchor_day(run, taken):
    run("balances", "--commit")
    come_up(taken.id)
    go_to(datetime(2026, 3, 31, 0, 1, tzinfo=JAKARTA))
    assert jobs.renew_due() == {"renewed": 1}
    after = the_subscription()
    assert after.period_ends_at == datetime(2026, 4, 30, tzinfo=JAKARTA)
    assert charges(taken.id) == [(1, "IMPORTED", 0), (2, "RENEWAL", 20_000)]
    assert balance() == 130_000
    assert_books_are_clean()
    go_to(datetime(2026, 4, 30, 0, 1, tzinfo=JAKARTA))
    jobs.renew_due()
    assert the_subscription().period_ends_at == datetime(2026, 5, 31, tzinfo=JAKARTA)
    assert_books_are_clean()


def test_without_credit_it_falls_due_like_any_other(taken):
    come_up(taken.id)
    go_to(datetime(2026, 3, 31, 0, 1, tzinfo=JAKARTA))
    jobs.renew_due()
    assert (the_subscription().status, attempts(taken.id)) == ("PAST_DUE", [("SHORT", 20_000)])
    assert_books_are_clean()


def test_what_was_paid_elsewhere_is_not_refunded_here(taken):
    come_up(taken.id)
    with transaction() as session:
        subscriptions.cancel_now(session, taken.id, taken.customer_id, now=clock.now())
    assert (the_subscription().status, balance()) == ("CANCELLED", 0)
    assert_books_are_clean()


def test_an_app_that_never_comes_up_ends_it_without_money(taken):
    app = db.session().scalars(sa.select(Instance.id)).one()
    with transaction() as session:
        subscriptions.fail_provisioning(session, app, code="crash_loop", parameters={}, now=clock.now())
    assert the_subscription().status == "CANCELLED"
    assert_books_are_clean()


def test_sold_out_is_refused_and_leaves_no_trace(shop, run, moved):
    sell_out(plan_of("n8n"))
    result = run("subscriptions", "--commit", "--skip-refused")
    assert (result.exit_code, count(Subscription), count(ImportRecord)) == (1, 0, 2)
    messages = db.session().scalars(sa.select(OutboxMessage.name)).all()
    assert "instances.provision" not in messages


def test_rows_that_do_not_fit_are_refused_each_in_its_column(shop, run, moved):
    good = "u-1;n8n;BASIC;MONTHLY;20000;2025-08-31;2026-03-31;ya"
    rows = [
        f"s-1;{good}", f"s-2;{good}", f"s-3;{good.replace('n8n', 'nothing')}", f"s-4;{good.replace('BASIC', 'GOLD')}",
        f"s-5;{good.replace('2026-03-31', '2026-03-10')}", f"s-6;{good.replace('MONTHLY', 'WEEKLY')}",
        f"s-7;{good.replace('2026-03-31', '03/04/2026')}", f"s-8;{good.replace('u-1', 'u-8')}",
    ]  # fmt: skip
    result = run("subscriptions", rows=rows)
    assert (result.exit_code, "1 created" in result.output, "7 refused" in result.output) == (1, True, True)
    for words in ("live subscription", "column plan: There is no", "Must be one of", "Is over", "column interval"):
        assert words in result.output
    assert count(Subscription) == 0


def test_the_same_subscriptions_again_change_nothing(run, taken):
    assert (run("subscriptions", "--commit").exit_code, count(Subscription), count(Instance)) == (0, 1, 1)


# --- invoices ---------------------------------------------------------------------------------------------


def test_old_invoices_are_kept_with_their_file_and_outside_our_books(run, moved):
    result = run("invoices", "--commit")
    assert (result.exit_code, "total of what is new: Rp50.000" in result.output) == (0, True)
    statement = sa.select(HistoricalInvoice).options(undefer(HistoricalInvoice.pdf)).order_by(HistoricalInvoice.number)
    first, second = db.session().scalars(statement).all()
    assert (first.number, first.total, first.status, first.has_pdf) == ("2025/0815", 25_000, "PAID", True)
    assert first.pdf is not None
    assert first.pdf.startswith(b"%PDF-")
    assert (second.status, second.has_pdf, second.currency) == ("REFUNDED", False, "IDR")
    assert [count(Document), count(JournalEntry)] == [0, 0]
    assert_books_are_clean()


def test_a_file_that_changed_is_a_changed_row(run, moved, folder):
    run("invoices", "--commit")
    (folder / "2025-0815.pdf").write_bytes(b"%PDF-1.4 another")
    result = run("invoices", "--commit")
    assert (result.exit_code, "changed since" in result.output) == (1, True)


def test_files_that_are_missing_elsewhere_or_no_pdf_are_refused(run, moved, folder):
    (folder / "page.pdf").write_text("<html>")
    (folder.parent / "elsewhere.pdf").write_bytes(b"%PDF-1.4")
    (folder / "link.pdf").symlink_to(folder.parent / "elsewhere.pdf")
    (folder / "large.pdf").write_bytes(b"%PDF-" + b"0" * 1024 * 1024)
    names = ["gone.pdf", "page.pdf", "link.pdf", "large.pdf", "../users.csv"]
    rows = [f"i-{n},u-1,{n},2025-01-31,App,25000,IDR,PAID,{name}" for n, name in enumerate(names)]
    result = run("invoices", "--commit", "--skip-refused", rows=rows)
    assert (result.exit_code, result.output.count("column pdf"), count(HistoricalInvoice)) == (1, 5, 0)


def test_a_number_stands_once_per_customer(run, moved):
    rows = [f"i-{n},u-{user},A-1,2025-01-31,App,25000,IDR,PAID," for n, user in enumerate((1, 1, 2))]
    result = run("invoices", "--commit", "--skip-refused", rows=rows)
    assert ("column number" in result.output, count(HistoricalInvoice)) == (True, 2)


def test_many_rows_are_taken_one_by_one(run, moved):
    rows = [f"b-{n};u-1;1.000" for n in range(300)]
    result = run("balances", "--commit", rows=rows)
    assert ("300 created" in result.output, balance()) == (True, 300_000)
    assert_books_are_clean()
