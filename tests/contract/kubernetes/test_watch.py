"""Watches against recording 08b: which events in which order, time-outs, bookmarks, and what is too old or too new."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from . import replay, scenes
from .replay import World

STEPS = replay.load("08b-watch")
PATH = "/apis/apps/v1/namespaces/user-0001/deployments"


@pytest.fixture
def scene(world: World) -> World:
    scenes.namespace(world)
    return world


def watch(world: World, query: dict[str, str], meanwhile: Callable[[], None], path: str = PATH) -> list[dict[str, Any]]:
    """Every line of a watch; `meanwhile` runs once the stream is open, then the clock ends it."""
    url, token = world.url + path, world.tokens["portal-worker"]
    headers = {"Authorization": f"Bearer {token}"}
    with world.session.get(url, params={"watch": "true"} | query, headers=headers, stream=True, timeout=10) as answer:
        assert answer.status_code == 200
        meanwhile()
        return [json.loads(line) for line in answer.iter_lines()]


def missing_from(lines: list[dict[str, Any]], step: int, world: World) -> list[str]:
    """What of the recorded stream ours lacks, in order. Bookmarks come when they come."""
    left = [line for line in lines if line["type"] != "BOOKMARK"]
    missing = []
    for recorded in STEPS[step]["response"]["stream"]:
        if recorded["type"] != "BOOKMARK":
            missing += _advance_to(recorded, left, world)
    return missing


def _advance_to(recorded: dict[str, Any], left: list[dict[str, Any]], world: World) -> list[str]:
    """Drops our lines up to the one that fits; why the last one did not, when none does."""
    problems = ["the stream had ended"]
    while left:
        comparison = replay.Comparison(world.bindings)
        actual = left.pop(0)
        comparison.compare(recorded["type"], actual["type"], "type")
        comparison.compare(recorded["object"], actual["object"])
        problems = comparison.differences
        if not problems:
            world.bindings.update(comparison.bindings)
            return []
    return [f"{recorded['type']}: {problems}"]


def test_a_watch_shows_a_deployment_live_and_die_in_the_recorded_order(scene: World) -> None:
    listed = scene.send("GET", PATH).json()
    query = dict(STEPS[1]["request"]["query"]) | {"resourceVersion": listed["metadata"]["resourceVersion"]}

    def life() -> None:
        scene.apply(scenes.without_deadline())
        scene.cluster.advance(4)
        scene.apply(scenes.without_deadline(replicas=0))
        scene.cluster.advance(1)
        scene.send("DELETE", f"{PATH}/n8n-abc123")
        scene.cluster.advance(10)

    lines = watch(scene, query, life)
    assert missing_from(lines, 1, scene) == []
    assert lines[-1]["type"] in ("DELETED", "BOOKMARK")


def test_a_watch_shows_a_pod_leave(scene: World) -> None:
    scene.run(scenes.without_deadline())
    path = "/api/v1/namespaces/user-0001/pods"
    version = scene.send("GET", path).json()["metadata"]["resourceVersion"]
    query = {"timeoutSeconds": "8", "resourceVersion": version}

    def leave() -> None:
        scene.send("DELETE", f"{PATH}/n8n-abc123")
        scene.cluster.advance(10)

    assert missing_from(watch(scene, query, leave, path), 4, scene) == []


def test_a_watch_without_a_version_begins_with_what_exists(scene: World) -> None:
    scene.run(scenes.without_deadline())
    lines = watch(scene, {"timeoutSeconds": "1"}, lambda: scene.cluster.advance(2))
    assert [line["type"] for line in lines] == ["ADDED"]


def test_initial_events_end_with_a_bookmark(scene: World) -> None:
    scene.run(scenes.without_deadline())
    query = dict(STEPS[3]["request"]["query"])
    lines = watch(scene, query, lambda: scene.cluster.advance(4))
    assert [line["type"] for line in lines[:2]] == ["ADDED", "BOOKMARK"]
    assert lines[1]["object"]["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert lines[1]["object"]["spec"]["template"]["spec"]["containers"] is None


def test_a_version_that_is_forgotten_is_one_error_event_in_a_200(scene: World) -> None:
    lines = watch(scene, {"resourceVersion": "1", "timeoutSeconds": "3"}, lambda: None)
    assert len(lines) == 1
    assert missing_from(lines, 5, scene) == []


def test_a_version_from_the_future_is_silence(scene: World) -> None:
    query = {"resourceVersion": "99999999999", "timeoutSeconds": "2"}
    assert watch(scene, query, lambda: scene.cluster.advance(3)) == []


def test_an_object_that_leaves_the_selection_is_deleted_for_the_watcher(scene: World) -> None:
    scene.apply(scenes.without_deadline(replicas=0))
    version = scene.send("GET", PATH).json()["metadata"]["resourceVersion"]
    query = {"labelSelector": "app.kubernetes.io/name=n8n", "resourceVersion": version, "timeoutSeconds": "5"}

    def relabel() -> None:
        body = scenes.without_deadline(replicas=0)
        body["metadata"]["labels"]["app.kubernetes.io/name"] = "other"
        scene.apply(body)
        scene.cluster.advance(6)

    assert watch(scene, query, relabel)[-1]["type"] == "DELETED"


def test_the_other_answers_of_the_recording(scene: World) -> None:
    skipped = set(range(7))
    replay.play(scene, STEPS, {}, skipped)
