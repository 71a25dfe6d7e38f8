"""Words about the account itself. By mail alone: the reader may not be signed in."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.notices.wording.phrases import Link, Wording

TOKEN = {"token": "sample-token"}
SECURITY = Link("accounts.security", _l("See my security"))

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
    "invitation": Wording(
        _l("Your account is ready: set your password"),
        [
            _l("We opened an account for you. Set a password, and it is yours."),
            _l("The link works once, for seven days. Nothing has been charged."),
            _l("If you did not expect this, do nothing."),
        ],
        Link("accounts.reset_password", _l("Set my password"), ("token",)),
        TOKEN,
    ),
    "email_changed": Wording(
        _l("The e-mail address of your account was changed"),
        [
            _l("From now on your account belongs to %(new_address)s, and our mails go there."),
            _l("Nothing was charged. If you did not ask for this, answer this mail at once."),
        ],
        sample={"new_address": "rina@example.com"},
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
    "second_factor_on": Wording(
        _l("Your second factor is on"),
        [
            _l("From now on signing in takes a code from your app as well. Other devices were signed out."),
            _l("Keep your recovery codes where you find them without your phone."),
            _l("If it was not you, set a new password at once and write to us."),
        ],
        SECURITY,
    ),
    "second_factor_off": Wording(
        _l("Your second factor is off"),
        [
            _l("It was switched off with your password and a code. From now on the password alone signs you in."),
            _l("If it was not you, set a new password at once and write to us."),
        ],
        SECURITY,
    ),
    "second_factor_cleared": Wording(
        _l("We switched your second factor off"),
        [
            _l("We did so because we believe that you asked for it, and signed you out everywhere."),
            _l("Sign in with your password and set the second factor up again."),
            _l("If you did not ask for it, set a new password at once and write to us."),
        ],
        SECURITY,
    ),
    "recovery_code_used": Wording(
        _l("A recovery code of yours was used"),
        [
            _l("It stood in for a code from your app and will not work again. You have %(left)s left."),
            _l("If it was not you, set a new password at once and make new recovery codes."),
        ],
        SECURITY,
        {"left": "9"},
    ),
    "recovery_codes_renewed": Wording(
        _l("You have new recovery codes"),
        [
            _l("The recovery codes of before no longer work."),
            _l("If it was not you, set a new password at once and write to us."),
        ],
        SECURITY,
    ),
    "codes_guessed": Wording(
        _l("Someone knows your password"),
        [
            _l("Someone (%(ip_address)s) signed in with your password, but stopped at the code after several tries."),
            _l("If it was you, there is nothing to do. If not, set a new password at once: yours is known."),
        ],
        Link("accounts.forgot_password", _l("Set a new password")),
        {"ip_address": "203.0.113.7"},
    ),
    "account_moved": Wording(
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
