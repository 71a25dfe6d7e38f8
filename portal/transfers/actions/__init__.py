"""The verbs of bank transfers: the customer's side and the administrators'. Locks: the payment, then the wallet."""

from __future__ import annotations

from portal.transfers.actions.asking import add_proof, ask, cancel
from portal.transfers.actions.deciding import approve, reject, take_back

__all__ = ["add_proof", "approve", "ask", "cancel", "reject", "take_back"]
