"""Which state may follow which, and what a customer may ask for. Pure: buttons and actions ask the same."""

from __future__ import annotations

from datetime import datetime, timedelta

from portal.instances.models import Instance, InstanceState, WantedState

PENDING, PROVISIONING, RUNNING, STOPPED, SUSPENDED, ERROR, TERMINATED, MAINTENANCE = InstanceState

MOVES: dict[InstanceState, frozenset[InstanceState]] = {
    # from          to
    PENDING: frozenset({PROVISIONING, ERROR, TERMINATED}),
    PROVISIONING: frozenset({RUNNING, STOPPED, SUSPENDED, ERROR, TERMINATED, MAINTENANCE}),
    RUNNING: frozenset({PROVISIONING, STOPPED, SUSPENDED, ERROR, TERMINATED, MAINTENANCE}),
    STOPPED: frozenset({PROVISIONING, SUSPENDED, ERROR, TERMINATED, MAINTENANCE}),
    SUSPENDED: frozenset({PROVISIONING, STOPPED, ERROR, TERMINATED, MAINTENANCE}),
    ERROR: frozenset({PROVISIONING, RUNNING, STOPPED, SUSPENDED, TERMINATED, MAINTENANCE}),
    MAINTENANCE: frozenset({PROVISIONING, RUNNING, STOPPED, SUSPENDED, ERROR, TERMINATED}),
    TERMINATED: frozenset(),
}
"""Every allowed move. Nothing leaves TERMINATED, and a fenced instance (`can_move`) only ends."""

ENDS = frozenset({ERROR, TERMINATED})
CLEAN_UP_PAUSE_MIN = timedelta(seconds=3)
OBSERVE_PAUSE_MAX = timedelta(minutes=10)


def can_move(instance: Instance, to: InstanceState) -> bool:
    """Whether the state may become `to`. To stay is no move. Fenced: nothing may start it again."""
    if instance.fenced_at is not None and to not in ENDS:
        return False
    return to in MOVES[InstanceState(instance.state)]


def can_start(instance: Instance) -> bool:
    """Stopped, or stopping right now."""
    return _is_customers(instance) and instance.wanted == WantedState.STOPPED


def can_stop(instance: Instance) -> bool:
    """Meant to run, and has run once: a first roll-out ends in success or in a refund."""
    return _is_customers(instance) and instance.wanted == WantedState.RUNNING and instance.ready_at is not None


def can_restart(instance: Instance) -> bool:
    """As `can_stop`, but not while a start or restart is under way: clicks do not pile up."""
    return can_stop(instance) and instance.state in (RUNNING, ERROR)


def can_resize(instance: Instance) -> bool:
    """May it be given another size? It has run, and nobody else is changing what it is. Broken is no hindrance:
    more memory may be just what it lacks."""
    return can_delete(instance) and _is_customers(instance) and instance.update_from_version is None


def is_resizing(instance: Instance) -> bool:
    """It is being given another size, and has neither come up with it nor been stopped since."""
    return instance.resized_from_cpu_millicores is not None


def can_update(instance: Instance) -> bool:
    """As `can_restart`, and nobody else is changing what it is."""
    return can_restart(instance) and not is_updating(instance) and not is_resizing(instance)


def is_updating(instance: Instance) -> bool:
    """An update is neither completed nor taken back yet, perhaps because the app was stopped meanwhile."""
    return instance.update_from_version is not None


def can_configure(instance: Instance) -> bool:
    """May its variables and domains be changed? As long as it exists, even before it is paid again."""
    return instance.fenced_at is None and _has_run(instance)


def runs(instance: Instance) -> bool:
    """It is meant to run, and nobody else has it in hand: a change of what it is needs a roll-out."""
    return _is_customers(instance) and instance.wanted == WantedState.RUNNING


def can_read_logs(instance: Instance) -> bool:
    """There may be a pod to ask."""
    return instance.fenced_at is None and instance.state != PENDING


def can_see_use(instance: Instance) -> bool:
    """It has run, so that there is something to show."""
    return instance.fenced_at is None and _has_run(instance)


def can_see_credentials(instance: Instance) -> bool:
    """As long as the app exists; they are of no use before its first start."""
    return instance.fenced_at is None and _has_run(instance)


def can_delete(instance: Instance) -> bool:
    """What is not ending already; not in the first roll-out, which ends by itself within minutes."""
    return instance.fenced_at is None and _has_run(instance)


def can_reconcile(instance: Instance) -> bool:
    """For operators: to apply what is wanted once more is safe whenever something is wanted."""
    return instance.fenced_at is None and instance.state != PENDING


def can_begin_maintenance(instance: Instance) -> bool:
    """For operators: an app that has run, settled or broken, with no change of what it is under way."""
    rests = instance.state in (RUNNING, STOPPED, SUSPENDED, ERROR)
    return rests and can_configure(instance) and not is_updating(instance) and not is_resizing(instance)


def can_end_maintenance(instance: Instance) -> bool:
    return instance.fenced_at is None and instance.state == MAINTENANCE


def is_first_roll_out(instance: Instance) -> bool:
    """It never ran yet: its failure is refunded. A later failure is an outage, not a failed delivery."""
    return not _has_run(instance)


def is_settled(instance: Instance) -> bool:
    """It has run, and nothing is under way: what is applied now only repairs."""
    return _has_run(instance) and instance.fenced_at is None and instance.deadline_at is None


def is_unfinished(instance: Instance) -> bool:
    """Something is under way that the page should show as it happens."""
    if instance.fenced_at is not None:
        return instance.cleaned_up_at is None
    return instance.state == PENDING or instance.deadline_at is not None


def clean_up_pause(*, fenced_at: datetime, now: datetime) -> timedelta:
    """How long to wait before looking again whether everything is gone: a tenth of the time it took so far,
    at least 3 s and at most 10 minutes. For ever: what is not confirmed gone keeps its slot."""
    return min(max((now - fenced_at) / 10, CLEAN_UP_PAUSE_MIN), OBSERVE_PAUSE_MAX)


def check_pause(*, interval: timedelta, deadline_at: datetime, now: datetime) -> timedelta:
    """The usual interval until the deadline, then slower and slower: an outage is watched, not hammered."""
    if now <= deadline_at:
        return interval
    return min(max((now - deadline_at) / 10, interval), OBSERVE_PAUSE_MAX)


def no_answer_pause(*, interval: timedelta, since: datetime, deadline_at: datetime | None, now: datetime) -> timedelta:
    """Before a cluster that does not answer is asked again: a quarter of the time it was asked for so far, at least the
    usual interval and at most 10 minutes. The deadline is still met to the second."""
    pause = min(max((now - since) / 4, interval), OBSERVE_PAUSE_MAX)
    return max(min(pause, deadline_at - now), interval) if deadline_at is not None and deadline_at > now else pause


def _is_customers(instance: Instance) -> bool:
    """Neither ending, nor suspended for money, nor in an administrator's hands."""
    return instance.fenced_at is None and instance.state not in (SUSPENDED, TERMINATED, MAINTENANCE)


def _has_run(instance: Instance) -> bool:
    return instance.ready_at is not None
