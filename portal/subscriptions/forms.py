"""What the confirmation page sends: the purchase exactly as the customer saw it."""

from __future__ import annotations

from uuid import UUID, uuid4

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, HiddenField, ValidationError
from wtforms.validators import AnyOf, Regexp

from portal.catalog.models import Interval
from portal.core.ids import parse_id
from portal.core.money import Money, rupiah
from portal.subscriptions.actions import Purchase
from portal.subscriptions.queries import Offer
from portal.web.forms import PortalForm

AMOUNT_PATTERN = r"^[0-9]{1,12}$"


class PurchaseForm(PortalForm):
    """Plan, interval, the total that was shown, and the key that makes a double click one purchase."""

    plan = HiddenField()
    interval = HiddenField(validators=[AnyOf(list(Interval))])
    agreed_total = HiddenField(validators=[Regexp(AMOUNT_PATTERN)])
    key = HiddenField()
    hold = BooleanField(_l("Hold the slot for me while I pay"))  # of *pay and launch*
    automatic = BooleanField(_l("Subscribe me automatically when a slot is free"))  # of the waitlist

    def validate_plan(self, field: HiddenField) -> None:
        self._demand_id(field)

    def validate_key(self, field: HiddenField) -> None:
        self._demand_id(field)

    @staticmethod
    def _demand_id(field: HiddenField) -> None:
        if parse_id(field.data or "") is None:
            raise ValidationError(_("This form is incomplete."))

    def show(self, offer: Offer) -> None:
        """Fills in what the page shows now. A key that is fit stays, so that pressing again is still one purchase."""
        self.plan.data, self.interval.data = str(offer.plan.id), offer.interval.value
        self.agreed_total.data = str(offer.quote.total.amount)
        if not self.is_submitted() and offer.entry is not None:
            self.automatic.data = offer.entry.automatic
        if parse_id(self.key.data or "") is None:
            self.key.data = str(uuid4())

    @property
    def plan_id(self) -> UUID:
        return UUID(self.plan.data or "")

    @property
    def total(self) -> Money:
        return rupiah(int(self.agreed_total.data or ""))

    @property
    def purchase(self) -> Purchase:
        """What was agreed; asked after validation."""
        return Purchase(self.plan_id, self.interval.data or "", self.total, key=str(UUID(self.key.data or "")))
