"""The pages of apps that run: wanted against actual, one app's story, acts; and never a customer's secret."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from jobs import drift as comparison
from jobs import nodes as job
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions, queries
from portal.instances.errors import CannotStop
from portal.instances.models import InstanceState
from portal.nodes.models import VolumeUse
from tests.instances.conftest import cluster_server, cluster_settings  # noqa: F401 - fixtures
from tests.instances.rounds import neighbours
from tests.instances.test_drift import align, damage
from tests.instances.world import again, timeline
from tests.nodes.conftest import world  # noqa: F401 - a fixture
from tests.personas import sign_in
from tests.queries import counted

pytest_plugins = ["tests.personas"]
LIST_MAX = 10  # who asks, the frame, the rows, their count, orphans, and the four questions about leaks
PAGE_MAX = 8
SECRET = "the-customers-own-secret"


@pytest.fixture
def mine(world, ayu):  # noqa: F811
    instance = world.buy_running(ayu.customer)
    job.sync()
    return instance


@pytest.fixture
def admin(client, dewi, mine):
    return sign_in(client, "dewi@example.com")


def names_in(page):
    return re.findall(r'<td class="cell-title"><a href="/admin/instances/[^"]+">([^<]+)', page)


def acts():
    """What the audit log says of apps, oldest first."""
    statement = sa.select(AuditEntry).where(AuditEntry.subject_kind == "instance").order_by(AuditEntry.id)
    return db.session().scalars(statement).all()


def test_only_an_administrator_knows_it_is_there(client, mine, dewi):
    reads = [f"/admin/instances/{path}" for path in ("", str(mine.id), f"{mine.id}/cluster")]
    writes = [f"/admin/instances/{mine.id}/{act}" for act in ("reconcile", "restart-now", "begin-maintenance", "log")]
    assert {client.get(one).status_code for one in reads} == {303}
    sign_in(client, "ayu@example.com")
    assert {client.get(one).status_code for one in reads} == {404}
    assert {client.post(one).status_code for one in writes} == {404}
    client.post("/sign-out")
    sign_in(client, "dewi@example.com")
    assert {client.get(one).status_code for one in reads} == {200}


def test_the_list_shows_wanted_and_actual_and_finds(admin, world, mine):  # noqa: F811
    other = neighbours(world, 1)[0]
    job.sync()
    page = admin.get("/admin/instances/").text
    assert set(names_in(page)) == {mine.name, other.name}
    for said in ("Running", "to run", "pod ready", "ayu@example.com", "/admin/nodes/node-"):
        assert said in page, said
    for address in (f"?search={mine.name.upper()}", "?search=ayu@", f"?search={mine.namespace}"):
        assert names_in(admin.get(f"/admin/instances/{address}").text) == [mine.name]
    assert names_in(admin.get("/admin/instances/?state=STOPPED").text) == []
    assert len(names_in(admin.get("/admin/instances/?state=RUNNING&differs=no").text)) == 2
    assert names_in(admin.get("/admin/instances/?node=node-9").text) == []
    assert len(names_in(admin.get("/admin/instances/?state=KING&order=-name&before=W10").text)) == 2
    with counted() as asked:
        admin.get("/admin/instances/")
    assert len(asked) <= LIST_MAX


def test_all_of_it_as_a_file(admin, mine):
    rows = list(csv.DictReader(io.StringIO(admin.get("/admin/instances/?format=csv").text.removeprefix("\ufeff"))))
    assert [(row["name"], row["state"], row["wanted"], row["pod_ready"]) for row in rows] == [
        (mine.name, "RUNNING", "RUNNING", "True")
    ]


def test_differences_of_the_hourly_comparison_are_shown(admin, world, mine):  # noqa: F811
    world.pass_time(timedelta(minutes=15))
    align(world)
    damage(world, mine, "Deployment", spec__replicas=3)
    comparison.reconcile()
    assert "1 difference" in admin.get("/admin/instances/").text
    assert names_in(admin.get("/admin/instances/?differs=yes").text) == [mine.name]
    assert "spec.replicas: 3 instead of 1" in admin.get(f"/admin/instances/{mine.id}").text


def test_a_page_tells_the_whole_story(admin, mine):
    with transaction() as session:
        session.add(VolumeUse(instance_id=mine.id, measured_at=clock.now(), used_bytes=2**30, capacity_bytes=5 * 2**30))
    with counted() as asked:
        page = admin.get(f"/admin/instances/{mine.id}").text
    assert len(asked) <= PAGE_MAX
    for said in (
        mine.name,
        mine.namespace,
        "ayu@example.com",
        "Basic",
        "It answers at its public",
        "1 GB of 5 GB used",
    ):
        assert said in page, said
    assert admin.get("/admin/instances/0197b2a0-0000-7000-8000-000000000001").status_code == 404


def test_the_cluster_is_compared_object_by_object(admin, world, mine):  # noqa: F811
    page = admin.get(f"/admin/instances/{mine.id}/cluster").text
    for kind in ("ConfigMap", "PersistentVolumeClaim", "Deployment", "Service", "Ingress", "Secret"):
        assert f"{kind}/{mine.name}" in page
    assert page.count("as wanted") == 5
    assert page.count("not readable") == 1
    assert "ready" in page
    damage(world, mine, "Deployment", spec__replicas=3)
    assert "spec.replicas: 3 instead of 1" in admin.get(f"/admin/instances/{mine.id}/cluster").text
    world.cluster.add_fault("error", status=503, path="/api")
    assert "does not answer" in admin.get(f"/admin/instances/{mine.id}/cluster").text


def test_no_page_shows_a_secret(admin, world, mine):  # noqa: F811
    with transaction() as session:
        values = list(queries.secrets_of(session, mine.id).values())
    assert values
    for address in ("", f"{mine.id}", f"{mine.id}/cluster", "?format=csv"):
        page = admin.get(f"/admin/instances/{address}").text
        assert [value for value in values if value in page] == []


def test_applying_again_repairs_and_is_written_down(admin, world, mine, dewi):  # noqa: F811
    administrator = db.session().scalar(sa.text("SELECT id FROM user_account WHERE role = 'ADMINISTRATOR'"))
    damage(world, mine, "Deployment", spec__replicas=3)
    assert admin.post(f"/admin/instances/{mine.id}/reconcile").status_code == 303
    world.play()
    assert world.deployment(mine)["spec"]["replicas"] == 1
    assert [(one.action, one.actor_id) for one in acts()][-1] == ("instance.reconciled", administrator)


def test_a_restart_says_that_it_was_us(admin, world, mine):  # noqa: F811
    assert admin.post(f"/admin/instances/{mine.id}/restart-now").status_code == 303
    assert admin.post(f"/admin/instances/{mine.id}/restart-now").status_code == 409
    world.play()
    assert again(mine).state == InstanceState.RUNNING
    assert "operator_restart_started" in timeline(mine)
    assert acts()[-1].facts["after"]["state"] == "PROVISIONING"
    assert "We restarted it" in admin.get(f"/admin/instances/{mine.id}").text


def test_maintenance_takes_it_in_hand_and_gives_it_back(admin, world, mine):  # noqa: F811
    assert admin.post(f"/admin/instances/{mine.id}/begin-maintenance").status_code == 303
    assert again(mine).state == InstanceState.MAINTENANCE
    assert admin.post(f"/admin/instances/{mine.id}/begin-maintenance").status_code == 409
    with pytest.raises(CannotStop), transaction() as session:
        actions.stop(session, mine.id, now=clock.now())
    assert "In your hands" in admin.get(f"/admin/instances/{mine.id}").text
    assert admin.post(f"/admin/instances/{mine.id}/end-maintenance").status_code == 303
    world.play()
    assert again(mine).state == InstanceState.RUNNING
    assert admin.post(f"/admin/instances/{mine.id}/end-maintenance").status_code == 409
    assert [one.action for one in acts()][-2:] == ["instance.maintenance_begun", "instance.maintenance_ended"]
    assert acts()[-2].facts["after"] == {"state": "MAINTENANCE"}


def test_maintenance_of_a_stopped_app_leaves_it_stopped(admin, world, mine):  # noqa: F811
    with transaction() as session:
        actions.stop(session, mine.id, now=clock.now())
    world.play()
    admin.post(f"/admin/instances/{mine.id}/begin-maintenance")
    admin.post(f"/admin/instances/{mine.id}/end-maintenance")
    world.play()
    assert again(mine).state == InstanceState.STOPPED


def test_a_suspension_during_maintenance_holds_at_its_end(admin, world, mine):  # noqa: F811
    admin.post(f"/admin/instances/{mine.id}/begin-maintenance")
    with transaction() as session:
        actions.suspend(session, mine.id, now=clock.now())
    world.play()
    assert again(mine).state == InstanceState.MAINTENANCE
    admin.post(f"/admin/instances/{mine.id}/end-maintenance")
    world.play()
    assert again(mine).state == InstanceState.SUSPENDED


def test_reading_its_log_is_a_post_and_written_down(admin, world, mine):  # noqa: F811
    assert admin.get(f"/admin/instances/{mine.id}/log").status_code in (404, 405)
    page = admin.post(f"/admin/instances/{mine.id}/log").text
    assert "written down" in page
    assert acts()[-1].action == "instance.log_read"


def test_an_act_that_does_not_exist_is_not_found(admin, mine):
    assert admin.post(f"/admin/instances/{mine.id}/explode").status_code == 404
    assert admin.post("/admin/instances/0197b2a0-0000-7000-8000-000000000001/reconcile").status_code == 404
