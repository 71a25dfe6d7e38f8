"""The audit that ends every test which touches money."""

from __future__ import annotations

from portal.books.audit import differences
from portal.core.db import db


def assert_books_are_clean() -> None:
    """Fails with every broken promise by name."""
    db.session.rollback()
    found = [str(difference) for difference in differences(db.session())]
    db.session.rollback()
    assert found == []
