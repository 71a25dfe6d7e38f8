"""Refusals of an import: of a whole file, or of one row in one column."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext as _l

from portal.core.errors import PortalError


class FileRefused(PortalError):
    """Nothing of the file can be read as what it should be."""

    status = 422
    code = "FILE_REFUSED"
    message = _l("This file cannot be imported.")


class RowRefused(PortalError):
    """One row cannot be taken; `column` is where (empty: the row as a whole)."""

    status = 422
    code = "ROW_REFUSED"
    message = _l("This row cannot be imported.")

    def __init__(self, message: Any, column: str = "") -> None:
        self.column = column
        super().__init__(message)


class RowChanged(RowRefused):
    """A row of that `external_id` was taken already, and said something else."""

    code = "ROW_CHANGED"

    def __init__(self, day: str) -> None:
        message = _l("This external_id was imported on %(day)s and the row has changed since. Nothing is overwritten.",
                     day=day)  # fmt: skip
        super().__init__(message, "external_id")


class AnotherImport(PortalError):
    """Somebody else's import is under way."""

    status = 409
    code = "ANOTHER_IMPORT"
    message = _l("Another import is under way. Wait for its end, then try again.")


class AccountTaken(RowRefused):
    code = "ACCOUNT_TAKEN"

    def __init__(self) -> None:
        message = _l("This address has an account already. Say --link-existing to give what is imported to it.")
        super().__init__(message, "email")


class AccountUnverified(RowRefused):
    code = "ACCOUNT_UNVERIFIED"

    def __init__(self) -> None:
        message = _l("This address has an account whose owner never confirmed it: it may be somebody else's.")
        super().__init__(message, "email")


class AccountClosed(RowRefused):
    code = "ACCOUNT_CLOSED"

    def __init__(self, column: str) -> None:
        super().__init__(_l("This account is closed."), column)


class UnknownUser(RowRefused):
    code = "UNKNOWN_USER"

    def __init__(self) -> None:
        super().__init__(_l("No imported user has this external_id. Import the users first."), "user")


class UnknownPlan(RowRefused):
    code = "UNKNOWN_PLAN"

    def __init__(self) -> None:
        super().__init__(_l("There is no such plan of that service in the catalog."), "plan")


class NumberTaken(RowRefused):
    code = "NUMBER_TAKEN"

    def __init__(self) -> None:
        super().__init__(_l("This customer has an old invoice of that number already."), "number")


class FileMissing(RowRefused):
    code = "FILE_MISSING"

    def __init__(self) -> None:
        super().__init__(_l("There is no such file beside the CSV."), "pdf")
