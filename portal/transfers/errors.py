"""Refusals of bank transfers, to customers and to administrators."""

from __future__ import annotations

from flask_babel import lazy_gettext as _l

from portal.core.errors import Conflict, Forbidden, PortalError


class ProofRefused(PortalError):
    """An upload that is no proof we can keep; the message says which part of it is wrong."""

    status = 422
    code = "PROOF_REFUSED"
    message = _l("This is no picture or PDF that we can read. Upload a JPEG, PNG, WebP or PDF file.")


class ProofEmpty(ProofRefused):
    message = _l("Choose a file first: the one you sent is empty.")


class ProofTooLarge(ProofRefused):
    message = _l("This file is larger than 5 MiB. A screenshot of the transfer is enough.")


class TooManyProofs(Conflict):
    code = "TOO_MANY_PROOFS"
    message = _l("You have replaced the proof many times already. Wait for our answer, or write to us.")


class NoProofWanted(Conflict):
    code = "NO_PROOF_WANTED"
    message = _l("This transfer is decided or closed: nothing can be uploaded for it any more.")


class NotCancellable(Conflict):
    code = "NOT_CANCELLABLE"
    message = _l("This transfer can no longer be cancelled.")


class AlreadyDecided(Conflict):
    code = "ALREADY_DECIDED"
    message = _l("This transfer was decided already. Nothing was booked now.")


class OwnTransfer(Forbidden):
    code = "OWN_TRANSFER"
    message = _l("This money goes to a customer you belong to. Another administrator has to decide.")


class BankLineTaken(Conflict):
    code = "BANK_LINE_TAKEN"
    message = _l("This line of the bank account, by its reference and day, was credited for another transfer already.")


class WrongFacts(PortalError):
    status = 422
    code = "WRONG_FACTS"
    message = _l("Give the amount, the bank's reference and the day, as the bank statement shows them.")


class ReasonNeeded(PortalError):
    status = 422
    code = "REASON_NEEDED"
    message = _l("Give a reason, in at most 300 characters. The customer reads it.")


class NothingToTakeBack(Conflict):
    code = "NOTHING_TO_TAKE_BACK"
    message = _l("This is more than is left to take back, or somebody took back meanwhile. Nothing was booked now.")
