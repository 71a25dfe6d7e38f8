"""The link that stops one kind of mail without a sign-in: whose, and which kind, signed so that nobody can make one up.

It has no end, for people answer old mails; and it can do nothing but stop mails that its reader did not need.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from config import settings
from portal.core.errors import NotFound
from portal.notices.wording.categories import OPTIONAL, Category


@dataclass(frozen=True)
class Wish:
    """This person wants no more mails of this kind."""

    user_id: UUID
    category: Category


def address(user_id: UUID, category: Category) -> str:
    """The link for a person's mails of a kind that may be declined."""
    assert category in OPTIONAL, category
    token = _signer().dumps([user_id.hex, category.value])
    path = current_app.url_map.bind("portal").build("notices.unsubscribe", {"token": token})
    return settings().public_url.rstrip("/") + path


def read(token: str) -> Wish:
    """Whose link this is; raises `NotFound` for one that we did not make."""
    try:
        user_id, category = _signer().loads(token)
        wish = Wish(UUID(hex=user_id), Category(category))
    except (BadData, ValueError, TypeError, AttributeError):
        raise NotFound from None
    if wish.category not in OPTIONAL:
        raise NotFound
    return wish


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(settings().secret_key.get_secret_value(), salt="unsubscribe")
