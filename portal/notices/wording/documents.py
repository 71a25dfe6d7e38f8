"""Words about receipts, invoices and credit notes; the PDF rides along when there is one."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.phrases import Link, Wording

DOCUMENT = {"amount": 25_000, "document_id": "0197b2a0-0000-7000-8000-000000000002"}


def _see(label: object) -> Link:
    return Link("invoices.show", label, ("document_id",))


DOCUMENTS: dict[str, Wording] = {
    "receipt_issued": Wording(
        _l("%(amount)s has arrived: receipt %(number)s"),
        [
            _l("Your top-up of %(amount)s was added to your credit, and this is its receipt."),
            _l("There is nothing more to do."),
        ],
        _see(_l("See the receipt")),
        {**DOCUMENT, "number": "RCP/2026/000012"},
    ),
    "invoice_issued": Wording(
        _l("%(amount)s paid from your credit: invoice %(number)s"),
        [
            _l("%(amount)s was taken from your credit, and this is the invoice for it."),
            _l("It is paid; there is nothing more to do."),
        ],
        _see(_l("See the invoice")),
        {**DOCUMENT, "number": "INV/2026/000034"},
    ),
    "invoice_credited": Wording(
        _l("%(amount)s was given back to your credit"),
        [
            _l("We credited %(amount)s of invoice %(number)s. It is in your credit again."),
            _l("The credit note comes with this message. What you bought goes on as before."),
        ],
        Link("wallet.overview", _l("See my wallet")),
        {"amount": 25_000, "number": "INV/2026/000034"},
    ),
}
