"""What the books audit proves about promo codes. Reads only; each difference names its row."""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal.promotions.models import PromoCode, PromoRedemption
from portal.wallet.models import AccountKind, EntryKind, JournalEntry, LedgerAccount, Posting
from portal.wallet.proofs import Difference


def codes_count_their_redemptions(session: Session) -> Iterator[Difference]:
    """A code was redeemed exactly as often as it says."""
    rows = session.execute(
        select(PromoCode.code, PromoCode.redemptions, func.count(PromoRedemption.id))
        .outerjoin(PromoRedemption, PromoRedemption.promo_code_id == PromoCode.id)
        .group_by(PromoCode.id)
        .having(PromoCode.redemptions != func.count(PromoRedemption.id))
    )
    for code, says, found in rows:
        yield Difference("codes_count_their_redemptions", f"promo_code {code}", f"says {says}, has {found}")


def redemptions_have_their_entries(session: Session) -> Iterator[Difference]:
    """Every redemption gave its amount by one entry, from the promotions account; no such entry is without one."""
    given_out = func.coalesce(-func.sum(Posting.amount).filter(LedgerAccount.kind == AccountKind.PROMOTIONS), 0)
    given = (
        select(JournalEntry.id, JournalEntry.reference_id, given_out.label("amount"))
        .join(Posting, Posting.entry_id == JournalEntry.id)
        .join(LedgerAccount, LedgerAccount.id == Posting.account_id)
        .where(JournalEntry.kind == EntryKind.PROMO)
        .group_by(JournalEntry.id)
        .subquery()
    )
    rows = session.execute(
        select(PromoRedemption.id, PromoRedemption.amount, given.c.id, given.c.amount)
        .join(given, given.c.id == PromoRedemption.entry_id, full=True)
        .where(
            PromoRedemption.id.is_distinct_from(given.c.reference_id)
            | PromoRedemption.amount.is_distinct_from(given.c.amount)
        )
    )
    for redemption_id, amount, entry_id, booked in rows:
        row = f"promo_redemption {redemption_id}" if redemption_id else f"journal_entry {entry_id}"
        yield Difference("redemptions_have_their_entries", row, f"gave {amount}, booked {booked}")


CHECKS = [codes_count_their_redemptions, redemptions_have_their_entries]
