"""Another version of an app: offered, agreed to, rolled out, and taken back when it does not come up."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.catalog.template_files import load_app_templates
from portal.core import clock
from portal.core.db import db, transaction
from portal.core.outbox import LEASE
from portal.instances import actions, apps, versions
from portal.instances.errors import CannotUpdate, UpdateChanged, UpdateNeedsHelp
from portal.instances.models import Instance
from portal.notices.models import Notice
from portal.subscriptions import actions as subscriptions
from portal.wallet import queries as wallet
from tests.instances.test_killed import AFTER, BEFORE, kill_worker_at, patient  # noqa: F401 - a fixture
from tests.instances.world import CREDIT, PRICE, again, run_instance_work, timeline
from tests.personas import sign_in

SHIPPED = load_app_templates()
HTMX = {"HX-Request": "true"}


def changed(slug, version, *, updates_from=(), **tags):
    """The shipped template in another version: `tags` give containers another image."""
    template = SHIPPED[slug]
    containers = [c.model_copy(update={"image": tags.get(c.name, c.image)}) for c in template.containers]
    return template.model_copy(
        update={"version": version, "containers": tuple(containers), "updates_from": tuple(updates_from)}
    )


@pytest.fixture
def edit(monkeypatch):
    """As if the operator had installed another version of an app's file."""

    def edit(template):
        monkeypatch.setattr(apps, "app_templates", lambda _session: SHIPPED | {template.slug: template})

    return edit


NEXT = changed("n8n", "2.36.0", n8n="n8nio/n8n:2.36.0")


@pytest.fixture
def running(world, ayu):
    return world.buy_running(ayu.customer)


@contextmanager
def refused(error):
    with pytest.raises(error), transaction() as session:
        yield session


def update(instance, version="2.36.0"):
    with transaction() as session:
        actions.update(session, instance.id, version=version, now=clock.now())


def told(code):
    db.session.rollback()
    return db.session().scalar(sa.select(sa.func.count()).where(Notice.code == code))


def image(world, instance):
    return world.deployment(instance)["spec"]["template"]["spec"]["containers"][0]["image"]


# The offer, without a database


def sold(slug="n8n", version=None, **images):
    template = SHIPPED[slug]
    return Instance(version=version or template.version, images={c.name: c.image for c in template.containers} | images)


def test_the_version_that_runs_is_not_offered():
    assert versions.next_update(sold(), SHIPPED["n8n"]) is None


def test_an_older_file_is_not_offered():
    assert versions.next_update(sold(), changed("n8n", "2.9.99", n8n="n8nio/n8n:2.9.99")) is None


def test_a_newer_version_is_offered_by_number_not_by_letter():
    update = versions.next_update(sold(version="2.9.1", n8n="n8nio/n8n:2.9.1"), SHIPPED["n8n"])
    assert (update.version, update.obstacle) == (SHIPPED["n8n"].version, "")


def test_fresh_images_of_the_same_version_are_offered():
    template = changed("wordpress", SHIPPED["wordpress"].version, mariadb="mariadb:11.8.9")
    assert versions.next_update(sold("wordpress"), template).obstacle == ""


@pytest.mark.parametrize("database", ["mariadb:12.1.2", "mysql:11.8.8", "mariadb:v12"])
def test_another_major_version_of_a_database_is_no_click(database):
    template = changed("wordpress", "7.2.0", mariadb=database, wordpress="wordpress:7.2.0-php8.3-apache")
    assert versions.next_update(sold("wordpress"), template).obstacle == "database"


@pytest.mark.parametrize("runs, obstacle", [("33.0.9", ""), ("34.0.2", ""), ("32.0.1", "step"), ("3.3", "step")])
def test_an_app_that_skips_no_version_says_so(runs, obstacle):
    template = changed("n8n", "34.0.3", updates_from=["33", "34"], n8n="n8nio/n8n:34.0.3")
    assert versions.next_update(sold(version=runs), template).obstacle == obstacle


# The roll-out


def test_a_changed_template_never_changes_what_runs(world, running, edit):
    before = image(world, running)
    edit(NEXT)
    with transaction() as session:
        actions.restart(session, running.id, now=clock.now())
    world.play()
    assert image(world, running) == before
    assert again(running).version == SHIPPED["n8n"].version


