"""View as: an administrator sees a customer's pages, changes nothing there, and sees nothing that is theirs alone."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import url_for
from sqlalchemy.exc import IntegrityError

from portal.accounts.models import UserSession
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances.models import Instance, InstanceVariable
from portal.invoices.models import Document
from portal.notices.models import Notice
from portal.web.guards import Access, declared
from tests.books import shop
from tests.house.test_access import SAMPLES, WRITES, _address
from tests.personas import Person, register_person, sign_in
from tests.queries import SIGNED_IN_MAX, counted

pytest_plugins = ["tests.personas"]
BANNER = "You view the portal as Ayu Lestari"
OWN = ["/profile", "/security", "/profile/deactivation", "/notices/mails", "/notices/preferences"]
WRITING = re.compile(r"^(INSERT|UPDATE|DELETE)", re.IGNORECASE)


@pytest.fixture
def viewer(client, ayu, dewi):
    """Dewi's browser while it views as Ayu."""
    admin = sign_in(client, dewi.email)
    assert admin.post(f"/admin/users/{ayu.user_id}/viewing").location == "/dashboard/"
    return admin


def noted(action: str) -> list[AuditEntry]:
    return db.session().query(AuditEntry).filter_by(action=action).order_by(AuditEntry.id).all()


def test_an_administrator_sees_what_the_customer_sees(viewer, ayu, dewi):
    shop.give(ayu.customer_id, 35_000)
    page = viewer.get("/dashboard/").text
    for words in (BANNER, "Hello, Ayu", "Rp35.000", "Stop viewing"):
        assert words in page
    assert "Rp35.000" in viewer.get("/wallet/").text
    for path in ("/", "/catalog/", "/admin/users/", "/notices/", "/nothing-here"):
        assert BANNER in viewer.get(path).text, path
    (note,) = noted("user.view_started")
    assert (note.actor_id, note.subject_id) == (dewi.user_id, str(ayu.user_id))


def test_it_costs_a_page_no_query_more(viewer):
    with counted() as queries:
        viewer.get("/dashboard/")
    assert len(queries) <= SIGNED_IN_MAX


def test_other_browsers_of_the_same_administrator_see_their_own(viewer, portal, dewi):
    other = sign_in(portal.test_client(), dewi.email)
    assert BANNER not in other.get("/dashboard/").text


def test_every_write_of_a_customer_is_refused_while_viewing(viewer, portal):
    """Walks the URL map: a route that is added tomorrow is refused too."""
    walked, let_through = 0, []
    for rule in portal.url_map.iter_rules():
        if declared(portal, rule.endpoint) is not Access.CUSTOMER:
            continue
        for method in sorted((rule.methods or set()) & WRITES):
            walked += 1
            answer = viewer.open(_address(portal, rule), method=method)
            if answer.status_code != 403 or "nothing was changed" not in answer.text:
                let_through.append(f"{method} {rule.rule} -> {answer.status_code}")
    assert let_through == []
    assert walked > 30


def test_no_reading_address_of_a_customer_writes_while_viewing(viewer, portal, ayu):
    """With things of the customer's own in the addresses, so that the pages are really drawn."""
    own, order_id = things_of(ayu)
    writing, drawn = [], 0
    for rule in portal.url_map.iter_rules():
        if declared(portal, rule.endpoint) is not Access.CUSTOMER or "GET" not in (rule.methods or set()):
            continue
        values = {name: own.get(name, SAMPLES[type(kind).__name__]) for name, kind in rule._converters.items()}
        with portal.test_request_context():
            address = url_for(rule.endpoint, order_id=order_id, **values)
        with counted() as queries:
            answer = viewer.get(address)
        writing += [f"{rule.rule}: {query[:60]}" for query in queries if WRITING.match(query)]
        assert answer.status_code < 500, rule.rule
        drawn += answer.status_code == 200
    assert writing == []
    assert drawn > 15


def things_of(person: Person) -> tuple[dict[str, object], str]:
    """Ids by the names that routes give them, and an order at the gateway that is still open."""
    shop.Order(person.customer_id).hear("settlement")
    subscription_id = shop.buy(person.customer_id, shop.sell())
    with transaction() as session:
        for number, document in enumerate(session.query(Document), 1):
            document.pdf, document.status, document.year, document.number = b"%PDF-1.7", "ISSUED", 2026, number
    waiting = shop.Order(person.customer_id)
    own = {
        "instance_id": shop.instance_of(subscription_id), "subscription_id": subscription_id,
        "payment_id": waiting.payment_id, "document_id": db.session().query(Document.id).first()[0],
    }  # fmt: skip
    return own, waiting.attempt.order_id


def test_a_refused_write_met_by_htmx_is_a_toast(viewer):
    answer = viewer.post("/notices/reading", headers={"HX-Request": "true"})
    assert answer.status_code == 403
    assert "data-toast" in answer.text
    assert answer.headers["HX-Reswap"] == "none"


@pytest.mark.parametrize("path", OWN)
def test_pages_of_ones_own_identity_are_closed(viewer, path):
    answer = viewer.get(path)
    assert answer.status_code == 403
    assert "Stop viewing to see your own" in answer.text


