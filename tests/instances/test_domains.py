"""Domains of customers against a real name server and a real cluster's API: proved, published, lost, taken over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
import urllib3

from config import settings
from jobs import domains as jobs
from jobs import runner
from portal.accounts.models import Customer
from portal.catalog.models import Plan
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.outbox import OutboxMessage
from portal.instances import actions, gateway
from portal.instances.errors import BadHost, CannotConfigure, DomainNotFound, DomainThere, TooManyDomains
from portal.instances.models import DomainStatus, InstanceDomain
from portal.instances.variables import Change, revision
from portal.notices.models import Notice
from portal.provisioning.manifests import certificate_secret_name
from portal.subscriptions import actions as subscriptions
from sandbox.names import NameServer
from tests.instances.world import again, timeline
from tests.personas import sign_in

HOST = "blog.example.org"


@pytest.fixture(scope="session")
def name_server() -> Iterator[NameServer]:
    with NameServer() as server:
        yield server


@pytest.fixture
def names(name_server, cluster_settings, monkeypatch) -> NameServer:
    name_server.clear()
    monkeypatch.setenv("DNS_RESOLVERS", name_server.place)
    monkeypatch.setenv("DNS_TIMEOUT_S", "0.5")
    settings.cache_clear()
    return name_server


@pytest.fixture
def running(world, names, ayu):
    return world.buy_running(ayu.customer)


def add(instance, host=HOST, most=5):
    with transaction() as session:
        return actions.add_domain(session, instance.id, host, domains_max=most, now=clock.now()).id


def fresh(domain_id) -> InstanceDomain | None:
    db.session.rollback()
    found = db.session().get(InstanceDomain, domain_id, populate_existing=True)
    if found is not None:
        db.session.expunge(found)
    db.session.rollback()
    return found


def budis():
    """Budi's customer, read anew: buying for Ayu ended the session he was made in."""
    return db.session().scalars(sa.select(Customer).where(Customer.billing_email == "budi@example.com")).one()


def app_host(instance):
    return f"{instance.name}.apps.test"


def set_records(names, instance, domain_id, *, host=HOST):
    names.put(f"_minispod-challenge.{host}", "TXT", fresh(domain_id).token)
    names.put(host, "CNAME", app_host(instance))


def run(*jobs_named):
    """Runs what is due of `jobs.domains` and of the apps' own work, until nothing is."""
    for _ in range(100):
        db.session.rollback()
        due = sa.select(OutboxMessage.id).where(
            sa.or_(OutboxMessage.name.startswith("domains."), OutboxMessage.name.startswith("instances.")),
            OutboxMessage.done_at.is_(None),
            OutboxMessage.failed_at.is_(None),
            OutboxMessage.run_at <= clock.now(),
        )
        found = db.session().scalar(due.order_by(OutboxMessage.run_at, OutboxMessage.id).limit(1))
        db.session.rollback()
        if found is None:
            return
        runner.perform(str(found))
    raise AssertionError("the work never ends")


def look(domain_id):
    jobs.check(str(domain_id))
    run()


def proved(names, instance, host=HOST):
    domain_id = add(instance, host)
    set_records(names, instance, domain_id, host=host)
    look(domain_id)
    assert fresh(domain_id).status == "VERIFIED"
    return domain_id


def ingress(world, instance):
    found = world.cluster.objects(namespace=instance.namespace)
    return next(one for one in found if one["kind"] == "Ingress" and one["metadata"]["name"] == instance.name)["spec"]


def hosts(world, instance):
    return [rule["host"] for rule in ingress(world, instance)["rules"]]


def told(code):
    db.session.rollback()
    return db.session().scalar(sa.select(sa.func.count()).where(Notice.code == code))


# From the wish to the certificate


def test_a_proved_domain_is_served_without_a_restart(world, running, names):
    pods = [one for one in world.labelled(running) if one.startswith("Pod/")]
    domain_id = add(running)
    look(domain_id)
    assert (fresh(domain_id).status, fresh(domain_id).failure_code) == ("PENDING", "proof_missing")
    set_records(names, running, domain_id)
    look(domain_id)
    domain = fresh(domain_id)
    assert (domain.status, domain.failure_code, domain.verified_at) == ("VERIFIED", None, clock.now())
    assert hosts(world, running) == [app_host(running), HOST]
    assert [one for one in world.labelled(running) if one.startswith("Pod/")] == pods
    assert timeline(running)[-2:] == ["domain_added", "domain_verified"]
    assert told("domain_verified") == 1
    answer = urllib3.request("GET", f"http://{world.dial}/", headers={"Host": HOST})
    assert answer.status == 200
    look(domain_id)
    assert told("domain_verified") == 1


