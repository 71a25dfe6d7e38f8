"""Words about the account itself. By mail alone: the reader may not be signed in."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.phrases import Link, Wording

TOKEN = {"token": "sample-token"}

ACCOUNT: dict[str, Wording] = {
    "verify_email": Wording(
        _l("Confirm your e-mail address"),
        [
            _l("Someone, we hope you, opened an account with this address."),
            _l("Confirm it, so that receipts and warnings reach you. The link works once, for 48 hours."),
            _l("If it was not you, do nothing: no money has moved and nothing will be charged."),
        ],
        Link("accounts.verify_email", _l("Confirm my address"), ("token",)),
        TOKEN,
    ),
    "registration_attempt": Wording(
        _l("You already have an account"),
        [
            _l("Someone tried to register with your address, but you have an account already."),
            _l("Nothing was changed. Sign in, or set a new password if you forgot yours."),
        ],
        Link("accounts.sign_in", _l("Sign in")),
    ),
    "welcome": Wording(
        _l("Welcome: your account is ready"),
        [
            _l("Your address is confirmed and your account is open."),
            _l("Nothing has been charged. Choose an app, top up, and it runs in minutes."),
        ],
        Link("catalog.index", _l("Choose an app")),
    ),
    "reset_password": Wording(
        _l("Set a new password"),
        [
            _l("Someone, we hope you, asked for a new password."),
            _l("The link works once, for one hour. If it was not you, do nothing: your password stays."),
        ],
        Link("accounts.reset_password", _l("Set a new password"), ("token",)),
        TOKEN,
    ),
    "password_changed": Wording(
        _l("Your password was changed"),
        [
            _l("The password of your account was changed and other devices were signed out."),
            _l("If it was not you, set a new password at once and write to us."),
        ],
        Link("accounts.forgot_password", _l("It was not me")),
    ),
    "new_sign_in": Wording(
        _l("New sign-in to your account"),
        [
            _l("Someone signed in to your account from %(device)s (%(ip_address)s)."),
            _l("If it was not you, end that session and set a new password."),
        ],
        Link("accounts.security", _l("See my sessions")),
        {"device": "Firefox, Linux", "ip_address": "203.0.113.7"},
    ),
    "invitation": Wording(
        _l("Your account has moved: set a password"),
        [
            _l("Your account with us is now here, with your credit, your apps and your invoices."),
            _l("Ask for a new password with this e-mail address; the mail that follows lets you set one."),
            _l("Nothing was charged for the move."),
        ],
        Link("accounts.forgot_password", _l("Set a password")),
    ),
    "account_deactivated": Wording(
        _l("Your account is closed"),
        [
            _l("Your account was deactivated as you asked, and you are signed out everywhere."),
            _l("Nothing more will be charged. If it was not you, answer this mail."),
        ],
    ),
}
