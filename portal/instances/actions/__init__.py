"""What happens to an instance, one function per verb: lock the row, ask `rules`, write, record an event."""

from portal.instances.actions.health import close_resting, record_checks, record_unclear
from portal.instances.actions.running import (
    begin_roll_out,
    complete_secrets,
    create,
    fence,
    locked,
    mark_cleaned_up,
    mark_outage,
    mark_ready,
    mark_step,
    mark_stopped,
    record_event,
    restart,
    roll_out_key,
    start,
    stop,
)
from portal.instances.actions.suspending import resume, suspend

__all__ = [
    "begin_roll_out", "complete_secrets", "create", "fence", "locked", "mark_cleaned_up", "mark_outage", "mark_ready",
    "mark_step", "mark_stopped", "record_event", "restart", "resume", "roll_out_key", "start", "stop",
    "suspend",
]  # fmt: skip
