"""Words about top-ups and what became of them."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.phrases import Link, When, Wording

WALLET = Link("wallet.overview", _l("See my wallet"))
PAYMENT = Link("payments.show", _l("See this top-up"), ("payment_id",))
AGAIN = Link("payments.new", _l("Top up again"))
TOP_UP = {"amount": 50_000, "payment_id": "0197b2a0-0000-7000-8000-000000000001"}
IN_WALLET = {**TOP_UP, "balance": 75_000}

BALANCE = When("balance", _l("Your credit is now %(balance)s."))
DEBT_PAID = When("debt_paid", _l("%(debt_paid)s of it paid back what you owed us."))
DEBT = When("debt", _l("%(debt)s had been spent already; your next top-up pays that back first."))

ADJUSTMENT = {"amount": 20_000, "explanation": "App was away", "balance": 95_000}
ADJUSTMENT_REASON = _l('The reason: "%(explanation)s".')

MONEY: dict[str, Wording] = {
    "adjustment_credited": Wording(
        _l("%(amount)s was added to your credit"),
        [_l("Our team corrected your wallet: %(amount)s was added."), ADJUSTMENT_REASON, DEBT_PAID, BALANCE],
        WALLET,
        {**ADJUSTMENT, "debt_paid": 5_000},
    ),
    "adjustment_waits": Wording(
        _l("An adjustment waits for you: %(change)s"),
        [
            _l("%(asker)s asks to correct the wallet of %(customer)s by %(change)s."),
            ADJUSTMENT_REASON,
            _l("Nothing is booked until another administrator approves."),
        ],
        Link("admin_adjustments.show", _l("Decide"), ("request_id",)),
        {
            "asker": "Dewi",
            "customer": "Ayu",
            "change": "Rp600.000",
            "explanation": "App was away",
            "request_id": "0197b2a0-0000-7000-8000-000000000001",
        },
    ),
    "adjustment_debited": Wording(
        _l("%(amount)s was taken from your credit"),
        [
            _l("Our team corrected your wallet: %(amount)s was taken from it."),
            ADJUSTMENT_REASON,
            BALANCE,
            _l("If you do not know why, answer this message."),
        ],
        WALLET,
        ADJUSTMENT,
    ),
    "top_up_settled": Wording(
        _l("%(amount)s has arrived"),
        [_l("Your top-up of %(amount)s was added to your credit."), DEBT_PAID, BALANCE],
        WALLET,
        {**IN_WALLET, "debt_paid": 5_000},
    ),
    "top_up_paid_late": Wording(
        _l("%(amount)s has arrived, later than expected"),
        [
            _l("Your payment of %(amount)s reached us after the top-up was closed. It counts all the same."),
            DEBT_PAID,
            BALANCE,
        ],
        WALLET,
        {**IN_WALLET, "debt_paid": 5_000},
    ),
    "top_up_expired": Wording(
        _l("Your top-up of %(amount)s has expired"),
        [
            _l("No payment reached us in time, so nothing was charged and nothing was added."),
            _l("If you did pay, wait: the money is credited as soon as it arrives."),
        ],
        AGAIN,
        TOP_UP,
    ),
    "top_up_cancelled": Wording(
        _l("Your top-up of %(amount)s was cancelled"),
        [_l("Nothing was charged. If you did pay, the money is credited as soon as it arrives.")],
        AGAIN,
        TOP_UP,
    ),
    "top_up_failed": Wording(
        _l("Your top-up of %(amount)s did not go through"),
        [
            _l("The payment was refused, so nothing was added to your credit."),
            _l("Try again, or choose another way to pay."),
        ],
        AGAIN,
        TOP_UP,
    ),
    "top_up_in_review": Wording(
        _l("Your top-up of %(amount)s is being checked"),
        [
            _l("Your payment needs a closer look before we can add it to your credit."),
            _l("You need not pay again: we tell you as soon as it is decided."),
        ],
        PAYMENT,
        TOP_UP,
    ),
    "top_up_rejected": Wording(
        _l("Your payment of %(amount)s was not accepted"),
        [
            _l("We looked at your payment of %(amount)s and could not add it to your credit."),
            _l("Money that was taken from you goes back to where you paid from, usually within some days."),
            _l("If it does not, or if you do not know why, answer this message."),
        ],
        PAYMENT,
        TOP_UP,
    ),
    "top_up_refunded": Wording(
        _l("%(amount)s of your top-up was refunded"),
        [
            _l("%(amount)s was taken from your credit and is on its way back to where you paid from."),
            DEBT,
            BALANCE,
        ],
        PAYMENT,
        {**IN_WALLET, "debt": 10_000},
    ),
    "top_up_charged_back": Wording(
        _l("%(amount)s was charged back by your bank"),
        [
            _l("Your bank took back a payment of %(amount)s, so we took it from your credit."),
            DEBT,
            BALANCE,
            _l("If you do not know why, ask your bank, or answer this message."),
        ],
        PAYMENT,
        {**IN_WALLET, "debt": 10_000},
    ),
    "top_up_reversed": Wording(
        _l("Your top-up of %(amount)s was reversed"),
        [
            _l("The payment was refused after we had credited it, so %(amount)s was taken from your credit."),
            DEBT,
            BALANCE,
        ],
        PAYMENT,
        {**IN_WALLET, "debt": 10_000},
    ),
}