def test_an_update_runs_the_new_image_and_tells_once(world, running, edit):
    edit(NEXT)
    claims = [one for one in world.labelled(running) if one.startswith("PersistentVolumeClaim/")]
    update(running)
    assert again(running).update_from_version == SHIPPED["n8n"].version
    world.play()
    after = again(running)
    assert (after.state, after.version, after.update_from_version) == ("RUNNING", "2.36.0", None)
    assert after.update_from_images is None
    assert image(world, running) == "n8nio/n8n:2.36.0"
    assert [one for one in world.labelled(running) if one.startswith("PersistentVolumeClaim/")] == claims
    assert timeline(running)[-2:] == ["ready", "updated"]
    assert told("instance_updated") == 1


@pytest.mark.parametrize(
    "fault, reason",
    [("crash-loop", "crash_loop"), ("image-not-found", "image_not_found"), ("never-ready", "not_ready_in_time")],
)
def test_an_update_that_does_not_come_up_is_taken_back(world, running, edit, fault, reason):
    before = image(world, running)
    edit(NEXT)
    world.cluster.add_fault(fault, namespace=running.namespace, image="n8nio/n8n:2.36.0")
    update(running)
    world.play()
    after = again(running)
    assert (after.state, after.version, after.update_from_version) == ("RUNNING", SHIPPED["n8n"].version, None)
    assert image(world, running) == before
    assert timeline(running).count("update_failed") == 1
    assert "outage" not in timeline(running)
    assert (told("instance_update_failed"), told("instance_updated"), told("instance_outage")) == (1, 0, 0)
    notice = db.session().scalars(sa.select(Notice).where(Notice.code == "instance_update_failed")).one()
    assert notice.parameters["reason"] == reason
    assert wallet.available(db.session(), running.customer_id).amount == CREDIT - PRICE, "no refund is involved"


def test_an_old_version_that_fails_as_well_is_an_outage_and_never_goes_round(world, running, edit):
    edit(NEXT)
    fault = world.cluster.add_fault("crash-loop", namespace=running.namespace)
    update(running)
    world.play(for_at_most=timedelta(minutes=20))
    after = again(running)
    assert (after.state, after.version) == ("ERROR", SHIPPED["n8n"].version)
    assert timeline(running).count("update_failed") == 1
    assert (told("instance_update_failed"), told("instance_outage")) == (1, 1)
    world.cluster.clear_faults(fault.id)
    world.play()
    assert again(running).state == "RUNNING"


def test_a_cluster_that_does_not_answer_says_nothing_about_the_update(world, running, edit):
    edit(NEXT)
    update(running)
    run_instance_work()
    fault = world.cluster.add_fault("reset")
    world.play(for_at_most=timedelta(minutes=40))
    assert again(running).update_from_version == SHIPPED["n8n"].version, "nobody knows yet"
    world.cluster.clear_faults(fault.id)
    world.play()
    assert (again(running).state, again(running).version) == ("RUNNING", "2.36.0")


def test_an_update_that_was_stopped_meanwhile_ends_with_the_next_start(world, running, edit):
    edit(NEXT)
    update(running)
    run_instance_work()
    with transaction() as session:
        actions.stop(session, running.id, now=clock.now())
    world.play()
    assert (again(running).state, again(running).update_from_version) == ("STOPPED", SHIPPED["n8n"].version)
    world.cluster.add_fault("crash-loop", namespace=running.namespace, image="n8nio/n8n:2.36.0")
    with transaction() as session:
        actions.start(session, running.id, now=clock.now())
    world.play()
    assert (again(running).state, again(running).version) == ("RUNNING", SHIPPED["n8n"].version)


def test_a_deletion_half_way_leaves_nothing(world, running, edit):
    edit(NEXT)
    update(running)
    run_instance_work()
    with transaction() as session:
        subscriptions.delete_instance(session, running.id, now=clock.now())
    world.play()
    assert world.labelled(running) == []
    assert told("instance_update_failed") == 0


def test_two_updates_at_once_are_one(world, running, edit):
    edit(NEXT)
    update(running)
    with refused(CannotUpdate) as session:
        actions.update(session, running.id, version="2.36.0", now=clock.now())


def test_a_version_that_is_no_longer_offered_is_not_installed(world, running, edit):
    edit(changed("n8n", "2.37.0", n8n="n8nio/n8n:2.37.0"))
    with refused(UpdateChanged) as session:
        actions.update(session, running.id, version="2.36.0", now=clock.now())
    assert again(running).version == SHIPPED["n8n"].version


