"""The gateway over real HTTP: what each answer of an API server becomes, and every app with the shipped role."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml

from config import settings
from portal.core.db import transaction
from portal.provisioning import cluster, probe, use
from portal.provisioning.connection import connection
from portal.provisioning.errors import ClusterForbids, ClusterUnavailable, Missing, Refused
from portal.provisioning.manifests import namespace_manifests
from sandbox.kubernetes import create_app, make_loopback_server, service_account, write_kubeconfig
from tests.provisioning.examples import CLUSTER, INSTANCE, NAMESPACE, TEMPLATES, every_app, manifests_for, spec_for

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "tests" / "contract" / "kubernetes" / "recordings"
PATH = "/api/v1/namespaces/user-1/configmaps/x"
TOKEN = "shipped-role"


@dataclass
class Scripted:
    """A server that gives one answer to everything and remembers what it was asked."""

    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    location: str = ""
    asked: list[tuple[str, str, str]] = field(default_factory=list)
    port: int = 0

    def says(self, status: int, body: object, content_type: str = "application/json") -> None:
        self.status, self.content_type = status, content_type
        self.body = body.encode() if isinstance(body, str) else json.dumps(body).encode()


@pytest.fixture
def server(portal, monkeypatch, tmp_path) -> Iterator[Scripted]:
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            script.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
            self.send_response(script.status)
            self.send_header("Content-Type", script.content_type)
            self.send_header("Content-Length", str(len(script.body)))
            if script.location:
                self.send_header("Location", script.location)
            self.end_headers()
            self.wfile.write(script.body)

        do_GET = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    script.port = http.server_port
    yield from settings_for(monkeypatch, tmp_path, f"http://127.0.0.1:{http.server_port}", "a-token", script)
    http.shutdown()
    http.server_close()


def settings_for(monkeypatch, tmp_path, url, token, handle):
    monkeypatch.setenv("KUBECONFIG", str(write_kubeconfig(tmp_path / "kubeconfig", url, token)))
    monkeypatch.setenv("CLUSTER_TIMEOUT_S", "5")
    settings.cache_clear()
    yield handle
    monkeypatch.undo()
    settings.cache_clear()


def recorded(name: str, status: int, words: str) -> dict:
    """The body of that status, with those words, as a real server sent it."""
    for step in json.loads((RECORDINGS / f"{name}.json").read_text())["steps"]:
        answer = step.get("response", {})
        if answer.get("status") == status and words in json.dumps(answer.get("body")):
            return answer["body"]
    raise AssertionError(words)


@pytest.mark.parametrize(
    "recording, status, words, error",
    [
        ("06-quota-and-limitrange", 403, "exceeded quota", Refused),
        ("06-quota-and-limitrange", 403, "maximum cpu usage", Refused),
        ("07-pod-security", 403, "violates PodSecurity", Refused),
        ("15-rbac", 403, "cannot list resource", ClusterForbids),
        ("20-unauthenticated", 401, "Unauthorized", ClusterForbids),
        ("12-delete", 404, "not found", Missing),
        ("05-errors", 422, "Invalid", Refused),
        ("05-errors", 500, "failed to", ClusterUnavailable),
        ("03-apply-conflict", 409, "Conflict", Refused),
    ],
)
def test_a_recorded_refusal_becomes_its_error(server, recording, status, words, error):
    server.says(status, recorded(recording, status, words))
    with pytest.raises(error) as caught:
        connection().call("GET", PATH)
    assert type(caught.value) is error
    assert caught.value.details["status"] == status


def test_only_a_quota_is_told_as_a_quota(server):
    server.says(403, recorded("06-quota-and-limitrange", 403, "exceeded quota"))
    with pytest.raises(Refused) as caught:
        connection().call("GET", PATH)
    assert caught.value.over_quota
    server.says(403, recorded("07-pod-security", 403, "violates PodSecurity"))
    with pytest.raises(Refused) as caught:
        connection().call("GET", PATH)
    assert not caught.value.over_quota


@pytest.mark.parametrize(
    "status, body, content_type, error",
    [
        (404, "404 page not found\n", "text/plain; charset=utf-8", Refused),
        (502, "<html>Bad gateway</html>", "text/html", ClusterUnavailable),
        (429, {"kind": "Status", "reason": "TooManyRequests"}, "application/json", ClusterUnavailable),
        (504, {"kind": "Status", "reason": "Timeout"}, "application/json", ClusterUnavailable),
        (500, "not json", "application/json", ClusterUnavailable),
        (400, ["a", "list"], "application/json", Refused),
    ],
)
def test_answers_that_are_no_status_are_understood_too(server, status, body, content_type, error):
    server.says(status, body, content_type)
    with pytest.raises(error) as caught:
        connection().call("GET", PATH)
    assert not isinstance(caught.value, Missing)


def test_a_redirect_is_not_followed_with_our_token(server):
    server.says(307, {})
    server.location = f"http://127.0.0.1:{server.port}/elsewhere"
    with pytest.raises(ClusterUnavailable):
        connection().call("PATCH", PATH, body={})
    assert [path for _, path, _ in server.asked] == [PATH]


def test_a_failing_write_is_sent_once(server):
    server.says(503, {})
    with pytest.raises(ClusterUnavailable):
        connection().call("PATCH", PATH, body={})
    assert len(server.asked) == 1


def test_the_token_of_the_kubeconfig_is_sent(server):
    connection().call("GET", PATH)
    assert server.asked[0][2] == "Bearer a-token"


def test_a_kubeconfig_as_text_works_as_well(server, monkeypatch):
    text = Path(settings().kubeconfig).read_text()
    monkeypatch.setenv("KUBECONFIG", "")
    monkeypatch.setenv("KUBECONFIG_DATA", text)
    settings.cache_clear()
    connection().call("GET", PATH)
    assert server.asked[0][2] == "Bearer a-token"


@pytest.mark.parametrize("text", ["", "not: [yaml", "kind: Config", "just words"])
def test_no_usable_kubeconfig_is_an_unreachable_cluster(portal, monkeypatch, tmp_path, text):
    broken = tmp_path / "broken"
    broken.write_text(text)
    monkeypatch.setenv("KUBECONFIG", str(broken))
    settings.cache_clear()
    with pytest.raises(ClusterUnavailable):
        cluster.check_health()
    monkeypatch.undo()
    settings.cache_clear()


def test_nobody_talks_to_the_cluster_inside_a_transaction(server):
    with pytest.raises(AssertionError, match="inside a transaction"), transaction():
        cluster.check_health()
    assert server.asked == []


def test_a_list_without_items_is_no_proof_that_nothing_is_left(server):
    with pytest.raises(ClusterUnavailable):
        cluster.leftovers("user-1", "n8n-abc123", INSTANCE)


def test_a_log_cut_inside_a_character_is_still_shown(server, monkeypatch):
    server.says(200, {})
    server.body, server.content_type = "grüße ✓".encode()[:-1], "text/plain"
    assert connection().call("GET", PATH).text.startswith("grüße")


@pytest.mark.parametrize(
    "status, answered", [(200, True), (302, True), (401, True), (404, False), (500, False), (503, False)]
)
def test_an_answer_that_can_only_be_the_apps_own_shows_that_the_address_works(server, monkeypatch, status, answered):
    monkeypatch.setenv("APPS_PROBE_ADDRESS", f"127.0.0.1:{server.port}")
    settings.cache_clear()
    server.says(status, "text", "text/html")
    server.location = "http://127.0.0.1:1/"
    assert probe.answers("http://n8n-abc123.apps.test") is answered
    assert len(server.asked) == 1


def test_a_closed_port_or_a_name_nobody_knows_is_no_answer(portal):
    assert not probe.answers("http://127.0.0.1:1")
    assert not probe.answers("https://no-such-app.invalid")


@pytest.fixture
def stand_in(portal, monkeypatch, tmp_path):
    """The stand-in, and in it an account with exactly the rights in deploy/kubernetes/worker-rbac.yaml."""
    app = create_app(is_manual=True)
    http = make_loopback_server(app)
    threading.Thread(target=http.serve_forever, daemon=True).start()
    app.cluster.accounts[TOKEN] = service_account("minispod-system", "minispod-worker", shipped_rules())
    yield from settings_for(monkeypatch, tmp_path, f"http://127.0.0.1:{http.port}", TOKEN, app.cluster)
    http.shutdown()
    http.server_close()
    app.close()


def shipped_rules() -> list[tuple[str, str, str]]:
    documents = yaml.safe_load_all((ROOT / "deploy/kubernetes/worker-rbac.yaml").read_text())
    role = next(one for one in documents if one["kind"] == "ClusterRole")
    return [
        (group, " ".join(rule["resources"]), " ".join(rule["verbs"]))
        for rule in role["rules"]
        for group in rule["apiGroups"]
    ]


@every_app
def test_every_app_comes_and_goes_with_the_shipped_role(stand_in, template):
    spec = spec_for(template)
    room = replace(NAMESPACE, storage_gib=spec.storage_gib, memory_mib=spec.memory_mib)
    manifests = [*namespace_manifests(room, CLUSTER), *manifests_for(template)]
    cluster.apply(manifests)
    versions = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in stand_in.objects()}
    cluster.apply(manifests)
    again = {one["metadata"]["name"]: one["metadata"]["resourceVersion"] for one in stand_in.objects()}
    assert again == versions, "an unchanged apply changes nothing"
    stand_in.settle()
    snapshot = cluster.observe(spec.namespace, spec.name, spec.id)
    assert snapshot.deployment.available_replicas == 1
    assert len(snapshot.current_pods) == 1
    assert cluster.read_events(spec.namespace, spec.name)
    cluster.read_log(spec.namespace, spec.id, container=template.main.name)
    stand_in.advance(20)
    assert list(use.read_use() or ()) == [spec.id]
    cluster.delete_instance(spec.namespace, spec.name, spec.id)
    assert "Deployment" in " ".join(cluster.leftovers(spec.namespace, spec.name, spec.id))
    stand_in.settle()
    assert cluster.leftovers(spec.namespace, spec.name, spec.id) == []
    assert stand_in.objects(label_selector=f"minispod.io/instance={spec.id}") == []
    cluster.delete_instance(spec.namespace, spec.name, spec.id)


def test_a_certificate_left_behind_is_removed_by_name(stand_in):
    spec = spec_for(TEMPLATES["n8n"])
    cluster.apply(namespace_manifests(NAMESPACE, CLUSTER))
    metadata = {"name": f"{spec.name}-tls", "namespace": spec.namespace}
    cluster.apply([{"apiVersion": "v1", "kind": "Secret", "metadata": metadata}])
    assert cluster.leftovers(spec.namespace, spec.name, spec.id) == [f"Secret/{spec.name}-tls"]
    assert cluster.leftovers(spec.namespace, spec.name, spec.id) == []


def test_health_is_the_servers_own_word(stand_in):
    cluster.check_health()
    stand_in.add_fault("error", path="/readyz", status=500)
    with pytest.raises(ClusterUnavailable):
        cluster.check_health()
