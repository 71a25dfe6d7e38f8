"""Everything the books promise, checked in one consistent snapshot."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.orm import Session

from portal.payments import proofs as payments
from portal.promotions import proofs as promotions
from portal.subscriptions import proofs as subscriptions
from portal.wallet import proofs as wallet
from portal.wallet.proofs import Difference

CHECKS = [*wallet.CHECKS, *promotions.CHECKS, *payments.CHECKS, *subscriptions.CHECKS]


def differences(session: Session) -> Iterator[Difference]:
    """Every broken promise by check and row; reads only. Give it a session whose transaction is REPEATABLE READ
    when others write meanwhile, so that all checks see the same moment."""
    for check in CHECKS:
        yield from check(session)
