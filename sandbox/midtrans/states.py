"""The life of a transaction as a table. Pure: nothing here knows about time, HTTP or storage."""

from __future__ import annotations

MOVES: dict[str, frozenset[str]] = {
    "pending": frozenset({"settlement", "capture", "authorize", "expire", "cancel", "deny", "failure"}),
    "authorize": frozenset({"capture", "cancel", "deny", "expire"}),
    "capture": frozenset({"settlement", "cancel", "deny"}),
    "settlement": frozenset({"refund", "partial_refund", "chargeback", "partial_chargeback", "deny"}),
    "partial_refund": frozenset({"refund", "partial_refund"}),
    "partial_chargeback": frozenset({"chargeback"}),
    "failure": frozenset(),
    "expire": frozenset(),
    "cancel": frozenset(),
    "deny": frozenset(),
    "refund": frozenset(),
    "chargeback": frozenset(),
}

PAID = frozenset({"settlement", "capture"})
ONCE_PAID = PAID | {"partial_refund", "refund", "partial_chargeback", "chargeback"}
UNPAID = frozenset({"deny", "expire", "cancel", "failure"})


def may_move(status: str, target: str, *, challenged: bool = False, reversible: bool = False) -> bool:
    """Whether the gateway itself could ever make this move."""
    if target not in MOVES[status]:
        return False
    if (status, target) == ("capture", "deny"):
        return challenged
    if (status, target) == ("capture", "settlement"):
        return not challenged
    if (status, target) == ("settlement", "deny"):
        return reversible
    return True


def notification_code(status: str, fraud_status: str | None) -> str:
    """The status_code a notification carries; the status API's differs for expire and cancel."""
    if status == "pending" or fraud_status == "challenge":
        return "201"
    return "202" if status in UNPAID else "200"


def status_api_code(status: str, fraud_status: str | None) -> str:
    """The status_code that GET /v2/{id}/status carries."""
    if status == "expire":
        return "407"
    if status == "cancel":
        return "200"
    return notification_code(status, fraud_status)


def counts_as_success(status: str, fraud_status: str | None) -> bool:
    """Money was taken at some time (a later refund or chargeback does not unmake that)."""
    return status in ONCE_PAID and fraud_status != "challenge"
