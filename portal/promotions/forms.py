"""The form that redeems a code."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l
from wtforms import HiddenField, StringField
from wtforms.validators import DataRequired, Length

from portal.web.forms import PortalForm


class RedeemForm(PortalForm):
    """The code as typed, and the purchase to go back to, if it was opened from one."""

    code = StringField(_l("Promo code"), [DataRequired(_l("Fill this in.")), Length(max=60)])
    plan = HiddenField()
    interval = HiddenField()
