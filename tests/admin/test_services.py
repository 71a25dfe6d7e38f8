"""Services, plans and prices as an operator edits them: who may, what customers see, whom a price reaches."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.audit.models import AuditEntry
from portal.catalog import actions as catalog
from portal.catalog.models import Category, Plan, PlanPrice, Service
from portal.catalog.template_files import load_categories
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage
from portal.subscriptions.models import Subscription
from tests.books_audit import assert_books_are_clean
from tests.conftest import run_due_work
from tests.personas import sign_in
from tests.queries import counted
from tests.subscriptions.line import told as codes
from tests.subscriptions.shop import buy, credit, plan_of, stock_catalog, templates

pytest_plugins = ["tests.personas"]
BASE = "/admin/services"
PLAN = f"{BASE}/n8n/plans/BASIC"
LIST_MAX = 6
SERVICE = {
    "name": "n8n cloud", "description_en": "Flows", "description_id": "Alur", "long_description_en": "Long",
    "long_description_id": "Panjang", "documentation_url": "https://docs.n8n.io", "tags": "flows, AI, bad tag!",
    "sort_order": "3", "featured": "y",
}  # fmt: skip
FREE = {
    "tier": "FREE", "name": "Starter", "sort_order": "9", "cpu_millicores": "250", "memory_mib": "512",
    "storage_gib": "1", "bandwidth_gib": "10", "max_instances": "1", "max_domains": "0", "trial_days": "0",
    "setup_fee": "0", "features": "One flow | Satu alur\nSupport", "monthly_price": "0", "yearly_price": "",
    "slots_total": "5",
}  # fmt: skip


@pytest.fixture
def admin(client, dewi):
    stock_catalog()
    return sign_in(client, dewi.email)


def acts(action: str) -> list[AuditEntry]:
    db.session.rollback()
    return db.session().query(AuditEntry).filter_by(action=action).order_by(AuditEntry.id).all()


def fresh(model, *conditions):
    db.session.rollback()
    return db.session().scalar(sa.select(model).where(*conditions).execution_options(populate_existing=True))


def the_plan() -> Plan:
    return fresh(Plan, Plan.id == plan_of("n8n"))


def sync() -> None:
    with transaction() as session:
        catalog.sync(session, templates(), load_categories(), now=clock.now())


GETS = [
    f"{BASE}/",
    f"{BASE}/new",
    f"{BASE}/categories",
    f"{BASE}/n8n",
    f"{BASE}/n8n/edit",
    f"{BASE}/n8n/plans/new",
    PLAN,
]
POSTS = [
    f"{BASE}/new", f"{BASE}/categories", f"{BASE}/categories/automation", f"{BASE}/n8n/edit", f"{BASE}/n8n/sale",
    f"{BASE}/n8n/plans/new", PLAN, f"{PLAN}/sale", f"{PLAN}/prices", f"{PLAN}/prices/MONTHLY/withdrawal",
]  # fmt: skip


def test_only_an_administrator_knows_it_is_there(client, ayu, dewi):
    stock_catalog()
    for status, person in ((303, None), (404, ayu), (200, dewi)):
        if person:
            client.post("/sign-out")
            sign_in(client, person.email)
        assert {client.get(one).status_code for one in GETS} == {status}
        if person is not dewi:
            assert {client.post(one).status_code for one in POSTS} == {status}


def test_the_list_is_filtered_sorted_and_a_file(admin):
    assert names_in_list(admin, "") == ["Ghost", "linkding", "Memos", "n8n"]
    assert names_in_list(admin, "?search=FLOW") == ["n8n"]
    assert names_in_list(admin, "?search=%25") == []
    assert names_in_list(admin, "?category=publishing") == ["Ghost"]
    assert names_in_list(admin, "?active=no") == []
    assert names_in_list(admin, "?order=-name&category=nonsense") == ["n8n", "Memos", "linkding", "Ghost"]
    assert names_in_list(admin, "?search=%00") == ["Ghost", "linkding", "Memos", "n8n"]
    assert "is-invalid" not in admin.get(f"{BASE}/").text + admin.get(f"{BASE}/?search=x").text
    with counted() as queries:
        admin.get(f"{BASE}/")
    assert len(queries) <= LIST_MAX
    assert "n8n,n8n,Automation,True,4" in admin.get(f"{BASE}/?format=csv").text


def names_in_list(admin, arguments: str) -> list[str]:
    return re.findall(r'height="48">\s*([^<]+?)\s*</a>', admin.get(f"{BASE}/{arguments}").text)


def test_texts_are_edited_at_once_and_stay_the_operators(admin, client):
    category = str(fresh(Category, Category.slug == "security").id)
    for _ in range(2):
        assert admin.post(f"{BASE}/n8n/edit", data=SERVICE | {"category": category}).status_code == 303
    service = fresh(Service, Service.slug == "n8n")
    assert (service.name, service.tags, str(service.category_id)) == ("n8n cloud", ["flows", "ai", "bad"], category)
    assert len(acts("service.edited")) == 1
    assert "n8n cloud" in admin.get("/catalog/").text
    changed = templates()["n8n"].model_copy(update={"version": "9.9.9", "name": "from the file"})
    with transaction() as session:
        catalog.sync(session, templates() | {"n8n": changed}, load_categories(), now=clock.now())
    service = fresh(Service, Service.slug == "n8n")
    assert (service.name, service.version) == ("n8n cloud", "9.9.9")


@pytest.mark.parametrize("wrong", [
    {"name": ""}, {"name": "x" * 101}, {"category": "nonsense"}, {"sort_order": "-1"}, {"sort_order": "9" * 30},
    {"documentation_url": "javascript:alert(1)"}, {"description_en": "\x00"},
])  # fmt: skip
def test_a_service_that_makes_no_sense_is_not_saved(admin, wrong):
    category = str(fresh(Category, Category.slug == "security").id)
    assert admin.post(f"{BASE}/n8n/edit", data=SERVICE | {"category": category} | wrong).status_code == 422
    assert fresh(Service, Service.slug == "n8n").edited_at is None


def test_a_service_is_switched_off_and_a_deploy_leaves_it_so(admin, client):
    admin.post(f"{BASE}/n8n/sale", data={"active": "no"})
    admin.post(f"{BASE}/n8n/sale", data={"active": "no"})
    assert client.get("/catalog/n8n").status_code == 404
    sync()
    assert not fresh(Service, Service.slug == "n8n").active
    admin.post(f"{BASE}/n8n/sale", data={"active": "yes"})
    assert client.get("/catalog/n8n").status_code == 200
    assert (len(acts("service.switched_off")), len(acts("service.switched_on"))) == (1, 1)
    for tier in ("BASIC", "PRO", "PREMIUM", "ENTERPRISE"):
        admin.post(f"{BASE}/n8n/plans/{tier}/sale", data={"active": "no"})
    admin.post(f"{BASE}/n8n/sale", data={"active": "no"})
    assert admin.post(f"{BASE}/n8n/sale", data={"active": "yes"}).status_code == 409


def test_a_template_whose_file_went_is_sold_again_when_it_is_back(admin):
    with transaction() as session:
        left = {slug: one for slug, one in templates().items() if slug != "n8n"}
        assert catalog.sync(session, left, load_categories(), now=clock.now()).withdrawn == ["n8n"]
    sync()
    assert fresh(Service, Service.slug == "n8n").active


def test_an_app_is_put_into_the_catalog_and_not_sold_yet(admin, client):
    category = str(fresh(Category, Category.slug == "analytics").id)
    page = admin.get(f"{BASE}/new").text
    assert 'value="umami"' in page
    assert 'value="n8n"' not in page
    form = {"template": "umami", "category": category}
    assert admin.post(f"{BASE}/new", data=form).location.endswith("/admin/services/umami")
    assert client.get("/catalog/umami").status_code == 404
    assert admin.post(f"{BASE}/new", data=form).status_code == 409
    assert admin.post(f"{BASE}/new", data=form | {"template": "nothing"}).status_code == 404
    assert admin.post(f"{BASE}/new", data=form | {"category": "x"}).status_code == 404
    admin.post(f"{BASE}/umami/sale", data={"active": "yes"})
    assert client.get("/catalog/umami").status_code == 200


def test_categories_are_added_renamed_and_removed_when_empty(admin):
    form = {"slug": "games", "name_en": "Games", "name_id": "Permainan"}
    assert admin.post(f"{BASE}/categories", data=form).status_code == 303
    assert admin.post(f"{BASE}/categories", data=form).status_code == 409
    assert admin.post(f"{BASE}/categories", data=form | {"slug": "Not A Slug"}).status_code == 422
    admin.post(f"{BASE}/categories/automation", data={"name_en": "Flows", "name_id": "Alur", "sort_order": "7"})
    sync()
    assert fresh(Category, Category.slug == "automation").name == {"en": "Flows", "id": "Alur"}
    assert admin.post(f"{BASE}/categories/automation", data={"remove": "yes"}).status_code == 409
    assert admin.post(f"{BASE}/categories/analytics", data={"remove": "yes"}).status_code == 409  # a template names it
    assert admin.post(f"{BASE}/categories/games", data={"remove": "yes"}).status_code == 303
    assert admin.post(f"{BASE}/categories/games", data={"remove": "yes"}).status_code == 404
    assert [one.subject_id for one in acts("category.removed")] == ["games"]


def test_a_plan_is_added_and_sold(admin, client):
    assert admin.post(f"{BASE}/n8n/plans/new", data=FREE).status_code == 303
    page = client.get("/catalog/n8n", headers={"Accept-Language": "en"}).text
    assert "Starter" in page
    assert "One flow" in page
    plan = fresh(Plan, Plan.plan_type == "FREE", Plan.name == "Starter")
    assert plan.features == [{"en": "One flow", "id": "Satu alur"}, {"en": "Support", "id": "Support"}]
    assert acts("plan.added")[0].facts["after"]["prices"] == {"MONTHLY": 0}
    assert admin.post(f"{BASE}/n8n/plans/new", data=FREE).status_code == 422  # the tier is no longer offered


@pytest.mark.parametrize("wrong", [
    {"memory_mib": "511"}, {"cpu_millicores": "0"}, {"slots_total": "-1"}, {"monthly_price": "1.5"},
    {"monthly_price": "99999999999999999999"}, {"trial_days": "91"}, {"tier": "GOLD"}, {"name": "\x00"},
])  # fmt: skip
def test_a_plan_that_makes_no_sense_is_not_added(admin, wrong):
    before = db.session().scalar(sa.select(sa.func.count()).select_from(Plan))
    assert admin.post(f"{BASE}/n8n/plans/new", data=FREE | wrong).status_code == 422
    db.session.rollback()
    assert db.session().scalar(sa.select(sa.func.count()).select_from(Plan)) == before


def test_a_changed_size_counts_for_purchases_and_running_apps_keep_theirs(admin, ayu):
    from portal.instances.models import Instance

    credit(ayu.customer_id, 100_000)
    buy(ayu.customer_id, plan_of("n8n"))
    run_due_work(without=("instances.provision",))
    queued = db.session().scalar(sa.select(sa.func.count()).select_from(OutboxMessage))
    form = {name: value for name, value in FREE.items() if name not in ("tier", "monthly_price", "slots_total")}
    assert admin.post(PLAN, data=form | {"name": "Basic", "memory_mib": "1024"}).status_code == 303
    assert the_plan().memory_mib == 1024
    assert fresh(Instance, Instance.customer_id == ayu.customer_id).memory_mib == 768
    assert db.session().scalar(sa.select(sa.func.count()).select_from(OutboxMessage)) == queued
    assert "1 of them has another size" in admin.get(PLAN).text
    assert acts("plan.edited")[0].facts["before"]["memory_mib"] == 768
    assert admin.post(PLAN, data=form | {"memory_mib": "511"}).status_code == 422
    assert_books_are_clean()


def test_a_new_price_is_shown_first_then_set_and_announced_once(admin, ayu):
    customer = ayu.customer_id
    credit(customer, 100_000)
    subscription_id = buy(customer, plan_of("n8n")).id
    form = {"interval": "MONTHLY", "amount": "30000"}
    page = admin.post(f"{PLAN}/prices", data=form).text
    assert "1 subscription becomes dearer" in page
    assert "10 Apr 2026" in page  # the first renewal after thirty days from 10 March
    assert the_plan().slots_total == 40
    assert price() == 25_000
    for _ in range(2):
        assert admin.post(f"{PLAN}/prices", data=form | {"confirmed": "yes"}).status_code == 303
    run_due_work(without=("instances.provision",))
    assert price() == 30_000
    row = fresh(Subscription, Subscription.id == subscription_id)
    assert (row.price, row.next_price, row.next_price_from) == (25_000, 30_000, clock.now() + timedelta(days=30))
    assert codes(customer).count("price_announced") == 1
    notes = acts("catalog.price_changed")
    assert [(note.facts["before"], note.facts["after"]) for note in notes] == [({"amount": 25_000}, {"amount": 30_000})]
    assert (
        "what was announced to them before does not come"
        in admin.post(f"{PLAN}/prices", data=form | {"amount": "25000"}).text
    )
    assert_books_are_clean()


def price() -> int:
    return fresh(PlanPrice.amount, PlanPrice.plan_id == plan_of("n8n"), PlanPrice.interval == "MONTHLY")


@pytest.mark.parametrize("wrong", [{"amount": "-1"}, {"amount": "x"}, {"amount": "1" * 40}, {"interval": "DAILY"}])
def test_a_price_that_makes_no_sense_is_not_set(admin, wrong):
    form = {"interval": "MONTHLY", "amount": "30000", "confirmed": "yes"} | wrong
    assert admin.post(f"{PLAN}/prices", data=form).status_code == 303
    assert price() == 25_000


def test_a_price_is_withdrawn_and_who_pays_it_goes_on(admin, ayu, client):
    credit(ayu.customer_id, 300_000)
    buy(ayu.customer_id, plan_of("n8n"), "YEARLY")
    admin.post(f"{PLAN}/prices/YEARLY/withdrawal")
    admin.post(f"{PLAN}/prices/YEARLY/withdrawal")
    assert "Not sold for this period" in client.get("/catalog/n8n?interval=YEARLY").text
    assert len(acts("catalog.price_changed")) == 1
    assert fresh(Subscription, Subscription.customer_id == ayu.customer_id).next_price is None
    assert_books_are_clean()


def test_what_an_operator_writes_is_never_run(admin, client):
    category = str(fresh(Category, Category.slug == "security").id)
    hostile = SERVICE | {"category": category, "name": "<script>x</script>", "description_en": '"><img src=x>'}
    admin.post(f"{BASE}/n8n/edit", data=hostile)
    for address in (f"{BASE}/", f"{BASE}/n8n", "/catalog/", "/catalog/n8n"):
        page = admin.get(address).text
        assert "<script>x" not in page
        assert "<img src=x>" not in page
