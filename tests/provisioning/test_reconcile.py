"""Verdicts over answers that a real Kubernetes 1.36 gave (tests/contract/kubernetes/recordings)."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from portal.provisioning.observed import Container, Deployment, Pod, Snapshot, read_deployment, read_event, read_pod
from portal.provisioning.reconcile import PATIENCE, Outcome, Verdict, Wanted, find_trouble, judge

RECORDINGS = Path(__file__).parent.parent / "contract" / "kubernetes" / "recordings"
BEGIN = datetime(2026, 3, 10, 5, 0, tzinfo=UTC)
DEADLINE = BEGIN + timedelta(minutes=5)
RUNNING, STOPPED = Wanted(1), Wanted(0)


@cache
def answers(name: str) -> list[dict[str, Any]]:
    return [
        step["response"]
        for step in json.loads((RECORDINGS / f"{name}.json").read_text())["steps"]
        if "response" in step
    ]


def deployments(name: str) -> list[Deployment]:
    """Every Deployment with its status that the recording shows, in order; an omitted spec is the one before."""
    specs: dict[str, Any] = {}
    found = []
    for answer in answers(name):
        body = answer.get("body")
        if not isinstance(body, dict) or body.get("kind") != "Deployment":
            continue
        if isinstance(body["spec"], dict):
            specs[body["metadata"]["name"]] = body["spec"]
        if isinstance(body["status"], dict):
            found.append(read_deployment(body | {"spec": specs[body["metadata"]["name"]]}))
    return found


def pod_lists(name: str) -> list[tuple[Pod, ...]]:
    bodies = [answer["body"] for answer in answers(name) if isinstance(answer.get("body"), dict)]
    lists = [one["items"] for one in bodies if one.get("kind") == "PodList"]
    return [tuple(read_pod(item) for item in items if isinstance(item.get("status"), dict)) for items in lists]


def verdict(snapshot: Snapshot, wanted: Wanted = RUNNING, *, at: datetime = BEGIN, **seen: datetime) -> Verdict:
    return judge(snapshot, wanted, now=at, deadline=DEADLINE, seen=seen)


@pytest.mark.parametrize(
    "recording, code",
    [
        ("09a-fail-unschedulable", "no_capacity"),
        ("09b-fail-image-not-found", "image_not_found"),
        ("09c-fail-image-denied", "image_not_found"),
        ("09d-fail-image-name-invalid", "image_name_invalid"),
        ("09h-fail-config-missing", "config_missing"),
        ("09j-fail-volume-missing", "no_capacity"),
    ],
)
def test_a_recorded_trouble_of_pods_is_named(recording, code):
    codes = [find_trouble(Snapshot(deployments(recording)[0], pods)) for pods in pod_lists(recording) if pods]
    assert code in [trouble.code for trouble in codes if trouble]
    assert {trouble.code for trouble in codes if trouble} == {code}, "the reasons flip, the trouble stays one"


@pytest.mark.parametrize(
    "recording, code", [("06-quota-and-limitrange", "quota"), ("09k-fail-forbidden-pod", "refused")]
)
def test_a_pod_that_cannot_be_made_shows_on_the_deployment_alone(recording, code):
    troubles = {find_trouble(Snapshot(one)).code for one in deployments(recording) if one.create_failure}
    assert code in troubles


def test_the_recorded_happy_path_is_ready_only_once_every_counter_agrees():
    outcomes = [
        judge(Snapshot(one), Wanted(2), now=BEGIN, deadline=DEADLINE, seen={}).outcome
        for one in deployments("08-rollout-happy-path")
    ]
    assert outcomes[0] is Outcome.PROGRESSING
    first_ready = outcomes.index(Outcome.READY)
    update = next(i for i, one in enumerate(deployments("08-rollout-happy-path")) if one.generation == 2)
    assert first_ready < update
    assert outcomes[update] is Outcome.PROGRESSING, "the answer to a write carries the old status"
    assert outcomes[-1] is Outcome.READY


def test_a_bad_update_that_keeps_the_old_pod_serving_is_not_ready():
    stuck = [one for one in deployments("09m-fail-bad-update-keeps-old") if one.observed_generation == 2]
    assert stuck
    assert all(verdict(Snapshot(one)).outcome is not Outcome.READY for one in stuck)


@pytest.mark.parametrize("recording", ["09e-fail-crash-loop", "09g-fail-oom-killed", "09i-fail-command-missing"])
def test_one_or_two_crashes_are_no_verdict_yet(recording):
    for pods in pod_lists(recording):
        for pod in pods:
            assert max((one.restarts for one in pod.containers), default=0) < 3
        assert find_trouble(Snapshot(healthy(available=0), pods)) is None


def test_the_third_crash_fails_at_once_with_what_the_process_said():
    verdict_ = verdict(shown(Container("n8n", restarts=3, exit_reason="Error", exit_code=1)))
    assert (verdict_.outcome, verdict_.code) == (Outcome.FAILED, "crash_loop")
    assert verdict_.parameters == {"container": "n8n", "exit_code": 1, "restarts": 3}


def test_a_process_killed_for_its_memory_is_told_apart_while_it_runs_again():
    state = Container("n8n", running=True, restarts=3, exit_reason="OOMKilled", exit_code=137)
    assert verdict(shown(state)).code == "out_of_memory"


def test_the_oom_recording_is_read_from_the_last_state_too():
    reasons = [one.exit_reason for pods in pod_lists("09g-fail-oom-killed") for pod in pods for one in pod.containers]
    running = [
        one for pods in pod_lists("09g-fail-oom-killed") for pod in pods for one in pod.containers if one.running
    ]
    assert "OOMKilled" in reasons
    assert any(one.exit_reason == "OOMKilled" for one in running)


@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff"])
def test_a_pull_that_fails_may_heal_for_a_minute(reason):
    waiting = shown(Container("n8n", waiting_reason=reason, image="n8nio/n8n:9"))
    seen = {"image_not_found": BEGIN}
    early = judge(waiting, RUNNING, now=BEGIN + timedelta(seconds=59), deadline=DEADLINE, seen=seen)
    late = judge(waiting, RUNNING, now=BEGIN + timedelta(seconds=60), deadline=DEADLINE, seen=seen)
    assert (early.outcome, late.outcome) == (Outcome.PROGRESSING, Outcome.FAILED)
    assert late.parameters["image"] == "n8nio/n8n:9"


@pytest.mark.parametrize("code", sorted(PATIENCE))
def test_no_patience_outlasts_the_deadline(code):
    assert PATIENCE[code] < DEADLINE - BEGIN


def test_a_trouble_at_the_deadline_is_the_reason_of_the_failure():
    waiting = shown(Container("n8n", waiting_reason="CreateContainerConfigError"))
    assert verdict(waiting, at=DEADLINE).code == "config_missing"
    assert verdict(waiting, at=DEADLINE).outcome is Outcome.FAILED


def test_never_ready_shows_no_trouble_and_ends_at_the_deadline():
    running = shown(Container("n8n", running=True))
    before = verdict(running, at=DEADLINE - timedelta(seconds=1))
    assert (before.outcome, before.code, before.steps) == (Outcome.PROGRESSING, "", ("scheduled", "started"))
    after = verdict(running, at=DEADLINE)
    assert (after.outcome, after.code) == (Outcome.FAILED, "not_ready_in_time")


def test_ready_wins_over_a_deadline_that_passed_while_nobody_looked():
    assert verdict(Snapshot(healthy()), at=DEADLINE + timedelta(hours=1)).outcome is Outcome.READY


def test_a_missing_deployment_waits_for_the_deadline():
    assert verdict(Snapshot(None)).outcome is Outcome.PROGRESSING
    assert verdict(Snapshot(None), at=DEADLINE).outcome is Outcome.FAILED


def test_an_older_restart_or_another_number_of_replicas_is_not_ours_yet():
    assert verdict(Snapshot(healthy()), Wanted(1, "2026-03-10T05:00:00+00:00")).outcome is Outcome.PROGRESSING
    assert verdict(Snapshot(healthy()), STOPPED).outcome is Outcome.PROGRESSING


def test_stopped_means_that_the_last_pod_is_gone():
    empty = healthy(wanted=0, available=0)
    leaving = Pod("n8n-1", template=("", ""), leaving=True)
    assert verdict(Snapshot(empty, (leaving,)), STOPPED).outcome is Outcome.PROGRESSING
    assert verdict(Snapshot(empty), STOPPED).outcome is Outcome.READY
    assert verdict(Snapshot(empty, (leaving,)), STOPPED, at=DEADLINE).outcome is Outcome.PROGRESSING


def test_the_recorded_scale_to_zero_ends_stopped():
    zero = [one for one in deployments("10-scale-to-zero-and-back") if one.wanted_replicas == 0]
    assert any(verdict(Snapshot(one), STOPPED).outcome is Outcome.READY for one in zero)


def test_pods_of_the_roll_out_before_are_not_held_against_the_new_one():
    crashed = Pod("old", ("", ""), containers=(Container("n8n", restarts=9),))
    new = healthy(available=0, template=("2026-03-10T05:00:00+00:00", ""))
    assert find_trouble(Snapshot(new, (crashed,))) is None


def test_a_status_that_speaks_of_an_older_generation_names_no_trouble():
    stale = healthy(available=0, observed=0)
    assert verdict(Snapshot(stale, (crashing_pod(),))).outcome is Outcome.PROGRESSING


def test_a_sidecar_that_crashes_counts_like_the_app_itself():
    body = {
        "metadata": {"name": "p"},
        "status": {"initContainerStatuses": [{"name": "database", "restartCount": 3, "state": {}}]},
    }
    assert find_trouble(Snapshot(healthy(available=0), (read_pod(body),))).parameters["container"] == "database"


def test_both_shapes_of_event_times_are_read():
    events = [read_event(item) for answer in answers("14-events") for item in event_items(answer)]
    assert len(events) > 5
    assert any(event.warning for event in events)


def event_items(answer: dict[str, Any]) -> list[dict[str, Any]]:
    body = answer.get("body")
    if not isinstance(body, dict) or body.get("kind") != "EventList":
        return []
    return json.loads(
        json.dumps(body["items"])
        .replace("<time-micro>", "2026-01-31T12:00:00.000001Z")
        .replace("<time>", "2026-01-31T12:00:00Z")
    )


def healthy(
    *, wanted: int = 1, available: int = 1, observed: int = 1, template: tuple[str, str] = ("", "")
) -> Deployment:
    return Deployment(
        generation=1, observed_generation=observed, wanted_replicas=wanted, replicas=wanted,
        updated_replicas=wanted, available_replicas=available, template=template,
    )  # fmt: skip


def shown(container: Container) -> Snapshot:
    return Snapshot(healthy(available=0), (Pod("n8n-1", ("", ""), scheduled=True, containers=(container,)),))


def crashing_pod() -> Pod:
    return Pod("n8n-1", ("", ""), scheduled=True, containers=(Container("n8n", restarts=5),))
