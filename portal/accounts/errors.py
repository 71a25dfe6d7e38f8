"""Refusals of the accounts package."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from portal.accounts.rules import DepartureProblem, NameProblem, PasswordProblem
from portal.core.errors import Conflict, NotFound, PortalError

PASSWORD_MESSAGES: dict[PasswordProblem, Any] = {
    PasswordProblem.TOO_SHORT: _l("Use at least 10 characters. A few words in a row work well."),
    PasswordProblem.TOO_LONG: _l("Use at most 200 characters."),
    PasswordProblem.TOO_SIMPLE: _l("This is too easy to guess: use more different characters."),
    PasswordProblem.COMMON: _l("This is one of the passwords that guessers try first. Choose another."),
    PasswordProblem.PERSONAL: _l("Leave your name and your e-mail address out of the password."),
}
NAME_MESSAGES: dict[NameProblem, Any] = {
    NameProblem.EMPTY: _l("Enter your name."),
    NameProblem.TOO_LONG: _l("Use at most 100 characters."),
    NameProblem.UNFIT: _l("Use letters, digits and spaces: no addresses, no special characters."),
    NameProblem.LINK_LIKE: _l("This looks like a web address. Write a space after the dot."),
}
DEPARTURE_MESSAGES: dict[DepartureProblem, Any] = {
    DepartureProblem.LIVE_SUBSCRIPTIONS: _l("Cancel your subscriptions first: apps of yours are still running."),
    DepartureProblem.OPEN_TOP_UPS: _l("Cancel your open top-ups first, or money could arrive at a closed account."),
    DepartureProblem.CREDIT_LEFT: _l("There is credit left in your wallet. Choose what should happen with it."),
    DepartureProblem.NOT_CONFIRMED: _l("Type your e-mail address to confirm that you give up your credit."),
}


class DetailsRefused(PortalError):
    """A name, address or phone number that cannot be taken; `message` says what to change."""

    status = 422
    code = "DETAILS_REFUSED"


class PasswordRefused(PortalError):
    status = 422
    code = "PASSWORD_REFUSED"

    def __init__(self, problem: PasswordProblem) -> None:
        super().__init__(PASSWORD_MESSAGES[problem], problem=problem)


class EmailTaken(Conflict):
    """The address has an account. Worded so that it stays true of addresses refused for other reasons."""

    code = "EMAIL_TAKEN"
    message = _l("This address cannot be used here, or it already has an account. Sign in, or reset the password.")


class SignInRefused(PortalError):
    """Unknown address, wrong password and closed account look the same."""

    status = 422
    code = "SIGN_IN_REFUSED"
    message = _l("The e-mail address or the password is not right.")


class WrongPassword(PortalError):
    status = 422
    code = "WRONG_PASSWORD"
    message = _l("This is not your current password.")


class LinkSpent(PortalError):
    """A mailed link that is unknown, too old or used."""

    status = 410
    code = "LINK_SPENT"
    message = _l("This link has been used or is too old. Ask for a new one.")


class DepartureRefused(Conflict):
    code = "DEPARTURE_REFUSED"

    def __init__(self, problem: DepartureProblem) -> None:
        super().__init__(DEPARTURE_MESSAGES[problem], problem=problem)


class NotYourself(PortalError):
    """An administrator's own account is changed by another one."""

    status = 409
    code = "NOT_YOURSELF"
    message = _l("This is your own account. Another administrator has to do it.")


class WrongCode(PortalError):
    """A code that is wrong, too old, or was used before: all the same to whoever typed it."""

    status = 422
    code = "WRONG_CODE"
    message = _l("This code is not right, or it was used already.")


class SecondFactorOn(Conflict):
    code = "SECOND_FACTOR_ON"
    message = _l("Your second factor is on already.")


class SecondFactorOff(Conflict):
    code = "SECOND_FACTOR_OFF"
    message = _l("Your second factor is off.")


class SignInSpent(PortalError):
    """A sign-in that waited too long for its code, met too many wrong ones, or is over."""

    status = 410
    code = "SIGN_IN_SPENT"
    message = _l("This took too long or too many tries. Sign in once more.")


class LastAdministrator(Conflict):
    """Without an open administrator nobody could make another."""

    code = "LAST_ADMINISTRATOR"
    message = _l("This is the last open administrator. Make another one first.")


class UnfitAdministrator(Conflict):
    """A role is given to people whose address is known to be theirs."""

    code = "UNFIT_ADMINISTRATOR"
    message = _l("An administrator has an open account and a confirmed e-mail address.")


class AccountClosed(Conflict):
    code = "ACCOUNT_CLOSED"
    message = _l("This account is closed. Open it first.")


class UserNotFound(NotFound):
    code = "USER_NOT_FOUND"


class NotViewed(Conflict):
    """Whose pages an administrator does not see with their eyes."""

    code = "NOT_VIEWED"
    message = _l("Only customers can be viewed, never another administrator.")