def test_over_https_each_domain_has_its_own_certificate(world, running, names, monkeypatch):
    monkeypatch.setenv("APPS_PUBLIC_SCHEME", "https")
    settings.cache_clear()
    proved(names, running)
    assert ingress(world, running)["tls"][1] == {
        "hosts": [HOST], "secretName": certificate_secret_name(running.name, HOST),
    }  # fmt: skip


def test_a_bare_domain_may_lead_to_the_address_of_the_app(world, running, names):
    domain_id = add(running, "example.org")
    names.put("_minispod-challenge.example.org", "TXT", "v=spf1 -all", fresh(domain_id).token)
    names.put("example.org", "A", "192.0.2.9")
    names.put(app_host(running), "A", "192.0.2.7")
    look(domain_id)
    assert (fresh(domain_id).failure_code, fresh(domain_id).failure_parameters) == (
        "points_elsewhere", {"found": "192.0.2.9"},
    )  # fmt: skip
    names.put("example.org", "A", "192.0.2.7")
    look(domain_id)
    assert fresh(domain_id).status == "VERIFIED"


def test_the_operators_own_addresses_count_too(world, running, names, monkeypatch):
    monkeypatch.setenv("DOMAINS_ADDRESSES", "192.0.2.44, 2001:db8::44")
    settings.cache_clear()
    domain_id = add(running, "example.org")
    names.put("_minispod-challenge.example.org", "TXT", fresh(domain_id).token)
    names.put("example.org", "AAAA", "2001:db8::44")
    look(domain_id)
    assert fresh(domain_id).status == "VERIFIED"


@pytest.mark.parametrize("fault", ["silent", "servfail", "refused", "garbage"])
def test_a_name_server_that_fails_says_nothing(world, running, names, fault):
    domain_id = proved(names, running)
    names.break_name(f"_minispod-challenge.{HOST}", fault)
    assert gateway.look_up(HOST, app_host=app_host(running)).unknown
    clock.advance(timedelta(days=10))
    look(domain_id)
    assert (fresh(domain_id).status, fresh(domain_id).missing_since) == ("VERIFIED", None)
    other = add(running, "shop.example.org")
    names.break_name("_minispod-challenge.shop.example.org", fault)
    look(other)
    assert (fresh(other).status, fresh(other).failure_code) == ("PENDING", "no_answer")


def test_variables_and_domains_are_no_drift(portal, world, running, names):
    change = Change("KEY", "value", secret=True)
    with transaction() as session:
        actions.save_variables(session, running.id, [change], revision=revision({}), now=clock.now())
    world.play()
    proved(names, running)
    clock.advance(timedelta(hours=1))
    told = portal.test_cli_runner().invoke(args=["instances", "drift"])
    assert (told.exit_code, told.output) == (0, "1 apps, 0 differences, 0 repairs queued\n")


# Looks by the clock


def looks_within(period, domain_id):
    """How often the schedule of every ten minutes looks at the domain."""
    seen, end = 0, clock.now() + period
    while clock.now() < end:
        clock.advance(timedelta(minutes=10))
        seen += jobs.check_due() == "1 queued"
        run()
    return seen


def test_looks_are_eager_for_three_days_then_daily(world, running, names):
    domain_id = add(running)
    assert looks_within(timedelta(hours=2), domain_id) == 12
    clock.advance(timedelta(days=3))
    assert looks_within(timedelta(days=1, hours=1), domain_id) == 2


def test_who_never_proves_it_is_no_longer_asked_after_a_month(world, running, names):
    domain_id = add(running)
    clock.advance(timedelta(days=31))
    assert jobs.check_due() == "1 queued"
    run()
    assert (fresh(domain_id).status, fresh(domain_id).next_check_at) == ("FAILED", None)
    set_records(names, running, domain_id)
    look(domain_id)
    assert fresh(domain_id).status == "VERIFIED", "asking by hand still helps"


def test_two_schedulers_queue_one_look(world, running, names):
    add(running)
    clock.advance(timedelta(minutes=10))
    assert (jobs.check_due(), jobs.check_due()) == ("1 queued", "0 queued")


# Lost, taken over, removed


