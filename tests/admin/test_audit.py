"""The audit log: append-only, found by who, what, about what and when."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from portal.audit import actions as audit
from portal.audit import wording
from portal.audit.actions import Actor
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from tests.personas import sign_in
from tests.queries import counted

ROOT = Path(__file__).resolve().parents[2]
pytest_plugins = ["tests.personas"]


def note(person, action: str = "user.closed", *, subject=("user", None), **facts) -> None:
    with transaction() as session:
        audit.changed(
            session, Actor(person.user_id, "203.0.113.7"), action, subject_kind=subject[0],
            subject_id=subject[1] or uuid4(), now=clock.now(), **facts,
        )  # fmt: skip


def actions_in(page: str) -> list[str]:
    return re.findall(r"<code>([a-z_.]+)</code>", page)


def entries(action: str) -> list[AuditEntry]:
    db.session.rollback()
    return list(db.session().scalars(sa.select(AuditEntry).where(AuditEntry.action == action)))


def test_only_an_administrator_knows_it_is_there(client, ayu, dewi):
    assert client.get("/admin/audit/").status_code == 303
    assert sign_in(client, ayu.email).get("/admin/audit/").status_code == 404
    client.post("/sign-out")
    assert sign_in(client, dewi.email).get("/admin/audit/").status_code == 200


@pytest.mark.parametrize(
    "statement", ["UPDATE audit_entry SET action = 'x'", "DELETE FROM audit_entry", "TRUNCATE audit_entry"]
)
def test_nothing_in_it_can_be_changed_or_removed(portal, dewi, statement):
    note(dewi)
    with pytest.raises(DBAPIError), transaction() as session:
        session.execute(sa.text(statement))
    assert len(entries("user.closed")) == 1


def test_it_shows_who_did_what_before_after_and_from_where(client, ayu, dewi):
    note(dewi, before={"active": True, "name": "Ayu"}, after={"active": False, "name": "Ayu"}, reason="<i>asked</i>",
         subject=("user", ayu.user_id))  # fmt: skip
    page = sign_in(client, dewi.email).get("/admin/audit/?action=user.closed").text
    assert "Dewi Anggraini" in page
    assert "Closed an account" in page
    assert "<del>True</del>" in page
    assert "<ins>False</ins>" in page
    assert "&lt;i&gt;asked&lt;/i&gt;" in page
    assert "203.0.113.7" in page
    assert str(ayu.user_id) in page


def test_codes_nobody_worded_show_themselves_and_odd_facts_break_nothing(client, dewi):
    note(dewi, "moon.landed", subject=("moon", "far-side"), crew=["a", {"b": 1}], flag=None)
    with transaction() as session:
        audit.note(session, "odd.facts", subject_kind="x", subject_id="y", now=clock.now(), before="text", after=[1])
    page = sign_in(client, dewi.email).get("/admin/audit/").text
    assert {"moon.landed", "odd.facts"} <= set(actions_in(page))
    assert "far-side" in page


def test_it_is_found_by_who_what_about_what_and_when(client, ayu, budi, dewi):
    note(dewi, "user.closed", subject=("user", ayu.user_id))
    clock.advance(timedelta(days=2))
    note(budi, "plan.changed", subject=("plan", "basic"))
    admin = sign_in(client, dewi.email)

    def found(query: str) -> set[str]:
        return set(actions_in(admin.get(f"/admin/audit/{query}").text)) & {"user.closed", "plan.changed"}

    assert found("") == {"user.closed", "plan.changed"}
    assert found("?actor=dewi@EXAMPLE.com") == {"user.closed"}
    assert found("?actor=Santoso") == {"plan.changed"}
    assert found(f"?actor={budi.user_id}") == {"plan.changed"}
    assert found("?actor=%25") == set()
    assert found("?action=plan.") == {"plan.changed"}
    assert found("?action=%25") == set()
    assert found(f"?subject={ayu.user_id}") == {"user.closed"}
    assert found("?subject=plan") == {"plan.changed"}
    assert found("?subject=plan:basic") == {"plan.changed"}
    assert found("?since=2026-03-11") == {"plan.changed"}
    assert found("?until=2026-03-10") == {"user.closed"}
    assert found("?since=nonsense&until=9999-12-31") == {"user.closed", "plan.changed"}
    assert found(f"?entry={entries('plan.changed')[0].id}") == {"plan.changed"}
    assert found("?entry=nonsense") == set()
    with counted() as asked:
        admin.get("/admin/audit/?actor=dewi&action=user.")
    assert len(asked) <= 5


def test_all_of_it_as_a_file(client, dewi):
    note(dewi, "user.closed", before={"name": "=1+1"}, after={})
    answer = sign_in(client, dewi.email).get("/admin/audit/?action=user.closed&format=csv")
    [row] = csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff")))
    assert (row["actor"], row["ip_address"]) == (dewi.email, "203.0.113.7")
    assert "=1+1" in row["facts"]


def test_a_subject_leads_to_its_page(client, dewi):
    from portal.core import outbox

    with transaction() as session:
        message_id = outbox.enqueue(session, "outbox.sweep")
    note(dewi, "work.retried", subject=("work", message_id))
    note(dewi, "schedule.run_now", subject=("schedule", "clean-up"))
    note(dewi, "work.retried", subject=("work", "no-id"))
    page = sign_in(client, dewi.email).get("/admin/audit/").text
    assert f'href="/admin/jobs/outbox/{message_id}"' in page
    assert 'href="/admin/jobs/schedule/clean-up"' in page
    assert "outbox/no-id" not in page


def test_every_act_that_is_written_down_has_words():
    written = r"(?:changed|note|_note)\(\s*session,\s*(?:actor,\s*)?\"([a-z_]+\.[a-z_]+)\""
    sources = [path.read_text() for path in (ROOT / "portal").rglob("*.py")]
    codes = {code for source in sources for code in re.findall(written, source)}
    assert len(codes) > 50
    assert sorted(codes - wording.ACTIONS.keys()) == []
    kinds = {kind for source in sources for kind in re.findall(r"subject_kind=\"([a-z_]+)\"", source)}
    assert sorted(kinds - wording.SUBJECTS.keys()) == []
