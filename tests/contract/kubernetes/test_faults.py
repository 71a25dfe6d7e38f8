"""The switches for trouble, the control surface, and what the stand-in does besides being an API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import requests
from werkzeug.test import Client, EnvironBuilder, run_wsgi_app

from sandbox.kubernetes import ADMIN_TOKEN, create_app, make_loopback_server

from . import scenes
from .replay import World

MAPS = "/api/v1/namespaces/user-0001/configmaps"
BODY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"a": "b"}}


@pytest.fixture
def scene(world: World) -> World:
    scenes.namespace(world)
    return world


def switch(world: World, **fault: Any) -> dict[str, Any]:
    answer = world.session.post(f"{world.url}/ctl/faults", json=fault, timeout=5)
    assert answer.status_code == 200, answer.text
    return answer.json()


def put(world: World) -> requests.Response:
    query = {"fieldManager": "portal", "force": "true"}
    return world.send("PATCH", f"{MAPS}/c", BODY, query=query, content_type="application/apply-patch+yaml")


def test_a_5xx_for_the_next_two_requests_only(scene: World) -> None:
    switch(scene, kind="error", status=503, method="PATCH", path="/configmaps/", remaining=2)
    assert [put(scene).status_code for _ in range(3)] == [503, 503, 201]


def test_an_answer_is_lost_after_the_write_was_done(scene: World) -> None:
    switch(scene, kind="error", method="PATCH", path="/configmaps/c", after=True, remaining=1)
    assert put(scene).status_code == 500
    assert scene.send("GET", f"{MAPS}/c").json()["data"] == {"a": "b"}


def test_a_dropped_connection_after_the_write(scene: World) -> None:
    switch(scene, kind="reset", path="/configmaps/c", after=True, remaining=1)
    with pytest.raises(requests.ConnectionError):
        put(scene)
    assert put(scene).status_code == 200


def test_a_hang_outlasts_the_clients_patience(scene: World) -> None:
    switch(scene, kind="hang", path="/configmaps", remaining=1, seconds=0.5)
    with pytest.raises(requests.ReadTimeout):
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        requests.get(scene.url + MAPS, headers=headers, timeout=0.1)
    assert scene.send("GET", MAPS).status_code == 200


def test_switches_are_listed_and_cleared(scene: World) -> None:
    first = switch(scene, kind="error", path="x")
    switch(scene, kind="crash-loop", namespace="user-*")
    assert [item["kind"] for item in scene.session.get(f"{scene.url}/ctl/faults").json()] == ["error", "crash-loop"]
    scene.session.delete(f"{scene.url}/ctl/faults/{first['id']}")
    assert scene.session.delete(f"{scene.url}/ctl/faults").json() == {"cleared": 1}


def test_an_unknown_fault_is_refused_with_the_known_ones(scene: World) -> None:
    answer = scene.session.post(f"{scene.url}/ctl/faults", json={"kind": "gremlins"})
    assert answer.status_code == 400
    assert "crash-loop" in answer.json()["message"]


@pytest.mark.parametrize("kind", ["unschedulable", "image-not-found", "never-ready", "config-missing", "crash-loop"])
def test_an_ill_deployment_heals_when_its_switch_is_cleared(scene: World, kind: str) -> None:
    switch(scene, kind=kind, name="n8n-abc123")
    scene.apply(scenes.without_deadline())
    scene.cluster.advance(15)
    assert _ready(scene) == 0
    scene.cluster.clear_faults()
    scene.cluster.advance(45)
    assert _ready(scene) == 1


def test_only_the_named_deployment_falls_ill(scene: World) -> None:
    switch(scene, kind="unschedulable", name="wp-*")
    scene.apply(scenes.without_deadline())
    scene.apply(scenes.without_deadline(name="wp-def456"))
    scene.cluster.settle()
    assert (_ready(scene), _ready(scene, "wp-def456")) == (1, 0)


def _ready(world: World, name: str = "n8n-abc123") -> int:
    answer = world.send("GET", f"/apis/apps/v1/namespaces/user-0001/deployments/{name}")
    return answer.json()["status"].get("readyReplicas", 0)


def test_objects_by_label_show_what_a_clean_up_left(scene: World) -> None:
    scene.run(scenes.without_deadline())
    query = {"labelSelector": "app.kubernetes.io/instance=n8n-abc123"}
    found = scene.session.get(f"{scene.url}/ctl/objects", params=query).json()["items"]
    assert {item["kind"] for item in found} == {"Deployment", "ReplicaSet", "Pod"}
    scene.send("DELETE", "/apis/apps/v1/namespaces/user-0001/deployments/n8n-abc123")
    scene.session.post(f"{scene.url}/ctl/settle")
    assert scene.session.get(f"{scene.url}/ctl/objects", params=query).json()["items"] == []


def test_the_journal_tells_what_was_asked(scene: World) -> None:
    scene.session.delete(f"{scene.url}/ctl/journal")
    put(scene)
    entry = scene.session.get(f"{scene.url}/ctl/journal").json()["items"][-1]
    assert (entry["method"], entry["path"], entry["status"]) == ("PATCH", f"{MAPS}/c", 201)


def test_the_page_for_people_names_what_is_there(scene: World) -> None:
    scene.run(scenes.without_deadline())
    text = scene.session.get(f"{scene.url}/ctl").text
    assert "user-0001" in text
    assert "1/1 ready" in text
    assert "<script" not in text


def test_the_pages_own_forms_work(scene: World) -> None:
    sent = {"kind": "unschedulable", "namespace": "*", "remaining": "", "go": "1"}
    answer = scene.session.post(f"{scene.url}/ctl/faults", data=sent, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/ctl")
    assert scene.session.post(f"{scene.url}/ctl/clear/1", data={"go": "1"}).status_code == 200
    assert scene.cluster.faults.items == []


def _ask_app(world: World, host: str) -> tuple[str, str]:
    environ = EnvironBuilder(headers={"Host": host}).get_environ()
    body, status, _ = run_wsgi_app(world.cluster.serve_app, environ)
    return status[:3], b"".join(body).decode()


def test_an_apps_host_answers_once_its_pod_is_ready(scene: World) -> None:
    host = "n8n-abc123.apps.example.com"
    assert not scene.cluster.has_host(host)
    assert _ask_app(scene, host)[0] == "404"
    for step in (0, 1, 2, 6, 7, 8, 9):
        scene.apply(scenes.body_of("02-apply-every-kind", step))
    assert scene.cluster.has_host(f"{host}:8900")
    assert _ask_app(scene, host)[0] == "503"
    scene.cluster.settle()
    status, text = _ask_app(scene, f"{host}:8900")
    assert status == "200"
    assert "registry.example.com/apps/n8n:1.0" in text


def test_a_restart_finds_the_same_cluster(tmp_path: Path) -> None:
    state = tmp_path / "cluster.json"
    app = create_app(state, is_manual=True, start_s=1)
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    options: dict[str, Any] = {"headers": headers, "content_type": "application/apply-patch+yaml"}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "user-0001"}}
    sent = Client(app).patch("/api/v1/namespaces/user-0001?fieldManager=portal", json=namespace, **options)
    assert sent.status_code == 201
    app.cluster.add_fault("crash-loop")
    app.cluster.advance(1)
    app.close()
    again = create_app(state, is_manual=True)
    assert again.cluster.objects(namespace="user-0001") == app.cluster.objects(namespace="user-0001")
    assert [fault.kind for fault in again.cluster.faults.items] == ["crash-loop"]
    again.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::"])
def test_it_serves_on_the_loopback_only(host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        make_loopback_server(lambda *_: [], host=host)


def test_a_role_that_lacks_a_verb_is_refused(scene: World) -> None:
    answer = scene.send("GET", "/api/v1/namespaces/user-0001/secrets/x")
    assert (answer.status_code, answer.json()["reason"]) == (403, "Forbidden")


def test_managed_fields_in_an_applied_body_are_refused(scene: World) -> None:
    body = BODY | {"metadata": {"name": "c", "managedFields": []}}
    kind = {"content_type": "application/apply-patch+yaml"}
    answer = scene.send("PATCH", f"{MAPS}/c", body, query={"fieldManager": "portal"}, **kind)
    assert answer.json()["message"] == "metadata.managedFields must be nil"
