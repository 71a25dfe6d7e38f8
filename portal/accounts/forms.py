"""The forms of accounts: what a person types, checked by the same rules that the actions enforce."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import (
    BooleanField,
    EmailField,
    PasswordField,
    RadioField,
    SelectField,
    StringField,
    TelField,
    TextAreaField,
)
from wtforms.validators import DataRequired, InputRequired, Length, ValidationError

from portal.accounts import billing, rules
from portal.accounts.billing import Billing
from portal.accounts.errors import NAME_MESSAGES, PASSWORD_MESSAGES
from portal.accounts.models import CustomerKind
from portal.accounts.rules import Departure
from portal.accounts.wording import BILLING_MESSAGES
from portal.web.forms import PortalForm
from portal.web.languages import LANGUAGES

REQUIRED = _l("Fill this in.")
EMAIL_LENGTH_MAX = 254


class Name:
    """A name that `rules.name_problem` has nothing against."""

    def __call__(self, form: Any, field: Any) -> None:
        problem = rules.name_problem(rules.normal_name(field.data or ""))
        if problem is not None:
            raise ValidationError(NAME_MESSAGES[problem])


class Email:
    """An address that mail can reach."""

    def __call__(self, form: Any, field: Any) -> None:
        if rules.normal_email(field.data or "") is None:
            raise ValidationError(_l("This is not an e-mail address we can write to."))


class Phone:
    """Empty, or a phone number."""

    def __call__(self, form: Any, field: Any) -> None:
        if (field.data or "").strip() and rules.normal_phone(field.data) is None:
            raise ValidationError(_l("This is not a phone number. Write it like 0812 3456 7890."))


class GoodPassword:
    """A password that is hard to guess for its owner: `form.owner()` says whose it becomes."""

    def __call__(self, form: Any, field: Any) -> None:
        email, name = form.owner()
        problem = rules.password_problem(field.data or "", email=email, name=name)
        if problem is not None:
            raise ValidationError(PASSWORD_MESSAGES[problem])


class RegisterForm(PortalForm):
    name = StringField(_l("Name"), [Name()])
    email = EmailField(_l("E-mail address"), [Length(max=EMAIL_LENGTH_MAX), Email()])
    phone = TelField(_l("Phone"), [Length(max=30), Phone()])
    password = PasswordField(_l("Password"), [GoodPassword()])

    def owner(self) -> tuple[str, str]:
        return rules.normal_email(self.email.data or "") or "", rules.normal_name(self.name.data or "")


class SignInForm(PortalForm):
    email = EmailField(_l("E-mail address"), [InputRequired(REQUIRED), Length(max=EMAIL_LENGTH_MAX)])
    password = PasswordField(_l("Password"), [InputRequired(REQUIRED)])
    remember = BooleanField(_l("Stay signed in on this device for 30 days"))


class ForgotPasswordForm(PortalForm):
    email = EmailField(_l("E-mail address"), [Length(max=EMAIL_LENGTH_MAX), Email()])


class NewPasswordForm(PortalForm):
    """Sets a password for the person given to it."""

    password = PasswordField(_l("New password"), [GoodPassword()])

    def __init__(self, *arguments: Any, email: str, name: str, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._owner = email, name

    def owner(self) -> tuple[str, str]:
        return self._owner


class ChangePasswordForm(NewPasswordForm):
    current = PasswordField(_l("Current password"), [InputRequired(REQUIRED)])


class BeginSecondFactorForm(PortalForm):
    current = PasswordField(_l("Current password"), [InputRequired(REQUIRED)])


class FirstCodeForm(PortalForm):
    code = StringField(_l("Code from the app"), [InputRequired(REQUIRED)])


class ProofForm(PortalForm):
    """A code from the app, or a recovery code: two fields, for a phone shows other keys for each."""

    code = StringField(_l("Code from the app"))
    recovery_code = StringField(_l("Recovery code"))

    @property
    def typed(self) -> str:
        return (self.recovery_code.data or "").strip() or (self.code.data or "")

    def refuse(self, words: str) -> None:
        """Says what is wrong beside the field that was used."""
        field = self.recovery_code if (self.recovery_code.data or "").strip() else self.code
        field.errors = [*field.errors, words]


class SwitchOffForm(ProofForm):
    current = PasswordField(_l("Current password"), [InputRequired(REQUIRED)])


class ProfileForm(PortalForm):
    name = StringField(_l("Name"), [Name()])
    phone = TelField(_l("Phone"), [Length(max=30), Phone()])
    language = SelectField(_l("Language"), choices=list(LANGUAGES.items()))


class BillingForm(PortalForm):
    """Who stands on documents; what is wrong is said by `billing.checked`, the rule of the verb."""

    kind = RadioField(
        _l("Invoices are for"),
        choices=[(CustomerKind.PERSON, _l("me, a person")), (CustomerKind.ORGANISATION, _l("a company"))],
        default=CustomerKind.PERSON,
    )
    company = StringField(_l("Company name"), [Length(max=200)])
    npwp = StringField(_l("NPWP"), [Length(max=40)])
    address = TextAreaField(_l("Address"), [Length(max=600)])
    email = EmailField(_l("E-mail address on invoices"), [Length(max=EMAIL_LENGTH_MAX)])

    def validate(self, extra_validators: Any = None) -> bool:
        """The fields' own rules, then those of billing."""
        well_formed = super().validate(extra_validators)
        problems = billing.checked(self.wanted())[1] if well_formed else {}
        for name, problem in problems.items():
            self[name].errors = [str(BILLING_MESSAGES[problem])]
        return well_formed and not problems

    def wanted(self) -> Billing:
        return Billing(
            self.kind.data or "", self.email.data or "", self.company.data or "", self.address.data or "",
            self.npwp.data or "",
        )  # fmt: skip


class DeactivationForm(PortalForm):
    """Leaving; `choice` and `confirmation` count only while credit is left."""

    choice = RadioField(
        _l("What should happen with your credit?"),
        choices=[
            (Departure.PAYOUT, _l("Pay it out to me first. My account stays open until that is done.")),
            (Departure.FORFEIT, _l("I give it up. It cannot be brought back.")),
        ],
        validators=[],
        validate_choice=False,
    )
    confirmation = StringField(_l("Type your e-mail address to give up the credit"))
    current = PasswordField(_l("Current password"), [DataRequired(REQUIRED)])

    def departure(self, *, credit: int) -> Departure:
        """What was chosen; with no credit left there is nothing to choose."""
        if credit <= 0:
            return Departure.NOTHING_LEFT
        chosen = self.choice.data
        return Departure(chosen) if chosen in (Departure.PAYOUT, Departure.FORFEIT) else Departure.NOTHING_LEFT
