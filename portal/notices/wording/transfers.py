"""Words about bank transfers that people check."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.money import AGAIN, BALANCE, DEBT, DEBT_PAID, IN_WALLET, TOP_UP, WALLET
from portal.notices.wording.phrases import Link, Wording

TRANSFER = Link("transfers.show", _l("See this transfer"), ("payment_id",))

TRANSFERS: dict[str, Wording] = {
    "transfer_proof_received": Wording(
        _l("We have the proof of your transfer of %(amount)s"),
        [
            _l("A person compares it with our bank account, usually within one working day."),
            _l("You need not pay again: we tell you as soon as it is decided."),
        ],
        TRANSFER,
        TOP_UP,
    ),
    "transfer_to_check": Wording(
        _l("A bank transfer of %(amount)s waits to be checked"),
        [
            _l("A customer uploaded a proof for the reference %(reference)s."),
            _l("Look for it on the bank account, then credit what arrived, or reject it with a reason."),
        ],
        Link("admin_transfers.show", _l("To this transfer"), ("payment_id",)),
        {**TOP_UP, "reference": "TF7K3QX9AB"},
    ),
    "transfer_credited": Wording(
        _l("%(amount)s has arrived"),
        [_l("Your bank transfer of %(amount)s was added to your credit."), DEBT_PAID, BALANCE],
        WALLET,
        {**IN_WALLET, "debt_paid": 5_000},
    ),
    "transfer_credited_differs": Wording(
        _l("%(amount)s has arrived, not %(asked_sum)s"),
        [
            _l("You announced %(asked_sum)s; %(amount)s reached our account, and was added to your credit."),
            DEBT_PAID,
            BALANCE,
            _l("If that is not what you sent, answer this message."),
        ],
        TRANSFER,
        {**IN_WALLET, "asked_sum": 60_000, "debt_paid": 5_000},
    ),
    "transfer_rejected": Wording(
        _l("Your transfer of %(amount)s could not be confirmed"),
        [
            _l("Nothing was added to your credit. The reason: %(explanation)s."),
            _l("If you did pay, answer this message: money that is on our account is credited."),
        ],
        TRANSFER,
        {**TOP_UP, "explanation": "No such transfer on our account"},
    ),
    "transfer_expired": Wording(
        _l("Your transfer of %(amount)s has expired"),
        [
            _l("No proof reached us within seven days, so nothing was added to your credit."),
            _l("If you did pay, answer this message with the proof: the money is credited all the same."),
        ],
        AGAIN,
        TOP_UP,
    ),
    "transfer_taken_back": Wording(
        _l("%(amount)s of your transfer was taken back"),
        [
            _l("It had been added to your credit by mistake. The reason: %(explanation)s."),
            DEBT,
            BALANCE,
            _l("If you think this is wrong, answer this message."),
        ],
        TRANSFER,
        {**IN_WALLET, "debt": 10_000, "explanation": "It was another customer's transfer"},
    ),
}