def test_an_obstacle_is_enforced_too(world, running, edit):
    edit(changed("n8n", "2.36.0", updates_from=["1"], n8n="n8nio/n8n:2.36.0"))
    with refused(UpdateNeedsHelp) as session:
        actions.update(session, running.id, version="2.36.0", now=clock.now())


# A worker killed half-way


@pytest.mark.slow
@pytest.mark.parametrize(
    "job, method, path, after",
    [
        ("instances.provision", "PATCH", "/deployments/", BEFORE),
        ("instances.provision", "PATCH", "/deployments/", AFTER),
        ("instances.check", "GET", "/pods", BEFORE),
    ],
)
@pytest.mark.parametrize("works", [True, False])
def test_a_worker_killed_in_an_update_is_replaced(world, patient, running, edit, job, method, path, after, works):  # noqa: F811
    """The victim reads the shipped template: what it runs is pinned to the app."""
    edit(NEXT)
    if not works:
        world.cluster.add_fault("crash-loop", namespace=running.namespace, image="n8nio/n8n:2.36.0")
    update(running)
    if job == "instances.check":
        run_instance_work()
        world.pass_time(timedelta(seconds=30))
    kill_worker_at(world, job, method=method, path=path, after=after)
    clock.advance(LEASE)
    world.play()
    instance = again(running)
    assert (instance.state, instance.update_from_version) == ("RUNNING", None)
    assert instance.version == ("2.36.0" if works else SHIPPED["n8n"].version)
    assert image(world, running) == f"n8nio/n8n:{instance.version}"
    assert (told("instance_updated"), told("instance_update_failed")) == ((1, 0) if works else (0, 1))


# The operator


def test_an_operator_lists_what_is_behind_and_rolls_some(portal, world, running, edit):
    edit(NEXT)
    listed = portal.test_cli_runner().invoke(args=["instances", "update", "n8n"])
    assert f"{running.name}  {SHIPPED['n8n'].version} to 2.36.0  RUNNING" in listed.output
    assert "1 behind, 0 begun" in listed.output
    assert (
        "1 behind, 1 begun"
        in portal.test_cli_runner().invoke(args=["instances", "update", "n8n", "--roll", "5"]).output
    )
    world.play()
    assert again(running).version == "2.36.0"
    assert "0 behind, 0 begun" in portal.test_cli_runner().invoke(args=["instances", "update", "n8n"]).output


# The page


def page_of(instance):
    return f"/instances/{instance.id}/version"


def test_only_the_owner_sees_and_updates(world, running, edit, citra, client):
    edit(NEXT)
    assert client.get(page_of(running)).status_code == 303
    assert client.post(page_of(running), data={"version": "2.36.0"}).status_code == 303
    sign_in(client, "citra@example.com")
    assert client.get(page_of(running)).status_code == 404
    assert client.post(page_of(running), data={"version": "2.36.0"}).status_code == 404
    assert again(running).version == SHIPPED["n8n"].version


def test_the_page_says_what_happens_and_does_it(world, running, edit, client):
    mine = sign_in(client, "ayu@example.com")
    assert "newest version we offer" in mine.get(page_of(running)).get_data(as_text=True)
    edit(NEXT)
    assert "Update to 2.36.0" in mine.get(f"/instances/{running.id}").get_data(as_text=True)
    html = mine.get(page_of(running)).get_data(as_text=True)
    assert "Its data, passwords, variables and domains stay." in html
    assert SHIPPED["n8n"].documentation in html
    assert mine.post(page_of(running), data={"version": "2.36.0"}).status_code == 303
    assert "is under way" in mine.get(page_of(running)).get_data(as_text=True)
    assert mine.post(page_of(running), data={"version": "2.36.0"}).status_code == 409
    world.play()
    assert "newest version we offer" in mine.get(page_of(running)).get_data(as_text=True)


def test_the_page_says_how_the_last_try_went(world, running, edit, client):
    edit(NEXT)
    world.cluster.add_fault("crash-loop", namespace=running.namespace, image="n8nio/n8n:2.36.0")
    update(running)
    world.play()
    html = sign_in(client, "ayu@example.com").get(page_of(running)).get_data(as_text=True)
    assert "The last update to 2.36.0 did not come up" in html
    assert "It stopped again and again right after its start." in html
    assert "Update now" in html
