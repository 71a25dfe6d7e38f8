"""What happens to an instance, one function per verb: lock the row, ask `rules`, write, record an event."""

from portal.instances.actions.configuring import save_variables
from portal.instances.actions.domains import add_domain, claim_due, record_check, remove_domain
from portal.instances.actions.drifting import Repairs, record_drift, repair_drift
from portal.instances.actions.health import close_resting, record_checks, record_unclear
from portal.instances.actions.measuring import record_use
from portal.instances.actions.operating import (
    begin_maintenance,
    end_maintenance,
    note_log_read,
    reconcile,
    restart_for_operator,
)
from portal.instances.actions.resizing import forget_former_size, present, record_volume, resize, want_volume
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
from portal.instances.actions.updating import finish_update, roll_back_update, update

__all__ = [
    "Repairs", "add_domain", "begin_maintenance", "begin_roll_out", "claim_due", "close_resting",
    "complete_secrets", "create", "end_maintenance", "fence", "finish_update", "forget_former_size", "locked",
    "mark_cleaned_up", "mark_outage", "mark_ready", "mark_step", "mark_stopped", "note_log_read", "present",
    "reconcile", "record_check", "record_checks", "record_drift", "record_event", "record_unclear", "record_use",
    "record_volume", "remove_domain", "repair_drift", "resize", "restart", "restart_for_operator", "resume",
    "roll_back_update", "roll_out_key", "save_variables", "start", "stop", "suspend", "update", "want_volume",
]  # fmt: skip
