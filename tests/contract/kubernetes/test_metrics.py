"""Processor and memory of pods, in the shape that metrics-server answers."""

from __future__ import annotations

import re

import pytest

from sandbox.kubernetes import quantities

from . import scenes
from .replay import World

PODS = "/apis/metrics.k8s.io/v1beta1/pods"
NAME = "n8n-abc123"


@pytest.fixture
def running(world: World) -> World:
    scenes.namespace(world)
    world.apply(scenes.ordinary(name=NAME))
    scenes.settle(world)
    world.cluster.advance(30)
    return world


def test_a_running_pod_is_measured_within_its_limits(running: World) -> None:
    body = running.send("GET", PODS).json()
    assert (body["kind"], body["apiVersion"]) == ("PodMetricsList", "metrics.k8s.io/v1beta1")
    [pod] = [one for one in body["items"] if one["metadata"]["name"].startswith(NAME)]
    assert pod["window"] == "15s"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", pod["timestamp"])
    for container in pod["containers"]:
        assert re.fullmatch(r"\d+n", container["usage"]["cpu"])
        assert re.fullmatch(r"\d+Ki", container["usage"]["memory"])
        assert 0 < quantities.parse(container["usage"]["cpu"]) < 16
    assert running.send("GET", PODS).json()["items"] == body["items"], "two readers see the same"


def test_lists_are_chosen_by_label_and_namespace(running: World) -> None:
    assert running.send("GET", PODS, query={"labelSelector": "nobody=has-this"}).json()["items"] == []
    assert running.send("GET", PODS.replace("/pods", "/namespaces/default/pods")).json()["items"] == []


def test_metrics_are_only_read(running: World) -> None:
    path = PODS.replace("/pods", "/namespaces/default/pods")
    assert running.send("POST", path, scenes.ordinary(), who="admin").status_code == 405
    assert running.send("DELETE", f"{path}/any", who="admin").status_code == 405


def test_a_group_can_be_taken_away(running: World) -> None:
    running.cluster.add_fault("absent", path="metrics.k8s.io")
    answer = running.send("GET", PODS)
    assert (answer.status_code, answer.text) == (404, "404 page not found\n")
    assert answer.headers["Content-Type"].startswith("text/plain")
