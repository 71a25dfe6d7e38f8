"""A user's story as one line of time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flask_babel import gettext as _

from portal.admin.queries.user_story import Story
from portal.invoices.models import Document
from portal.notices import wording as notices
from portal.wallet import wording as wallet

MOMENTS_MAX = 30


@dataclass(frozen=True)
class Moment:
    """Something that happened: `state` with `kind` is drawn as a badge, `code` as a code, where there is one."""

    at: datetime
    icon: str
    text: str
    state: str = ""
    kind: str = ""
    code: str = ""


def timeline(story: Story) -> list[Moment]:
    """The parts of a story merged, newest first. Each part is its newest few, so that a busy part reaches less far
    back than a calm one."""
    moments = [*_money(story), *_apps(story), *_told(story), *_done(story)]
    return sorted(moments, key=lambda one: one.at, reverse=True)[:MOMENTS_MAX]


def _money(story: Story) -> Iterator[Moment]:
    for line in story.transactions:
        text = f"{wallet.line_text(line)}: {line.money}"
        yield Moment(line.completed_at or line.created_at, "wallet", text, line.status, "transaction")
    for payment in story.payments:
        method = str(wallet.METHODS.get(payment.method, payment.method))
        text = _("Top-up of %(amount)s by %(method)s", amount=str(payment.money), method=method)
        yield Moment(payment.created_at, "credit-card", text, payment.status, "payment")
    for document in story.documents:
        yield Moment(document.created_at, "file-invoice", document_name(document), document.status, "document")


def _apps(story: Story) -> Iterator[Moment]:
    for one in story.subscriptions:
        name = f"{one.service.name} {one.plan.name}"
        yield Moment(one.started_at, "repeat", _("Subscribed to %(name)s", name=name))
        if one.ended_at is not None:
            yield Moment(one.ended_at, "repeat", _("%(name)s ended", name=name), one.status, "subscription")
    for instance in story.instances:
        text = _("App %(name)s", name=instance.name)
        yield Moment(instance.created_at, "apps", text, instance.state, "instance")


def _told(story: Story) -> Iterator[Moment]:
    for notice in story.notices:
        yield Moment(notice.created_at, "bell", notices.word(notice.code, notice.parameters).title)
    for mail in story.mails:
        yield Moment(mail.created_at, "mail", notices.word(mail.code, mail.parameters).title, mail.status, "mail")


def _done(story: Story) -> Iterator[Moment]:
    for user_session in story.sessions:
        where = user_session.ip_address or _("unknown address")
        yield Moment(user_session.created_at, "key", _("Signed in from %(where)s", where=where))
    for noted in story.audit:
        text = _("by %(name)s", name=noted.actor) if noted.actor else ""
        yield Moment(noted.entry.happened_at, "list-search", text, code=noted.entry.action)


def document_name(document: Document) -> str:
    """`INV/2026/000123`, or what it will be."""
    return document.label or _("A document being issued")