def test_records_that_go_are_told_after_an_hour_and_end_it_after_three_days(world, running, names):
    domain_id = proved(names, running)
    names.put(f"_minispod-challenge.{HOST}", "TXT")
    look(domain_id)
    assert fresh(domain_id).missing_since == clock.now()
    assert told("domain_missing") == 0, "perhaps a hiccup"
    clock.advance(timedelta(hours=1))
    look(domain_id)
    look(domain_id)
    assert told("domain_missing") == 1
    assert HOST in hosts(world, running)
    clock.advance(timedelta(days=3))
    look(domain_id)
    assert (fresh(domain_id).status, fresh(domain_id).failure_code) == ("FAILED", "proof_missing")
    assert hosts(world, running) == [app_host(running)]
    assert (told("domain_missing"), told("domain_lost")) == (1, 1)
    set_records(names, running, domain_id)
    look(domain_id)
    assert HOST in hosts(world, running)


def test_records_that_come_back_in_time_change_nothing(world, running, names):
    domain_id = proved(names, running)
    names.put(HOST, "CNAME", "elsewhere.example.net")
    look(domain_id)
    clock.advance(timedelta(days=2))
    names.put(HOST, "CNAME", app_host(running))
    look(domain_id)
    assert (fresh(domain_id).missing_since, fresh(domain_id).failure_code) == (None, None)
    clock.advance(timedelta(days=2))
    look(domain_id)
    assert fresh(domain_id).status == "VERIFIED"


def test_who_proves_a_host_takes_it_over(world, running, names, budi):
    mine = proved(names, running)
    theirs = world.buy_running(budis())
    claim = add(theirs)
    look(claim)
    assert (fresh(mine).status, fresh(claim).failure_code) == ("VERIFIED", "proof_wrong"), "to ask is not to have"
    set_records(names, theirs, claim)
    look(claim)
    assert (fresh(mine).status, fresh(mine).failure_code) == ("FAILED", "taken_over")
    assert fresh(claim).status == "VERIFIED"
    assert HOST not in hosts(world, running)
    assert HOST in hosts(world, theirs)
    assert told("domain_taken_over") == 1


def test_while_both_proofs_stand_the_first_one_keeps_it(world, running, names, budi):
    mine = proved(names, running)
    theirs = world.buy_running(budis())
    claim = add(theirs)
    names.put(f"_minispod-challenge.{HOST}", "TXT", fresh(mine).token, fresh(claim).token)
    names.put(HOST, "CNAME", app_host(theirs))
    look(claim)
    assert (fresh(claim).status, fresh(claim).failure_code) == ("PENDING", "in_use")
    assert fresh(mine).status == "VERIFIED"


def test_a_host_belongs_to_one_row_whatever_happens(world, running, names, budi):
    proved(names, running)
    theirs = world.buy_running(budis())
    claim = add(theirs)
    statement = sa.update(InstanceDomain).where(InstanceDomain.id == claim).values(status=DomainStatus.VERIFIED)
    with pytest.raises(sa.exc.IntegrityError), transaction() as session:
        session.execute(statement)


def test_removing_takes_the_rule_and_the_certificate_and_frees_the_host(world, running, names, budi):
    domain_id = proved(names, running)
    with transaction() as session:
        actions.remove_domain(session, running.id, domain_id, now=clock.now())
    run()
    assert hosts(world, running) == [app_host(running)]
    deleted = [line["path"] for line in world.cluster.journal if line["method"] == "DELETE"]
    assert any(certificate_secret_name(running.name, HOST) in path for path in deleted)
    proved(names, world.buy_running(budis()))


def test_deleting_the_app_frees_its_domains_and_deletes_their_certificates(world, running, names, budi):
    domain_id = proved(names, running)
    with transaction() as session:
        subscriptions.delete_instance(session, running.id, now=clock.now())
    assert (fresh(domain_id).status, fresh(domain_id).failure_code) == ("FAILED", "app_deleted")
    world.play()
    deleted = [line["path"] for line in world.cluster.journal if line["method"] == "DELETE"]
    assert any(certificate_secret_name(running.name, HOST) in path for path in deleted)
    assert world.labelled(running) == []
    look(domain_id)
    assert fresh(domain_id).status == "FAILED", "the records still stand, the app does not"
    proved(names, world.buy_running(budis()))


