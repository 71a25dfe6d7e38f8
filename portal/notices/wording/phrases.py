"""How a wording becomes words: figures formatted by their parameter's name, links built from its ids."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import structlog
from flask import current_app
from flask_babel import format_date, format_datetime, format_timedelta
from flask_babel import lazy_gettext as _l
from werkzeug.routing import BuildError

from portal.core.money import format_money, rupiah

log = structlog.get_logger()

AMOUNTS = {"amount", "balance", "price", "debt", "debt_paid", "missing", "setup_fee", "expected", "credited"}
"""Parameters that are whole rupiah, like names ending in `_sum`. Those in `_at` are instants, in `_on` days, in
`_minutes` durations; `month` is a day of it, `reason` a code of `REASONS`."""

NOTHING = "–"


@dataclass(frozen=True)
class Link:
    """The one thing to do next: an endpoint, what its button says, and which parameters fill its address."""

    endpoint: str
    label: Any
    arguments: Sequence[str] = ()


@dataclass(frozen=True)
class When:
    """A sentence said only when a parameter is there and not zero."""

    parameter: str
    sentence: Any


Row = tuple[Any, str]
"""A label and its figure, as a long mail lists them."""


@dataclass(frozen=True)
class Wording:
    """A code's title, sentences and link; `sample` are parameters as the callers pass them.

    `rows` lists what is too long for a short message: mails alone show it, from the same parameters.
    """

    title: Any
    sentences: Sequence[Any]
    link: Link | None = None
    sample: Mapping[str, Any] = field(default_factory=dict)
    rows: Callable[[Mapping[str, Any]], list[Row]] | None = None


@dataclass(frozen=True)
class Said:
    """Words in one language, figures filled in; `path` is the link's address on this portal."""

    title: str
    sentences: list[str]
    path: str | None
    label: str | None
    rows: Sequence[tuple[str, str]] = ()

    @property
    def body(self) -> str:
        return " ".join(self.sentences)


UNKNOWN = Wording(
    _l("Something changed in your account"),
    [_l("Open your account to see how things stand now.")],
    Link("dashboard.overview", _l("Open your account")),
)

REASONS: dict[str, Any] = {
    # Why an app did not come up: codes of provisioning.reconcile.
    "not_ready_in_time": _l("it was not ready in time"),
    "no_capacity": _l("our cluster had no room for it"),
    "quota": _l("our cluster had no room for it"),
    "image_not_found": _l("its software could not be downloaded"),
    "image_name_invalid": _l("its software could not be downloaded"),
    "crash_loop": _l("it kept stopping while it started"),
    "out_of_memory": _l("it ran out of memory"),
    "cluster_unavailable": _l("our cluster did not answer"),
    "refused": _l("our cluster refused it, which is our mistake"),
    "config_missing": _l("a setting it needs was missing, which is our mistake"),
    "address_silent": _l("it runs, but its public address did not answer"),
    "data_missing": _l("its storage was not found"),
    "app_unknown": _l("we no longer know how to set it up, which is our mistake"),
    "volume_cannot_grow": _l("its volume could not be made larger"),
    # Why a subscription could not be started: codes of the refusals themselves.
    "QUOTA_EXCEEDED": _l("the last slot of the plan went meanwhile"),
    "INSUFFICIENT_CREDIT": _l("the credit did not cover the price"),
    "DUPLICATE_SUBSCRIPTION": _l("you have this app already"),
    "UPGRADE_REQUIRED": _l("you have this app already, in a lower plan"),
    "PRICE_CHANGED": _l("its price changed meanwhile"),
    "PLAN_NOT_SOLD": _l("the plan is no longer sold"),
}
OTHER_REASON = _l("something went wrong on our side")
ALIASES = {"service": "app"}
"""Parameters that two packages name differently."""


def fill(wording: Wording, parameters: Mapping[str, Any]) -> Said:
    """The wording's words in the present language."""
    parameters = {ALIASES.get(name, name): value for name, value in parameters.items()}
    shown = _Shown({name: show(name, value) for name, value in parameters.items()})
    sentences = [_sentence(part, shown, parameters) for part in wording.sentences]
    path = _path(wording.link, parameters)
    return Said(
        title=str(wording.title) % shown,
        sentences=[sentence for sentence in sentences if sentence],
        path=path,
        label=str(wording.link.label) if wording.link and path else None,
        rows=[(str(label), value) for label, value in wording.rows(parameters)] if wording.rows else (),
    )


def show(name: str, value: Any) -> str:
    """A parameter as people read it."""
    if value is None:
        return NOTHING
    if (name in AMOUNTS or name.endswith("_sum")) and isinstance(value, int):
        return format_money(rupiah(value))
    if name.endswith("_at") and isinstance(value, str):
        return f"{format_datetime(datetime.fromisoformat(value), 'd MMM y HH:mm')} WIB"
    if (name.endswith("_on") or name == "month") and isinstance(value, str):
        return format_date(date.fromisoformat(value), "MMMM y" if name == "month" else "d MMMM y")
    if name.endswith("_minutes") and isinstance(value, int):
        return format_timedelta(timedelta(minutes=value), threshold=1)
    if name == "reason":
        return str(REASONS.get(str(value), OTHER_REASON))
    return str(value)


class _Shown(dict[str, str]):
    """A parameter nobody passed shows as a dash: a gap in a sentence must not hold back a notice."""

    def __missing__(self, name: str) -> str:
        log.error("notices.parameter_missing", parameter=name)
        return NOTHING


def _sentence(part: Any, shown: _Shown, parameters: Mapping[str, Any]) -> str:
    if isinstance(part, When):
        return str(part.sentence) % shown if parameters.get(part.parameter) else ""
    return str(part) % shown


def _path(link: Link | None, parameters: Mapping[str, Any]) -> str | None:
    """The link's path, without a request: mails are worded in workers."""
    if link is None:
        return None
    values = {name: parameters.get(name) for name in link.arguments}
    try:
        return current_app.url_map.bind("portal").build(link.endpoint, values)
    except BuildError as error:
        log.error("notices.link_not_built", endpoint=link.endpoint, missing=str(error))
        return None
