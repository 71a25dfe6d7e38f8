"""How every state is shown: a word, an icon and a tone, never a colour alone. `badge()` in macros draws it.

A state is looked up under its kind first ("payment", "transaction", …), then by its own name, so that PENDING may
say "Preparing" of an app and "Waiting for payment" of a top-up.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from flask_babel import lazy_gettext as _l


class Shown(NamedTuple):
    """`tone` is one of good, busy, warn, bad, calm; `icon` stands in static/icons.txt."""

    word: Any
    icon: str
    tone: str


INSTANCES = {
    "PENDING": Shown(_l("In line"), "clock", "busy"),
    "PROVISIONING": Shown(_l("Being set up"), "progress", "busy"),
    "RUNNING": Shown(_l("Running"), "circle-check", "good"),
    "STOPPED": Shown(_l("Stopped"), "player-stop", "calm"),
    "SUSPENDED": Shown(_l("Suspended"), "player-pause", "warn"),
    "ERROR": Shown(_l("Failed"), "alert-triangle", "bad"),
    "TERMINATED": Shown(_l("Deleted"), "trash", "calm"),
    "MAINTENANCE": Shown(_l("Maintenance"), "tool", "warn"),
}
PAYMENTS = {
    "CREATED": Shown(_l("Not paid yet"), "clock", "busy"),
    "PENDING": Shown(_l("Waiting for payment"), "hourglass", "busy"),
    "SETTLED": Shown(_l("Paid"), "circle-check", "good"),
    "PAID_LATE": Shown(_l("Paid late, credited"), "circle-check", "good"),
    "EXPIRED": Shown(_l("Expired"), "clock-pause", "calm"),
    "CANCELLED": Shown(_l("Cancelled"), "ban", "calm"),
    "FAILED": Shown(_l("Failed"), "circle-x", "bad"),
    "IN_REVIEW": Shown(_l("Being checked"), "eye", "warn"),
    "REFUNDED": Shown(_l("Refunded"), "receipt-refund", "calm"),
    "PARTIALLY_REFUNDED": Shown(_l("Partly refunded"), "receipt-refund", "calm"),
    "CHARGED_BACK": Shown(_l("Charged back"), "arrow-back-up", "bad"),
    "REVERSED": Shown(_l("Reversed by the bank"), "arrow-back-up", "bad"),
}
SUBSCRIPTIONS = {
    "PENDING_PAYMENT": Shown(_l("Waiting for credit"), "hourglass", "busy"),
    "PENDING_UPGRADE": Shown(_l("Upgrade under way"), "progress", "busy"),
    "TRIALING": Shown(_l("Trial"), "gift", "good"),
    "ACTIVE": Shown(_l("Active"), "circle-check", "good"),
    "PAST_DUE": Shown(_l("Payment due"), "alert-triangle", "warn"),
    "SUSPENDED": Shown(_l("Suspended"), "player-pause", "warn"),
    "CANCELLED": Shown(_l("Cancelled"), "ban", "calm"),
    "EXPIRED": Shown(_l("Ended"), "clock-pause", "calm"),
}
TRANSACTIONS = {
    "PENDING": Shown(_l("Pending"), "hourglass", "busy"),
    "COMPLETED": Shown(_l("Completed"), "circle-check", "good"),
    "FAILED": Shown(_l("Failed"), "circle-x", "bad"),
    "CANCELLED": Shown(_l("Cancelled"), "ban", "calm"),
    "REFUNDED": Shown(_l("Refunded"), "receipt-refund", "calm"),
}
DOCUMENTS = {
    "DRAFT": Shown(_l("Being issued"), "progress", "busy"),
    "ISSUED": Shown(_l("Issued"), "circle-check", "good"),
    "VOID": Shown(_l("Void"), "ban", "calm"),
}
INTENTS = {
    "WAITING": Shown(_l("Waiting for credit"), "hourglass", "busy"),
    "FULFILLED": Shown(_l("Launched"), "rocket", "good"),
    "FAILED": Shown(_l("Not launched, your credit stays"), "alert-triangle", "warn"),
    "CANCELLED": Shown(_l("Cancelled"), "ban", "calm"),
}
WAITLIST = {
    "WAITING": Shown(_l("In the queue"), "hourglass", "busy"),
    "OFFERED": Shown(_l("A slot is held for you"), "gift", "good"),
    "SERVED": Shown(_l("Got a slot"), "rocket", "good"),
    "MISSED": Shown(_l("Not taken in time"), "clock-pause", "calm"),
    "LEFT": Shown(_l("Left"), "ban", "calm"),
}
TRANSFERS = {
    "WAITING_FOR_PROOF": Shown(_l("Waiting for the proof"), "hourglass", "busy"),
    "IN_REVIEW": Shown(_l("Being checked"), "eye", "warn"),
    "APPROVED": Shown(_l("Credited"), "circle-check", "good"),
    "REJECTED": Shown(_l("Rejected"), "circle-x", "bad"),
    "CANCELLED": Shown(_l("Cancelled"), "ban", "calm"),
    "EXPIRED": Shown(_l("Expired"), "clock-pause", "calm"),
    "PARTLY_TAKEN_BACK": Shown(_l("Partly taken back"), "receipt-refund", "calm"),
    "TAKEN_BACK": Shown(_l("Taken back"), "arrow-back-up", "bad"),
}
ATTEMPTS = {
    "PAID": Shown(_l("Paid"), "circle-check", "good"),
    "SHORT": Shown(_l("Not enough credit"), "alert-triangle", "warn"),
    "NO_SLOT": Shown(_l("No free slot"), "hourglass", "warn"),
    "FAILED": Shown(_l("Failed, tried again"), "refresh", "calm"),
}
PLAN_CHANGES = {
    "QUOTED": Shown(_l("Not confirmed"), "clock", "calm"),
    "RESIZING": Shown(_l("Upgrade under way"), "progress", "busy"),
    "ROLLING_BACK": Shown(_l("Being undone"), "progress", "busy"),
    "DONE": Shown(_l("Done"), "circle-check", "good"),
    "ROLLED_BACK": Shown(_l("Undone, money back"), "arrow-back-up", "warn"),
    "LAPSED": Shown(_l("Not confirmed"), "clock-pause", "calm"),
}
DOMAINS = {
    "PENDING": Shown(_l("Waits for your records"), "hourglass", "busy"),
    "VERIFIED": Shown(_l("Leads to the app"), "circle-check", "good"),
    "FAILED": Shown(_l("Does not lead here"), "alert-triangle", "bad"),
}
ADJUSTMENTS = {
    "WAITING": Shown(_l("Waits for another administrator"), "hourglass", "busy"),
    "BOOKED": Shown(_l("Booked"), "circle-check", "good"),
    "REJECTED": Shown(_l("Rejected"), "circle-x", "calm"),
}
NODES = {
    "ACTIVE": Shown(_l("Active"), "circle-check", "good"),
    "INACTIVE": Shown(_l("Takes no new apps"), "player-pause", "calm"),
    "MAINTENANCE": Shown(_l("Maintenance"), "tool", "warn"),
    "PENDING": Shown(_l("Not in the cluster yet"), "hourglass", "busy"),
    "NOT_READY": Shown(_l("Not ready"), "alert-triangle", "bad"),
}
DRAINS = {
    "RUNNING": Shown(_l("Being emptied"), "progress", "busy"),
    "DONE": Shown(_l("Emptied"), "circle-check", "good"),
    "INCOMPLETE": Shown(_l("Not everything could be moved"), "alert-triangle", "warn"),
    "CANCELLED": Shown(_l("Called off"), "ban", "calm"),
}
MOVES = {
    "WAITING": Shown(_l("Waits for its turn"), "clock", "calm"),
    "LEAVING": Shown(_l("On its way"), "progress", "busy"),
    "BLOCKED": Shown(_l("Held by a disruption budget"), "lock", "warn"),
    "NO_ROOM": Shown(_l("Finds no room elsewhere"), "alert-triangle", "bad"),
    "REFUSED": Shown(_l("The cluster refused it"), "circle-x", "bad"),
    "MOVED": Shown(_l("Moved"), "circle-check", "good"),
}
MAILS = {
    "QUEUED": Shown(_l("On its way"), "clock", "busy"),
    "SENT": Shown(_l("Handed over"), "circle-check", "good"),
    "FAILED": Shown(_l("Not delivered"), "circle-x", "bad"),
}
VERDICTS = {
    "queued": Shown(_l("Ours"), "circle-check", "good"),
    "test_ping": Shown(_l("The gateway's test"), "activity", "calm"),
    "unknown_order": Shown(_l("No order of ours"), "help-circle", "warn"),
}
WORK = {
    "WAITING": Shown(_l("Waits for its time"), "clock", "calm"),
    "DUE": Shown(_l("Due"), "hourglass", "busy"),
    "RUNNING": Shown(_l("A worker is at it"), "progress", "busy"),
    "FAILED": Shown(_l("Failed"), "circle-x", "bad"),
    "GIVEN_UP": Shown(_l("Given up"), "ban", "calm"),
    "DONE": Shown(_l("Done"), "circle-check", "good"),
}
RUNS = {
    "OK": Shown(_l("In time"), "circle-check", "good"),
    "LATE": Shown(_l("Late"), "clock-pause", "warn"),
    "FAILED": Shown(_l("Failed"), "circle-x", "bad"),
    "RUNNING": Shown(_l("Running"), "progress", "busy"),
    "NEVER": Shown(_l("Has not run yet"), "point", "calm"),
}
ALERTS = {
    "OPEN": Shown(_l("Open"), "bell-ringing", "bad"),
    "ACKNOWLEDGED": Shown(_l("Somebody is on it"), "eye", "warn"),
    "CLOSED": Shown(_l("Over"), "circle-check", "good"),
}
HISTORICAL_INVOICES = {
    "PAID": Shown(_l("Paid"), "circle-check", "good"),
    "UNPAID": Shown(_l("Not paid"), "hourglass", "warn"),
    "CANCELLED": Shown(_l("Cancelled"), "ban", "calm"),
    "REFUNDED": Shown(_l("Refunded"), "receipt-refund", "calm"),
}
PROMO_CODES = {
    "OPEN": Shown(_l("Open"), "circle-check", "good"),
    "PLANNED": Shown(_l("Not begun"), "hourglass", "calm"),
    "USED_UP": Shown(_l("Used up"), "stack-2", "calm"),
    "ENDED": Shown(_l("Ended"), "clock-pause", "calm"),
    "OFF": Shown(_l("Off"), "ban", "warn"),
}
REFUNDS = {
    "REQUESTED": Shown(_l("The gateway is being asked"), "progress", "busy"),
    "DONE": Shown(_l("Sent back"), "circle-check", "good"),
    "REFUSED": Shown(_l("Refused by the gateway"), "circle-x", "bad"),
}
KINDS = {
    "refund": REFUNDS,
    "promo_code": PROMO_CODES,
    "adjustment": ADJUSTMENTS,
    "verdict": VERDICTS,
    "work": WORK,
    "run": RUNS,
    "alert": ALERTS,
    "historical_invoice": HISTORICAL_INVOICES,
    "attempt": ATTEMPTS,
    "domain": DOMAINS,
    "drain": DRAINS,
    "move": MOVES,
    "node": NODES,
    "plan_change": PLAN_CHANGES,
    "instance": INSTANCES,
    "payment": PAYMENTS,
    "subscription": SUBSCRIPTIONS,
    "transaction": TRANSACTIONS,
    "document": DOCUMENTS,
    "mail": MAILS,
    "intent": INTENTS,
    "waitlist": WAITLIST,
    "transfer": TRANSFERS,
}
ANY = {**INTENTS, **DOCUMENTS, **TRANSACTIONS, **PAYMENTS, **SUBSCRIPTIONS, **INSTANCES}


def shown(state: str, kind: str = "") -> Shown:
    """How a state is shown; an unknown one shows its own name, calmly."""
    name = str(state)
    return KINDS.get(kind, ANY).get(name) or ANY.get(name) or Shown(name, "point", "calm")
