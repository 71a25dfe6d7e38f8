"""Words to the operator: what the books show, and how the business goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l

from portal.notices.wording.phrases import Row, When, Wording, show

_CAUSE = _l("Nothing does this by itself: find who or what wrote. Correct by a new entry, never by changing one.")

ADVICE: dict[str, Any] = {
    # the nightly audit
    "entries_balance": _CAUSE,
    "balances_equal_postings": _CAUSE,
    "chains_hold": _l("Rows were changed around the triggers, or a restore is incomplete. Compare the kept heads."),
    "lines_agree": _l("The customer sees another figure than the ledger has. The ledger is right; find who wrote."),
    "debts_block_spending": _l("Take the debt from the credit with an adjustment; find the verb that left both."),
    "codes_count_their_redemptions": _CAUSE,
    "redemptions_have_their_entries": _CAUSE,
    "settled_attempts_are_booked": _l("Look at the transaction at the gateway; book what is missing as a new entry."),
    "paid_ones_are_credited": _l("Minutes old: wait. Older: look for the payment's job in flask outbox list."),
    "credits_have_a_cause": _l("Somebody was credited without a payment. Find who wrote; take it back by a new entry."),
    "slots_equal_holders": _l("Count who holds a slot of the plan, then set its used slots to that number."),
    "ended_ones_let_go": _l("The app is gone and its slot was kept: retry its clean-up job."),
    "held_is_set_aside": _l("Count places in line and refunds under way; release the rest by a new entry."),
    "periods_are_charged": _l("A period without its charge, or the reverse. Look at its tries; correct by an entry."),
    "upgrades_are_charged": _l("Look at the change of plan and its charge; refund what was undone and not given back."),
    "attempts_agree": _l("A try and its charge disagree. The charge is right if the ledger has it; find who wrote."),
    "nobody_is_forgotten": _l("Time would never come back to it. Set its due moment to now: the next run decides."),
    "charges_are_booked": _l("A charge and its entry disagree. Correct by a new entry that points at the old one."),
    "purchases_have_a_charge": _l("Money was taken for nothing we know. Give it back by a new entry; find the verb."),
    "invoices_agree": _l("Look at the charge and its documents; issue what is missing or a credit note."),
    "receipts_agree": _l("Look for the receipt's job in flask outbox list; retry it."),
    "numbers_are_gapless": _l("A document was removed, or numbers were written by hand. Restore it from a backup."),
    # the daily comparison with the gateway
    "paid_but_not_credited": _l("The customer paid. Their payment was looked at again; still here: press check now."),
    "taken_back_differs": _l("Compare refunds and chargebacks in the gateway's dashboard with the payment's page."),
    "credited_but_not_paid": _l("We credited what the gateway does not call paid. Ask the gateway before you correct."),
    "unknown_to_gateway": _l("Were the keys or the merchant changed? Otherwise ask the gateway about the order."),
    "amount_differs": _l("Not credited. Decide on the top-up's page: credit what arrived, or reject and refund it."),
    "refused_by_gateway": _l("Read the gateway's reason: another merchant's order, or an id it does not take."),
    "answer_of_another_order": _l("The gateway answered about another order. Ask its support; book nothing."),
    "ledger_differs": _l("The clearing account is not what our rows say. Correct by a new entry."),
    "day_sums_differ": _l("The orders behind it are listed by themselves; if none is, count the day by hand."),
    "clearing_unexplained": _l("Money came from or went to the gateway without a transaction of it. Find who wrote."),
}  # fmt: skip
"""What a person does about a difference, by its check."""


def _differences(parameters: Mapping[str, Any]) -> list[Row]:
    """One per line of `listed`: check, row and finding, divided by tabs."""
    rows: list[Row] = []
    for line in str(parameters.get("listed", "")).splitlines():
        check, reference, found = [*line.split("\t"), "", ""][:3]
        rows.append((f"{check} · {reference}", f"{found}. {ADVICE.get(check, '')}"))
    return rows


FIGURES: dict[str, Any] = {
    "sign_ups": _l("Sign-ups"),
    "top_ups": _l("Top-ups paid"),
    "top_ups_unpaid": _l("Top-ups not paid"),
    "taken_back": _l("Taken back by the gateway"),
    "purchases": _l("New subscriptions paid"),
    "renewals": _l("Renewals"),
    "upgrades": _l("Upgrades"),
    "resumptions": _l("Resumed"),
    "refunds": _l("Given back"),
    "revenue_sum": _l("Revenue, net"),
    "ppn_sum": _l("PPN"),
    "renewals_short": _l("Tries without enough credit"),
    "failures": _l("Apps that did not start"),
    "suspended": _l("Suspended"),
    "ended": _l("Subscriptions ended"),
    "waitlisted": _l("Joined a waitlist"),
    "in_grace": _l("In grace now"),
    "waiting": _l("Waiting for a slot now"),
    "running": _l("Subscriptions running now"),
    "balances_sum": _l("Customers' credit at the end"),
    "debts_sum": _l("Customers' debts at the end"),
    "slots_used": _l("Slots used now"),
    "slots_total": _l("Slots in all"),
    "mails_failed": _l("Mails that failed"),
    "open_differences": _l("Open differences of the books"),
}
"""Every figure of a report in its order; a count is followed by its sum in rupiah, where `<name>_sum` is there."""

BY_METHOD = "top_ups_by_"
_SAMPLE = {name: 1_250_000 if name.endswith("_sum") else 12 for name in FIGURES} | {
    f"{name}_sum": 1_250_000 for name in ("top_ups", "top_ups_by_qris", "purchases", "renewals", "refunds", "in_grace")
}


def _report(parameters: Mapping[str, Any]) -> list[Row]:
    rows: list[Row] = []
    for name, label in FIGURES.items():
        rows.append((label, _figure(parameters, name)))
        if name == "top_ups":
            rows.extend(_methods(parameters))
    return rows


def _methods(parameters: Mapping[str, Any]) -> list[Row]:
    """Top-ups by method: `top_ups_by_qris` is a count, `top_ups_by_qris_sum` its sum."""
    names = [name for name in parameters if name.startswith(BY_METHOD) and not name.endswith("_sum")]
    return [(f"· {name.removeprefix(BY_METHOD)}", _figure(parameters, name)) for name in sorted(names)]


def _figure(parameters: Mapping[str, Any], name: str) -> str:
    count, total = show(name, parameters.get(name)), parameters.get(f"{name}_sum")
    return count if total is None else f"{count} · {show('_sum', total)}"


REPORTS: dict[str, Wording] = {
    "books_audited": Wording(
        _l("Books audit: differences: %(differences)s"),
        [
            _l("The daily audit read %(postings)s postings of %(accounts)s wallet accounts and changed nothing."),
            When(
                "differences",
                _l("Found: %(differences)s. What is new among them comes in a mail of its own."),
            ),
            _l("Keep this mail: the chain heads outside the database show a cut tail. Heads: %(heads)s."),
        ],
        None,
        {"differences": 1, "postings": 120, "accounts": 8, "heads": "9f86d081"},
    ),
    "books_differ": Wording(
        _l("Books: new differences: %(count)s"),
        [
            _l("New: %(count)s, open in all: %(open)s. Nothing was changed."),
            _l("See all of them with: flask books differences."),
        ],
        None,
        {
            "count": 1,
            "open": 2,
            "listed": "paid_but_not_credited\torder TOPUP-ABC-1\tthe gateway says settlement 50000.00",
        },
        rows=_differences,
    ),
    "daily_summary": Wording(
        _l("%(begins_on)s: %(top_ups_sum)s topped up, %(revenue_sum)s revenue"),
        [
            _l("Sign-ups: %(sign_ups)s, new subscriptions: %(purchases)s, renewals: %(renewals)s."),
            When("in_grace", _l("In grace: %(in_grace)s, with %(in_grace_sum)s due.")),
            When("open_differences", _l("Differences of the books that wait for you: %(open_differences)s.")),
            When("mails_failed", _l("Mails that could not be delivered: %(mails_failed)s.")),
        ],
        None,
        {**_SAMPLE, "top_ups_by_qris": 12, "begins_on": "2026-03-10"},
        rows=_report,
    ),
    "monthly_report": Wording(
        _l("Report of %(month)s: %(revenue_sum)s revenue"),
        [
            _l("Sign-ups: %(sign_ups)s, new subscriptions: %(purchases)s, renewals: %(renewals)s."),
            _l("Topped up: %(top_ups_sum)s, PPN: %(ppn_sum)s."),
        ],
        None,
        {**_SAMPLE, "top_ups_by_qris": 12, "month": "2026-03-01"},
        rows=_report,
    ),
}