def test_passwords_and_variables_are_never_shown(viewer, portal, ayu):
    instance = a_running_app(ayu)
    page = viewer.get(f"/instances/{instance.id}")
    assert page.status_code == 200
    for words in ("How to sign in", "Show how to sign in", "/variables", "/credentials"):
        assert words not in page.text
    for page in ("variables", "logs", "logs.txt"):
        assert viewer.get(f"/instances/{instance.id}/{page}").status_code == 403
    assert viewer.post(f"/instances/{instance.id}/credentials").status_code == 403
    assert noted("instance.credentials_shown") == []
    owner = sign_in(portal.test_client(), ayu.email)
    assert "How to sign in" in owner.get(f"/instances/{instance.id}").text
    assert "TOKEN_OF_AYU" in owner.get(f"/instances/{instance.id}/variables").text


def a_running_app(person: Person) -> Instance:
    shop.give(person.customer_id, 50_000)
    subscription = shop.buy(person.customer_id, shop.sell())
    with transaction() as session:
        instance = session.get_one(Instance, shop.instance_of(subscription))
        instance.state, instance.ready_at, instance.deadline_at = "RUNNING", clock.now(), None
        session.add(
            InstanceVariable(
                instance_id=instance.id, name="SOME", value="TOKEN_OF_AYU", secret=False, changed_at=clock.now()
            )
        )
    return instance


def test_documents_may_be_read(viewer, ayu):
    shop.Order(ayu.customer_id).hear("settlement")
    with transaction() as session:
        document = session.query(Document).one()
        document.pdf, document.pdf_rendered_at = b"%PDF-1.7", clock.now()
        document.status, document.year, document.number = "ISSUED", 2026, 1
    assert viewer.get(f"/invoices/{document.id}.pdf").data == b"%PDF-1.7"


def test_notices_stay_unread(viewer, ayu):
    shop.Order(ayu.customer_id).hear("settlement")
    notice = db.session().query(Notice).one()
    assert "Rp50.000 has arrived" in viewer.get("/notices/").text
    assert viewer.post(f"/notices/{notice.id}/reading").status_code == 403
    assert db.session().get_one(Notice, notice.id, populate_existing=True).read_at is None


def test_it_ends_with_a_button(viewer, ayu, dewi):
    answer = viewer.post("/admin/users/viewing/end")
    assert answer.location == f"/admin/users/{ayu.user_id}"
    assert BANNER not in viewer.get("/dashboard/").text
    assert viewer.get("/profile").status_code == 200
    assert viewer.post("/admin/users/viewing/end").status_code == 303
    (note,) = noted("user.view_ended")
    assert (note.actor_id, note.subject_id, note.facts["by"]) == (dewi.user_id, str(ayu.user_id), "administrator")


def test_it_ends_after_half_an_hour_and_says_so(viewer, ayu):
    began = clock.now()
    clock.advance(timedelta(minutes=29, seconds=59))
    assert BANNER in viewer.get("/dashboard/").text
    clock.advance(timedelta(seconds=2))
    page = viewer.get("/dashboard/").text
    assert "Hello, Dewi" in page
    assert "You no longer view as somebody else" in page
    viewer.get("/dashboard/")
    (note,) = noted("user.view_ended")
    assert (note.happened_at, note.facts["by"]) == (began + timedelta(minutes=30), "time")


def test_a_write_after_the_time_is_up_is_the_administrators_own(viewer, ayu):
    clock.advance(timedelta(minutes=31))
    form = {"name": "Dewi A", "phone": "", "language": "en"}
    assert viewer.post("/profile", data=form).status_code == 303
    assert db.session().get_one(type(ayu.user), ayu.user_id, populate_existing=True).name == "Ayu Lestari"


def test_it_ends_with_the_session(viewer, ayu, dewi):
    viewer.post("/sign-out")
    assert len(noted("user.view_ended")) == 1
    assert BANNER not in sign_in(viewer, dewi.email).get("/dashboard/").text
    assert db.session().query(UserSession).filter(UserSession.views_until.is_not(None)).count() == 0


def test_another_administrator_is_never_viewed(client, ayu, dewi):
    other, _ = register_person("Eko Prasetyo", "eko@example.com", administrator=True)
    admin = sign_in(client, dewi.email)
    for user_id in (other.id, dewi.user_id):
        assert admin.post(f"/admin/users/{user_id}/viewing").status_code == 409
    assert noted("user.view_started") == []


def test_who_becomes_an_administrator_is_no_longer_viewed(viewer, ayu):
    with transaction() as session:
        session.get_one(type(ayu.user), ayu.user_id, populate_existing=True).role = "ADMINISTRATOR"
    assert "Hello, Dewi" in viewer.get("/dashboard/").text


def test_who_is_no_longer_an_administrator_no_longer_views(viewer, dewi):
    with transaction() as session:
        session.get_one(type(dewi.user), dewi.user_id, populate_existing=True).role = "USER"
    assert "Hello, Dewi" in viewer.get("/dashboard/").text


def test_a_customer_cannot_view_anybody(client, ayu, budi):
    browser = sign_in(client, budi.email)
    assert browser.post(f"/admin/users/{ayu.user_id}/viewing").status_code == 404
    assert browser.post("/admin/users/viewing/end").status_code == 404


def test_another_view_ends_the_one_before(viewer, ayu, budi):
    viewer.post(f"/admin/users/{budi.user_id}/viewing")
    assert "Hello, Budi" in viewer.get("/dashboard/").text
    assert [note.subject_id for note in noted("user.view_ended")] == [str(ayu.user_id)]


def test_half_a_view_cannot_be_stored(portal, ayu, dewi, client):
    sign_in(client, dewi.email)
    with pytest.raises(IntegrityError, match="ck_user_session_views"), transaction() as session:
        session.execute(sa.update(UserSession).values(views_until=clock.now()))
