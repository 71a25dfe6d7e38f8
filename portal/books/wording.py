"""What each check of the audit promises, in a sentence."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

PROMISES: dict[str, Any] = {
    "entries_balance": _l("Every entry has two sides at least and sums to zero."),
    "balances_equal_postings": _l("Every balance is the sum of its postings, and on the right side of zero."),
    "codes_count_their_redemptions": _l("A promo code was redeemed exactly as often as it says."),
    "redemptions_have_their_entries": _l("Every redemption gave its amount by one entry out of promotions."),
    "chains_hold": _l("Every wallet's postings are numbered without a gap and hash onto each other."),
    "lines_agree": _l("Every line that a customer sees shows what its entry did."),
    "debts_block_spending": _l("Nobody who owes has credit to spend."),
    "settled_attempts_are_booked": _l("What a gateway's transaction was credited and lost is exactly in the ledger."),
    "paid_ones_are_credited": _l("What the gateway called paid, in the right amount, is credited."),
    "credits_have_a_cause": _l("Every top-up entry has its transaction at the gateway."),
    "slots_equal_holders": _l("A plan's used slots are those who hold one."),
    "ended_ones_let_go": _l("An ended subscription holds its slot only until its apps are cleaned up."),
    "held_is_set_aside": _l("What wallets hold aside is what open places in queues and refunds under way say."),
    "charges_are_booked": _l("Every charge and its refund are in the ledger to the rupiah."),
    "purchases_have_a_charge": _l("Every purchase entry has its charge."),
    "invoices_agree": _l("Every charge has its invoice, every refund its credit note; lines add up to totals."),
    "upgrades_are_charged": _l("Every confirmed change of plan is charged as quoted; one undone is given back."),
    "periods_are_charged": _l("Every paid period that began has its charge, and no other."),
    "attempts_agree": _l("Every try that was paid has its charge, every renewal its try."),
    "nobody_is_forgotten": _l("Every live subscription is due again no later than its state ends."),
    "receipts_agree": _l("Every credited transaction has its receipt."),
    "numbers_are_gapless": _l("Each series of documents runs from 1 to its counter, every year."),
}
