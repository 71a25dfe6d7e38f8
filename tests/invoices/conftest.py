"""What the tests of documents share: people, and a draft of each kind."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from portal.core import clock
from portal.core.db import transaction
from portal.core.ids import new_id
from portal.invoices import actions
from portal.invoices.actions import Line
from portal.invoices.models import Document, Series
from tests.notices.conftest import post_office  # noqa: F401 - a fixture
from tests.personas import Person, ayu, citra  # noqa: F401 - fixtures

APP_LINE = {"app": "n8n", "plan": "Basic", "from": "2026-03-10", "to": "2026-04-10"}


@pytest.fixture
def draft_for() -> Callable[..., Document]:
    """Drafts a document of one line in a transaction of its own."""
    return draft


def draft(
    person: Person,
    series: Series = Series.INVOICE,
    *,
    amount: int = 25_000,
    reference_id: UUID | None = None,
    corrects_id: UUID | None = None,
) -> Document:
    code = "top_up" if series is Series.RECEIPT else "subscription"
    with transaction() as session:
        return actions.draft(
            session,
            customer_id=person.customer_id,
            series=series,
            reference_kind="test",
            reference_id=reference_id or new_id(),
            lines=[Line(code, APP_LINE, amount)],
            now=clock.now(),
            corrects_id=corrects_id,
        )
