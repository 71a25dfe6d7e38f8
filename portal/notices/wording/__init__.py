"""What each code says: `WORDINGS` maps it to a title, sentences and one link; `word` fills in the figures.

Every message also fits WhatsApp: the title says what happened, the sentences whether money moved and what
to do.
"""

from __future__ import annotations

from portal.notices.wording.account import ACCOUNT
from portal.notices.wording.alerts import LETTERS
from portal.notices.wording.apps import APPS
from portal.notices.wording.cancellations import CANCELLATIONS
from portal.notices.wording.documents import DOCUMENTS
from portal.notices.wording.health import HEALTH
from portal.notices.wording.money import MONEY
from portal.notices.wording.phrases import UNKNOWN as UNKNOWN
from portal.notices.wording.phrases import Said, Wording, fill
from portal.notices.wording.renewals import RENEWALS
from portal.notices.wording.reports import REPORTS
from portal.notices.wording.transfers import TRANSFERS
from portal.notices.wording.upgrades import UPGRADES
from portal.notices.wording.upkeep import UPKEEP
from portal.notices.wording.waitlist import WAITLIST

WORDINGS: dict[str, Wording] = {
    **ACCOUNT,
    **MONEY,
    **TRANSFERS,
    **DOCUMENTS,
    **APPS,
    **UPGRADES,
    **CANCELLATIONS,
    **HEALTH,
    **UPKEEP,
    **WAITLIST,
    **RENEWALS,
    **REPORTS,
    **LETTERS,
}


def word(code: str, parameters: dict[str, object]) -> Said:
    """The code's words in the present language; a code or parameter we do not know never breaks a page."""
    return fill(WORDINGS.get(code, UNKNOWN), parameters)
