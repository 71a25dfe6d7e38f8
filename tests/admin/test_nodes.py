"""The pages of nodes: who may see them, what they say, cordon, maintenance, emptying with a preview."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from jobs import nodes as job
from portal.audit.models import AuditEntry
from portal.core import clock
from portal.core.db import db, transaction
from portal.nodes import queries
from portal.nodes.models import Node, NodeDrain
from portal.provisioning import nodes as cluster
from tests.instances.conftest import cluster_server, cluster_settings  # noqa: F401 - fixtures
from tests.nodes.conftest import world  # noqa: F401 - a fixture
from tests.personas import sign_in
from tests.queries import counted

pytest_plugins = ["tests.personas"]
LIST_MAX = 7  # who asks, the banner, the frame's figures, the rows, their count, what is for sale, who has room
PAGE_MAX = 8


@pytest.fixture
def admin(client, dewi, world):  # noqa: F811
    job.sync()
    return sign_in(client, dewi.email)


@pytest.fixture
def mine(world, ayu, admin):  # noqa: F811
    instance = world.buy_running(ayu.customer)
    job.sync()
    return instance


def node(name="node-1") -> Node:
    db.session.rollback()
    return queries.node(db.session(), name)


def note(name, **facts):
    """As if the cluster or an agent had said so."""
    with transaction() as session:
        session.execute(sa.update(Node).where(Node.name == name).values(**facts))


def acts():
    """What the audit log says of nodes, oldest first."""
    statement = sa.select(AuditEntry).where(AuditEntry.subject_kind == "node").order_by(AuditEntry.id)
    return db.session().scalars(statement).all()


def home_of(instance):
    return next(pod.node for pod in cluster.read_pods_of_instance(instance.id))


def names_in(page):
    return re.findall(r'<td class="cell-title"><a href="/admin/nodes/([^"]+)"', page)


def test_only_an_administrator_knows_it_is_there(client, world, ayu, dewi):  # noqa: F811
    job.sync()
    addresses = ["/admin/nodes/", "/admin/nodes/node-1", f"/admin/nodes/{node().id}/drain"]
    writes = [f"/admin/nodes/{node().id}/cordon", f"/admin/nodes/{node().id}/drain", "/admin/nodes/look"]
    assert {client.get(one).status_code for one in addresses} == {303}
    sign_in(client, ayu.email)
    assert {client.get(one).status_code for one in addresses} == {404}
    assert {client.post(one).status_code for one in writes} == {404}
    client.post("/sign-out")
    sign_in(client, dewi.email)
    assert {client.get(one).status_code for one in addresses} == {200}


def test_the_list_finds_by_name_status_and_agent(admin):
    assert names_in(admin.get("/admin/nodes/").text) == ["node-1", "node-2", "node-3"]
    assert names_in(admin.get("/admin/nodes/?order=-name").text) == ["node-3", "node-2", "node-1"]
    assert names_in(admin.get("/admin/nodes/?search=NODE-2").text) == ["node-2"]
    assert names_in(admin.get("/admin/nodes/?search=%25").text) == []
    note("node-3", maintenance_since=clock.now())
    note("node-2", last_heartbeat_at=clock.now())
    assert names_in(admin.get("/admin/nodes/?status=MAINTENANCE").text) == ["node-3"]
    assert names_in(admin.get("/admin/nodes/?status=ACTIVE").text) == ["node-1", "node-2"]
    assert names_in(admin.get("/admin/nodes/?online=yes").text) == ["node-2"]
    assert names_in(admin.get("/admin/nodes/?online=no").text) == ["node-1", "node-3"]
    assert names_in(admin.get("/admin/nodes/?status=KING&order=x&after=zzz").text) == ["node-1", "node-2", "node-3"]
    assert names_in(admin.get("/admin/nodes/?order=-heard").text)[0] == "node-2"


def test_the_list_costs_few_questions(admin, mine):
    with counted() as asked:
        admin.get("/admin/nodes/")
    assert len(asked) <= LIST_MAX
    with counted() as asked:
        admin.get(f"/admin/nodes/{home_of(mine)}")
    assert len(asked) <= PAGE_MAX


def test_all_of_it_as_a_file(admin):
    rows = list(csv.DictReader(io.StringIO(admin.get("/admin/nodes/?format=csv").text.removeprefix("\ufeff"))))
    assert [(row["name"], row["status"], row["cpu_millicores_allocatable"]) for row in rows] == [
        (f"node-{number}", "ACTIVE", "16000") for number in (1, 2, 3)
    ]


def test_without_any_node_the_page_says_where_to_look(client, dewi, portal):
    page = sign_in(client, dewi.email).get("/admin/nodes/").text
    assert "No node is known yet" in page
    assert "field-error" not in page


def test_a_page_by_name_or_id_tells_all(admin, mine):
    email, home = "ayu@example.com", node(home_of(mine))
    for address in (home.name, home.id):
        page = admin.get(f"/admin/nodes/{address}").text
        for said in ("v1.36.2", "containerd://2.0.0", "amd64", "kubernetes.io/hostname=", mine.name, email, "16 vCPU"):
            assert said in page, said
    assert "Its agent has not been heard." in page
    assert admin.get("/admin/nodes/nobody").status_code == 404
    assert admin.get("/admin/nodes/0197b2a0-0000-7000-8000-000000000001").status_code == 404


def test_cordoning_is_told_to_the_cluster_and_written_down(admin, world, dewi):  # noqa: F811
    administrator = dewi.user_id
    assert admin.post(f"/admin/nodes/{node().id}/cordon").status_code == 303
    assert node().unschedulable
    assert [one.unschedulable for one in cluster.read_nodes()] == [True, False, False]
    assert admin.post(f"/admin/nodes/{node().id}/cordon").status_code == 409
    world.cluster.advance(1)
    assert "New apps are kept away" in admin.get(f"/admin/nodes/{node().id}/events").text
    assert admin.post(f"/admin/nodes/{node().id}/uncordon").status_code == 303
    assert [one.unschedulable for one in cluster.read_nodes()] == [False, False, False]
    assert [(one.action, one.actor_id, one.facts["after"], one.facts["name"]) for one in acts()] == [
        ("node.cordoned", administrator, {"unschedulable": True}, "node-1"),
        ("node.uncordoned", administrator, {"unschedulable": False}, "node-1"),
    ]


def test_maintenance_keeps_apps_away_and_ends_in_service(admin):
    admin.post(f"/admin/nodes/{node().id}/begin-maintenance")
    assert "Maintenance" in admin.get("/admin/nodes/node-1").text
    assert node().maintenance_since is not None
    assert cluster.read_nodes()[0].unschedulable
    assert admin.post(f"/admin/nodes/{node().id}/uncordon").status_code == 409
    assert admin.post(f"/admin/nodes/{node().id}/begin-maintenance").status_code == 409
    admin.post(f"/admin/nodes/{node().id}/end-maintenance")
    assert node().maintenance_since is None
    assert not cluster.read_nodes()[0].unschedulable
    assert admin.post(f"/admin/nodes/{node().id}/end-maintenance").status_code == 409


def test_a_silent_cluster_is_named_and_changes_nothing(admin, world):  # noqa: F811
    world.cluster.add_fault("error", status=503, path="/api/v1/nodes")
    page = admin.post(f"/admin/nodes/{node().id}/cordon", follow_redirects=True).text
    assert "The cluster was not told" in page
    assert not node().unschedulable
    world.cluster.add_fault("reset", path="/api/v1/namespaces/default/events")
    assert "does not answer" in admin.get(f"/admin/nodes/{node().id}/events").text


def test_an_act_that_does_not_exist_is_not_found(admin):
    assert admin.post(f"/admin/nodes/{node().id}/explode").status_code == 404
    assert admin.post("/admin/nodes/0197b2a0-0000-7000-8000-000000000001/cordon").status_code == 404


def test_the_preview_says_what_moves_where_and_for_how_long_and_does_nothing(admin, mine, world):  # noqa: F811
    email, home = "ayu@example.com", node(home_of(mine))
    page = admin.get(f"/admin/nodes/{home.id}/drain").text
    assert mine.name in page
    assert email in page
    assert re.search(r"about \d+ seconds", page)
    assert re.search(r"node-[123]", page)
    assert "No room elsewhere" not in page
    assert home_of(mine) == home.name
    for name in {"node-1", "node-2", "node-3"} - {home.name}:
        cluster.set_schedulable(name, False)
    job.sync()
    page = admin.get(f"/admin/nodes/{home.id}/drain").text
    assert "No room elsewhere" in page
    assert "until there is room" in page


def test_a_volume_that_lies_on_the_node_is_named(admin, world, ayu, monkeypatch):  # noqa: F811
    from config import settings

    monkeypatch.setenv("CLUSTER_STORAGE_CLASS", "local")
    settings.cache_clear()
    world.cluster.add_storage_class("local")
    instance = world.buy_running(ayu.customer)
    page = admin.get(f"/admin/nodes/{node(home_of(instance)).id}/drain").text
    assert "its volume lies on this node" in page


def test_emptying_is_ordered_followed_and_called_off(admin, mine, world):  # noqa: F811
    home = node(home_of(mine))
    assert admin.post(f"/admin/nodes/{home.id}/drain").status_code == 303
    assert admin.post(f"/admin/nodes/{home.id}/drain").status_code == 409
    assert admin.get(f"/admin/nodes/{home.id}/drain").status_code == 200
    page = admin.get(f"/admin/nodes/{home.name}", headers={"HX-Request": "true"}).text
    assert page.lstrip().startswith("<section")
    assert "every 3s" in page
    assert "0 of 1 moved" in page
    assert admin.post(f"/admin/nodes/{home.id}/uncordon").status_code == 409
    assert admin.post(f"/admin/nodes/{home.id}/drain/cancel").status_code == 303
    assert admin.post(f"/admin/nodes/{home.id}/drain/cancel").status_code == 409
    assert db.session().scalar(sa.select(NodeDrain.state)) == "CANCELLED"
    assert "every 3s" not in admin.get(f"/admin/nodes/{home.name}").text
    assert [one.action for one in acts()] == ["node.drain_started", "node.drain_cancelled"]


def test_an_empty_node_has_nothing_to_move(admin, mine):
    empty = node(next(name for name in ("node-1", "node-2", "node-3") if name != home_of(mine)))
    assert "Nothing here has to move" in admin.get(f"/admin/nodes/{empty.id}/drain").text
    assert admin.post(f"/admin/nodes/{empty.id}/drain").status_code == 409


def test_more_for_sale_than_fits_is_warned_of(admin):
    assert "More is for sale" not in admin.get("/admin/nodes/").text
    for name in ("node-1", "node-2", "node-3"):
        cluster.set_schedulable(name, False)
    job.sync()
    page = admin.get("/admin/nodes/").text
    assert "More is for sale than the nodes can run" in page
    assert "n8n Basic: 5 slots unsold, room for 0" in page
    with counted() as asked:
        assert queries.overselling(db.session(), now=clock.now()).is_oversold
    assert len(asked) == 3


def test_a_silent_agent_is_seen_at_once(admin):
    note("node-1", last_heartbeat_at=clock.now())
    assert "Online" in admin.get("/admin/nodes/node-1").text
    clock.advance(timedelta(seconds=91))
    page = admin.get("/admin/nodes/node-1").text
    assert "Offline" in page
    assert "Not ready" in page
    assert [one.name for one in queries.offline(db.session(), now=clock.now())] == ["node-1"]
    assert [one.name for one in queries.not_ready(db.session(), now=clock.now())] == ["node-1"]
