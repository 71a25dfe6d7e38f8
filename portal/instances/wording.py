"""Instances in words: steps, events, reasons. Codes are stored; this is what people read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.instances.models import Instance, InstanceDomain, InstanceEvent, WantedState
from portal.web.states import Shown

PLAN: dict[str, Any] = {
    "applied": _l("Reserve a place for it"),
    "scheduled": _l("Find a server with room"),
    "started": _l("Download and start the software"),
    "healthy": _l("Wait until the app says it is well"),
    "ready": _l("Reach it at its public address"),
}
"""The steps of a roll-out, in order, as things to do."""

STOP_PLAN: dict[str, Any] = {"applied": _l("Ask the app to finish"), "stopped": _l("Wait until it has ended")}

BEGINNINGS = ("_requested", "_started", "variables_saved", "suspended", "resumed", "maintenance_ended")
"""How the codes end that begin a roll-out."""

EVENTS: dict[str, Any] = {
    "ordered": _l("You ordered it"),
    "provisioning_started": _l("We began to set it up"),
    "applied": _l("Its place is reserved"),
    "scheduled": _l("A server with room was found"),
    "started": _l("The software was downloaded and started"),
    "healthy": _l("The app says it is well"),
    "ready": _l("It answers at its public address"),
    "start_requested": _l("You started it"),
    "stop_requested": _l("You stopped it"),
    "restart_requested": _l("You restarted it"),
    "operator_restart_started": _l("We restarted it"),
    "maintenance_begun": _l("We are working on it"),
    "maintenance_ended": _l("Our work on it is done"),
    "suspended": _l("Its subscription was suspended"),
    "resumed": _l("Its subscription goes on"),
    "resize_started": _l("Its plan was changed; it is given its new size"),
    "resize_undone": _l("The change of plan did not work out; it gets its former size back"),
    "volume_grown": _l("Its volume has grown; no data was moved"),
    "volume_stays_larger": _l("Its volume had grown already and stays that large, at no cost"),
    "update_requested": _l("You asked for its update"),
    "updated": _l("It was updated"),
    "update_failed": _l("The update did not come up"),
    "roll_back_started": _l("We went back to the version before"),
    "variables_changed": _l("You changed its variables"),
    "variables_saved": _l("It restarts to read its variables"),
    "domain_added": _l("You asked for a domain"),
    "domain_verified": _l("A domain leads to it"),
    "domain_lost": _l("A domain no longer leads to it"),
    "domain_removed": _l("You removed a domain"),
    "stopped": _l("It has stopped; its data stays"),
    "outage": _l("It does not come up"),
    "failed": _l("It could not be set up"),
    "deletion_started": _l("You deleted it"),
    "cleaned_up": _l("Everything it used was removed"),
    "image_not_found": _l("The software could not be downloaded yet; we keep trying"),
    "config_missing": _l("A setting has not arrived yet; we keep trying"),
    "no_capacity": _l("No server has room yet; we keep looking"),
    "quota": _l("An older copy still holds its place; we keep trying"),
    "refused": _l("The cluster does not accept it yet; we keep trying"),
    "cluster_unavailable": _l("The cluster did not answer; we keep trying"),
}

REASONS: dict[str, Any] = {
    "image_not_found": _l("Its software could not be downloaded."),
    "image_name_invalid": _l("Its software could not be found under the name we use. That is our mistake."),
    "crash_loop": _l("It stopped again and again right after its start."),
    "out_of_memory": _l("It needs more memory than its plan has."),
    "config_missing": _l("A setting it needs was missing. That is our mistake."),
    "no_capacity": _l("No server had room for it."),
    "quota": _l("Its place was still taken by something else."),
    "refused": _l("Our cluster refused it. That is our mistake."),
    "not_ready_in_time": _l("It did not become ready in time."),
    "address_silent": _l("It runs, but its public address did not answer."),
    "cluster_unavailable": _l("Our cluster did not answer."),
    "data_missing": _l("Its storage was not found. We do not start it on an empty one: that would hide the loss."),
    "app_unknown": _l("We no longer know how to set up this app. That is our mistake."),
}
OTHER_REASON = _l("Something broke on our side.")

VARIABLE_PROBLEMS: dict[str, Any] = {
    "name_signs": _l("A name has letters, digits and underscores, and begins with a letter or an underscore."),
    "name_long": _l("A name has at most 100 characters."),
    "name_of_the_app": _l("The app's own setup uses this name: changing it would cut it off from its data or address."),
    "name_reserved": _l("The system uses this name. Choose another one."),
    "value_missing": _l("Give it a value."),
    "value_hidden": _l("A secret value is never shown again. To make it readable, type it anew."),
    "value_signs": _l("A value may not hold control characters."),
    "value_long": _l("A value has at most 32 KiB."),
    "twice": _l("The same name stands here twice. Nothing was saved."),
    "too_many": _l("At most 50 variables. Nothing was saved."),
    "too_large": _l("All variables together may have at most 64 KiB. Nothing was saved."),
}

HOST_PROBLEMS: dict[str, Any] = {
    "no_host": _l("This is not a domain. Write it like blog.example.com, without path or port."),
    "wildcard": _l("One domain at a time: an asterisk cannot be used."),
    "address": _l("This is an address in numbers. A domain has a name."),
    "ours": _l("This domain is ours. Use one of your own."),
    "not_public": _l("This name is not known on the internet. Write the whole domain, like blog.example.com."),
    "public_suffix": _l("Under this ending anybody can have a domain; it is not one itself."),
}

DOMAIN_PROBLEMS: dict[str, Any] = {
    "proof_missing": _l("The TXT record is not there yet. Changes may take up to an hour to be seen."),
    "proof_wrong": _l("There is a TXT record, but with another text. Copy it from here once more."),
    "address_missing": _l("The domain leads nowhere yet: the second record is missing."),
    "points_elsewhere": _l("The domain also leads somewhere else: %(found)s. Remove that record."),
    "in_use": _l("The domain leads to another app, whose TXT record is still there. Remove that one first."),
    "taken_over": _l("Somebody else proved that the domain is theirs."),
    "no_answer": _l("The name servers of the domain did not answer. We ask again."),
    "app_deleted": _l("The app was deleted."),
}

PHASES = {
    "RESIZING": Shown(_l("Changing size"), "progress", "busy"),
    "STARTING": Shown(_l("Starting"), "progress", "busy"),
    "STOPPING": Shown(_l("Stopping"), "progress", "busy"),
    "DELETING": Shown(_l("Being deleted"), "trash", "busy"),
}
"""What is under way, beside the states of `web.states`."""

CLUSTER_EVENTS: dict[str, Any] = {
    "Scheduled": _l("Placed on a server"),
    "Pulling": _l("Downloading the software"),
    "Pulled": _l("The software is on the server"),
    "Created": _l("A container was made"),
    "Started": _l("A container was started"),
    "Killing": _l("A container is being ended"),
    "SuccessfulCreate": _l("A new copy was made"),
    "SuccessfulDelete": _l("An old copy was removed"),
    "ScalingReplicaSet": _l("The number of copies changed"),
    "ProvisioningSucceeded": _l("The storage is ready"),
    "Unhealthy": _l("A health check failed"),
    "BackOff": _l("Waiting before the next try"),
    "Failed": _l("A container could not be started"),
    "FailedScheduling": _l("No server had room"),
    "FailedCreate": _l("A copy could not be made"),
    "FailedMount": _l("The storage could not be attached yet"),
    "OOMKilling": _l("Ended because it used too much memory"),
    "Evicted": _l("Moved away from a full server"),
}


@dataclass(frozen=True)
class Step:
    """One line of the timeline: `state` is done, now, todo or failed."""

    title: Any
    state: str
    at: datetime | None = None
    text: Any = ""


def reason(code: str | None) -> Any:
    """Why it failed, as a sentence."""
    return REASONS.get(code or "", OTHER_REASON)


def progress(instance: Instance) -> list[Step]:
    """The steps of the roll-out under way, or of the one that failed. Needs `events` loaded."""
    events = _latest_roll_out(instance.events)
    reached = {event.code: event.happened_at for event in events}
    plan = STOP_PLAN if instance.wanted == WantedState.STOPPED else PLAN
    waiting = "failed" if instance.failure_code else "now"
    steps = []
    for code, title in plan.items():
        if code in reached:
            steps.append(Step(title, "done", reached[code]))
            continue
        trouble = _trouble(events) if waiting == "now" else ""
        steps.append(Step(title, waiting, text=trouble))
        waiting = "todo"
    return steps


def history(instance: Instance) -> list[Step]:
    """Everything that ever happened, newest first. Needs `events` loaded."""
    tone = {"failed": "failed", "outage": "failed", "update_failed": "failed", "domain_lost": "failed"}
    return [
        Step(EVENTS.get(event.code, event.code), tone.get(event.code, "done"), event.happened_at, _detail(event))
        for event in reversed(instance.events)
    ]


def domain_problem(domain: InstanceDomain) -> str:
    """What the last look missed, as a sentence; empty when nothing."""
    words = DOMAIN_PROBLEMS.get(domain.failure_code or "", "")
    return str(words) % domain.failure_parameters if words else ""


def began_with(instance: Instance) -> str:
    """The code of what began the newest roll-out. Needs `events` loaded."""
    begun = [event.code for event in instance.events if event.code.endswith(BEGINNINGS)]
    return begun[-1] if begun else ""


def elapsed(since: datetime, now: datetime) -> str:
    """`45 s`, `2 min 05 s`."""
    seconds = max(0, int((now - since) / timedelta(seconds=1)))
    if seconds < 60:
        return _("%(seconds)d s", seconds=seconds)
    return _("%(minutes)d min %(seconds)02d s", minutes=seconds // 60, seconds=seconds % 60)


def _latest_roll_out(events: Sequence[InstanceEvent]) -> list[InstanceEvent]:
    """The events of one roll-out share the part of their key before the colon."""
    keys = [event.unique_key.partition(":")[0] for event in events if ":" in event.unique_key]
    return [event for event in events if keys and event.unique_key.startswith(f"{keys[-1]}:")]


def _trouble(events: Sequence[InstanceEvent]) -> Any:
    """The newest trouble, as long as no step came after it."""
    newest = events[-1].code if events else ""
    return EVENTS[newest] if newest in REASONS and newest in EVENTS else ""


def _detail(event: InstanceEvent) -> Any:
    if event.code.startswith("domain_"):
        return event.parameters.get("host", "")
    if event.code == "variables_changed":
        return ", ".join(event.parameters.get("names", []))
    if event.code == "updated":
        return event.parameters.get("version", "")
    return reason(event.parameters.get("reason")) if event.code in ("failed", "outage", "update_failed") else ""
