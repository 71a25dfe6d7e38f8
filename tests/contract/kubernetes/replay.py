"""Plays a recording against the stand-in over real HTTP, moving its clock where the recorded client waited."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from sandbox.kubernetes import ADMIN_TOKEN, PORTAL_TOKEN, Cluster

from .compared import PLACEHOLDER, Bindings, Comparison

RECORDINGS = Path(__file__).parent / "recordings"
TICKS_MAX = 400
Scene = Callable[["World"], None]


class World:
    """The stand-in as one recording sees it: its address, its handle, and what the placeholders mean."""

    def __init__(self, url: str, cluster: Cluster) -> None:
        self.url, self.cluster, self.bindings = url, cluster, Bindings()
        self.session = requests.Session()
        self.tokens = {"portal-worker": PORTAL_TOKEN, "admin": ADMIN_TOKEN, "nobody": ""}

    def send(
        self, method: str, path: str, body: Any = None, *, who: str = "portal-worker", query: Any = None, **headers: str
    ) -> requests.Response:
        sent = {key.replace("_", "-"): value for key, value in headers.items()}
        if self.tokens[who]:
            sent["Authorization"] = f"Bearer {self.tokens[who]}"
        data = body if isinstance(body, str) or body is None else json.dumps(body)
        data = data.encode() if isinstance(data, str) else None
        return self.session.request(method, self.url + path, params=query, data=data, headers=sent, timeout=10)

    def apply(self, body: dict[str, Any], *, manager: str = "portal") -> None:
        """Applies an object of the scene and insists that it works."""
        meta = body["metadata"]
        groups = {"Deployment": "/apis/apps/v1", "Ingress": "/apis/networking.k8s.io/v1"}
        plural = {"Ingress": "ingresses"}.get(body["kind"], body["kind"].lower() + "s")
        path = f"{groups.get(body['kind'], '/api/v1')}/namespaces/user-0001/{plural}/{meta['name']}"
        query = {"fieldManager": manager, "force": "true"}
        kind = {"content_type": "application/apply-patch+yaml"}
        answer = self.send("PATCH", path, body, who="admin", query=query, **kind)
        assert answer.status_code in (200, 201), answer.text

    def run(self, body: dict[str, Any]) -> None:
        """Applies a Deployment and waits until nothing moves."""
        self.apply(body)
        self.cluster.settle()


def load(name: str) -> list[dict[str, Any]]:
    return json.loads((RECORDINGS / f"{name}.json").read_text())["steps"]


def play(world: World, steps: list[dict[str, Any]], scenes: dict[int, Scene], skipped: set[int]) -> None:
    """Every step in order. A GET may be repeated with the clock moving, a write is sent once."""
    for index, step in enumerate(steps):
        if index in scenes:
            scenes[index](world)
        if index not in skipped and "request" in step:
            _play_step(world, index, step)


def _play_step(world: World, index: int, step: dict[str, Any]) -> None:
    request, recorded = step["request"], step["response"]
    may_wait = request["method"] == "GET" and recorded["status"] < 500
    problems: list[str] = []
    for _ in range(TICKS_MAX if may_wait else 1):
        problems = _try(world, request, recorded)
        if not problems:
            return
        world.cluster.advance(0.25)
    raise AssertionError(f"step {index}, {request['method']} {request['path']}: " + "\n".join(problems))


def _try(world: World, request: dict[str, Any], recorded: dict[str, Any]) -> list[str]:
    """Sends one request; what differs, or nothing and the placeholders learned."""
    _bind_unknown(world, request)
    fill = world.bindings.fill
    headers = {key.replace("-", "_"): value for key, value in (request.get("headers") or {}).items()}
    body = fill(request.get("body"))
    answer = world.send(
        request["method"],
        fill(request["path"]),
        body,
        who=request["as"],
        query=fill(request.get("query")),
        **headers,
    )
    comparison = Comparison(world.bindings)
    comparison.compare(recorded["status"], answer.status_code, "status code")
    _compare_headers(comparison, recorded.get("headers") or {}, answer)
    if not comparison.differences:
        _compare_bodies(comparison, recorded.get("body"), answer)
    if not comparison.differences:
        world.bindings.update(comparison.bindings)
    return comparison.differences


def _bind_unknown(world: World, request: dict[str, Any]) -> None:
    """A uid that stands for nobody's is a fresh one."""
    for match in PLACEHOLDER.finditer(json.dumps([request["path"], request.get("body")])):
        if match[1].startswith("uid"):
            world.bindings.setdefault(match[1], str(uuid.uuid4()))


def _compare_headers(comparison: Comparison, recorded: dict[str, Any], answer: requests.Response) -> None:
    for name in ("warning", "retry-after", "content-type"):
        wanted = recorded.get(name)
        comparison.compare(wanted, answer.headers.get(name), f"header {name}")


def _compare_bodies(comparison: Comparison, recorded: Any, answer: requests.Response) -> None:
    if isinstance(recorded, dict):
        actual = answer.json()
        comparison.compare(recorded, actual)
        _compare_version(comparison, recorded, actual)
    elif recorded is not None:
        comparison.compare(recorded, answer.content.decode())


def _compare_version(comparison: Comparison, recorded: dict[str, Any], actual: dict[str, Any]) -> None:
    """The same recorded resourceVersion twice means that nothing was written in between: here too."""
    if "items" in recorded or recorded.get("kind") == "Status":
        return
    wanted = recorded.get("metadata", {}).get("resourceVersion")
    found = actual.get("metadata", {}).get("resourceVersion")
    if wanted and found:
        comparison.compare(wanted, found, "resourceVersion")