def test_a_cluster_that_does_not_answer_delays_the_domain_and_nothing_else(world, running, names):
    fault = world.cluster.add_fault("error", method="PATCH", path="/ingresses/", status=503)
    domain_id = proved(names, running)
    assert again(running).state == "RUNNING"
    assert hosts(world, running) == [app_host(running)]
    world.cluster.clear_faults(fault.id)
    clock.advance(timedelta(minutes=1))
    run()
    assert HOST in hosts(world, running)
    assert fresh(domain_id).status == "VERIFIED"


def test_a_cluster_that_refuses_the_ingress_is_no_outage(world, running, names):
    world.cluster.add_fault("error", method="PATCH", path="/ingresses/", status=422)
    proved(names, running)
    assert (again(running).state, again(running).failure_code) == ("RUNNING", None)
    assert told("instance_outage") == 0


# What is refused


def test_a_plan_has_room_for_so_many(world, running, names):
    add(running, most=1)
    with pytest.raises(TooManyDomains):
        add(running, "shop.example.org", most=1)
    with pytest.raises(DomainThere):
        add(running, "BLOG.example.org.")
    with pytest.raises(BadHost):
        add(running, f"other.{app_host(running)}")


def test_an_app_that_is_ending_takes_none(world, running, names):
    with transaction() as session:
        actions.fence(session, running.id, now=clock.now())
    with pytest.raises(CannotConfigure):
        add(running)


def test_nobody_removes_anothers_domain(world, running, names, budi):
    domain_id = proved(names, running)
    theirs = world.buy_running(budis())
    with pytest.raises(DomainNotFound), transaction() as session:
        actions.remove_domain(session, theirs.id, domain_id, now=clock.now())
    assert fresh(domain_id).status == "VERIFIED"


# The page


def page_of(instance, *parts):
    return "/".join(["", "instances", str(instance.id), "domains", *map(str, parts)])


def allow(most):
    with transaction() as session:
        session.execute(sa.update(Plan).values(max_domains=most))


def test_only_the_owner_sees_adds_checks_and_removes(world, running, names, citra, client):
    domain_id = add(running)
    writes = [page_of(running), page_of(running, domain_id, "check"), page_of(running, domain_id, "removal")]
    assert [client.post(path, data={"host": "a.example.org"}).status_code for path in writes] == [303] * 3
    sign_in(client, "citra@example.com")
    assert client.get(page_of(running)).status_code == 404
    assert [client.post(path, data={"host": "a.example.org"}).status_code for path in writes] == [404] * 3
    assert fresh(domain_id).status == "PENDING"


def test_the_page_shows_the_records_checks_now_and_says_what_is_missing(world, running, names, client):
    mine = sign_in(client, "ayu@example.com")
    allow(1)
    assert mine.post(page_of(running), data={"host": "https://Blog.Example.org/"}).status_code == 303
    db.session.rollback()
    domain_id = db.session().scalar(sa.select(InstanceDomain.id))
    html = mine.get(page_of(running)).get_data(as_text=True)
    for text in (HOST, f"_minispod-challenge.{HOST}", fresh(domain_id).token, app_host(running)):
        assert f'data-copy="{text}"' in html
    assert "Your plan has room for 1 domain." in html
    region = mine.post(page_of(running, domain_id, "check"), headers={"HX-Request": "true"}).get_data(as_text=True)
    assert "The TXT record is not there yet." in region
    assert "<html" not in region
    set_records(names, running, domain_id)
    assert mine.post(page_of(running, domain_id, "check")).status_code == 303
    assert "Leads to the app" in mine.get(page_of(running)).get_data(as_text=True)
    assert mine.post(page_of(running, domain_id, "removal")).status_code == 303
    assert fresh(domain_id) is None


@pytest.mark.parametrize(
    "host, words",
    [("", "Fill this in."), ("co.id", "anybody can have a domain"), ("<b>", "This is not a domain.")],
)
def test_a_host_that_cannot_be_is_refused_beside_its_field(world, running, names, client, host, words):
    mine = sign_in(client, "ayu@example.com")
    answer = mine.post(page_of(running), data={"host": host})
    assert answer.status_code == 422
    assert words in answer.get_data(as_text=True)


def test_a_plan_without_room_refuses_the_form_too(world, running, names, client):
    allow(0)
    mine = sign_in(client, "ayu@example.com")
    assert mine.post(page_of(running), data={"host": HOST}).status_code == 409
    assert "Your plan has no domains" in mine.get(page_of(running)).get_data(as_text=True)
