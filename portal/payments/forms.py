"""The top-up form."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, RadioField, StringField, ValidationError
from wtforms.validators import InputRequired, Length, Regexp

from config import settings
from portal.core.money import Money, rupiah
from portal.payments.rules import offered
from portal.web.forms import PortalForm

PRESETS = [25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000]
KEY_PATTERN = r"^[0-9a-f-]{36}$"


class TopUpForm(PortalForm):
    """Amount, method, and the key that makes a double click one top-up."""

    amount = StringField(_l("Amount"), [InputRequired(_l("Choose an amount.")), Length(max=20)])
    method = RadioField(
        _l("How do you want to pay?"),
        [InputRequired(_l("Choose how you want to pay."))],
        default="qris",
    )
    key = HiddenField(validators=[Regexp(KEY_PATTERN)], default=lambda: str(uuid4()))
    intent = HiddenField(validators=[Regexp(r"^$|" + KEY_PATTERN)], default="")

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        methods = offered(bank_transfer=bool(settings().bank_accounts))
        self.method.choices = [(method.code, method.label) for method in methods]

    def validate_amount(self, field: StringField) -> None:
        amount = parse_rupiah(field.data or "")
        smallest, largest = rupiah(settings().top_up_min), rupiah(settings().top_up_max)
        if amount is None:
            raise ValidationError(_("Write the amount in whole rupiah, such as 50.000."))
        if not smallest <= amount <= largest:
            raise ValidationError(
                _("Choose an amount from %(smallest)s to %(largest)s.", smallest=str(smallest), largest=str(largest))
            )

    @property
    def money(self) -> Money:
        amount = parse_rupiah(self.amount.data or "")
        assert amount is not None, "asked after validation"
        return amount


def parse_rupiah(text: str) -> Money | None:
    """Reads what people type: `50000`, `50.000`, `Rp 50.000`; None when it is not a whole amount."""
    bare = re.sub(r"^\s*(Rp|IDR)?\.?\s*", "", text, flags=re.IGNORECASE).strip()
    if not re.fullmatch(r"[0-9]{1,12}|[0-9]{1,3}([.,\s][0-9]{3})+", bare) or not bare.isascii():
        return None
    return rupiah(int(re.sub(r"[.,\s]", "", bare)))
