"""Alerts on their page: who may see them, what they say, and taking one on."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa

from portal.alerts import actions, rules
from portal.alerts.models import Alert
from portal.alerts.rules import Signal
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from portal.notices.wording.alerts import ALERTS
from tests.personas import sign_in
from tests.queries import counted

pytest_plugins = ["tests.personas"]
ONE = "0197b2a0-0000-7000-8000-000000000001"
CODES = (*rules.CODES, *rules.REPORTED, "unheard_of")


def open_alert(code: str = "queue_old", **parameters) -> Alert:
    sample = dict(ALERTS[code].sample) if code in ALERTS else {}
    signal = Signal(code, sample | parameters, about=[ONE], lasts=timedelta(0))
    with transaction() as session:
        actions.record(session, [signal], codes=(code,), now=clock.now())
    return db.session().scalars(sa.select(Alert).where(Alert.code == code)).one()


def close(code: str = "queue_old") -> None:
    clock.advance(timedelta(hours=1))
    with transaction() as session:
        actions.record(session, [], codes=(code,), now=clock.now())


def again(alert: Alert) -> Alert:
    db.session.rollback()
    return db.session().get_one(Alert, alert.id, populate_existing=True)


def notes() -> list[AuditEntry]:
    db.session.rollback()
    return list(db.session().scalars(sa.select(AuditEntry).where(AuditEntry.action == "alert.acknowledged")))


def test_only_an_administrator_knows_it_is_there(client, ayu, dewi):
    alert = open_alert()
    for address in ("/admin/alerts/", f"/admin/alerts/{alert.id}"):
        assert client.get(address).status_code == 303
    sign_in(client, ayu.email)
    for address in ("/admin/alerts/", f"/admin/alerts/{alert.id}"):
        assert client.get(address).status_code == 404
    assert client.post(f"/admin/alerts/{alert.id}/acknowledge").status_code == 404
    assert client.post("/admin/alerts/bulk", data={"act": "acknowledge", "ids": str(alert.id)}).status_code == 404
    assert again(alert).acknowledged_at is None
    client.post("/sign-out")
    assert sign_in(client, dewi.email).get("/admin/alerts/").status_code == 200


def test_when_all_is_well_it_says_so(client, dewi):
    page = sign_in(client, dewi.email).get("/admin/alerts/").text
    assert "All is well" in page
    assert "is-invalid" not in page
    assert "is-invalid" in client.get("/admin/alerts/?state=KING").text


@pytest.mark.parametrize("code", CODES)
def test_each_says_what_to_do(client, dewi, code):
    alert = open_alert(code)
    admin = sign_in(client, dewi.email)
    page = admin.get(f"/admin/alerts/{alert.id}")
    assert page.status_code == 200
    assert f"docs/alerts.md, {code}" in page.text
    assert admin.get("/admin/alerts/").status_code == 200


def test_taking_one_on_is_noted_once_and_shown(client, dewi):
    alert = open_alert()
    admin = sign_in(client, dewi.email)
    for _ in range(3):
        assert admin.post(f"/admin/alerts/{alert.id}/acknowledge").status_code == 303
    assert again(alert).acknowledged_by == dewi.user_id
    [note] = notes()
    assert (note.actor_id, note.subject_id) == (dewi.user_id, str(alert.id))
    page = admin.get("/admin/alerts/").text
    assert "Somebody is on it" in page
    assert "Dewi Anggraini" in page


def test_what_is_over_or_never_was_cannot_be_taken_on(client, dewi):
    alert = open_alert()
    close()
    admin = sign_in(client, dewi.email)
    assert admin.post(f"/admin/alerts/{alert.id}/acknowledge").status_code == 409
    assert admin.post(f"/admin/alerts/{uuid4()}/acknowledge").status_code == 404
    assert admin.get(f"/admin/alerts/{uuid4()}").status_code == 404
    assert notes() == []


def test_many_are_shown_first_and_then_taken_on(client, dewi):
    one, other = open_alert(), open_alert("work_failed")
    admin = sign_in(client, dewi.email)
    form = {"act": "acknowledge", "ids": [str(one.id), str(other.id)]}
    admin.post("/admin/alerts/bulk", data=form)
    assert notes() == []
    admin.post("/admin/alerts/bulk", data=form | {"confirmed": "yes"})
    assert len(notes()) == 2


def test_open_and_past_ones_are_told_apart(client, dewi):
    open_alert()
    close()
    open_alert("work_failed")
    admin = sign_in(client, dewi.email)

    def shown(query: str) -> tuple[bool, bool]:
        page = admin.get(f"/admin/alerts/{query}").text
        return "Queued work waits too long" in page, "Queued work failed for good" in page

    assert shown("") == (True, True)
    assert shown("?state=OPEN") == (False, True)
    assert shown("?state=CLOSED") == (True, False)
    assert shown("?code=work_failed") == (False, True)
    assert shown("?state=KING&after=nonsense") == (True, True)
    assert "queue_old" in admin.get("/admin/alerts/?format=csv").text
    with counted() as asked:
        admin.get("/admin/alerts/")
    assert len(asked) <= 5
