"""What the customer sets for the app: environment variables, saved together, in force after one restart."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from portal.instances import queries, rules, variables
from portal.instances.actions.running import locked, record_event, want
from portal.instances.apps import app_template
from portal.instances.errors import BadVariables, CannotConfigure, VariablesChanged
from portal.instances.models import Instance, InstanceVariable, WantedState
from portal.instances.variables import Change, Stored


def save_variables(
    session: Session, instance_id: UUID, changes: Sequence[Change], *, revision: str, now: datetime
) -> list[str]:
    """Makes all the changes or none and, when the app runs, begins one roll-out; returns the names that changed.

    `revision` is what the customer saw: `VariablesChanged` when somebody saved since. `BadVariables` when a row is not
    allowed, `CannotConfigure` when the app has not run yet, is ending, or is being given another size.
    """
    instance = locked(session, instance_id)
    if not rules.can_configure(instance) or rules.is_resizing(instance):
        raise CannotConfigure
    stored = queries.variables_of(session, instance_id)
    if variables.revision(stored.values()) != revision:
        raise VariablesChanged
    _check(changes, stored, instance)
    changed = _write(session, instance_id, changes, stored, now=now)
    if changed:
        _put_in_force(session, instance, changed, now=now)
    return changed


def _check(changes: Sequence[Change], stored: dict[str, Stored], instance: Instance) -> None:
    reserved = variables.reserved_names(app_template(instance.service_slug))
    found = [code for change in changes if (code := variables.problem(change, stored, reserved))]
    if found or variables.common_problem(changes, stored):
        raise BadVariables


def _write(
    session: Session, instance_id: UUID, changes: Sequence[Change], stored: dict[str, Stored], *, now: datetime
) -> list[str]:
    before = {name: (one.value, one.secret) for name, one in stored.items()}
    after = variables.merged(changes, stored)
    fresh = {name: pair for name, pair in after.items() if before.get(name) != pair}
    gone = sorted(before.keys() - after.keys())
    if gone:
        names = (InstanceVariable.instance_id == instance_id, InstanceVariable.name.in_(gone))
        session.execute(delete(InstanceVariable).where(*names).execution_options(synchronize_session=False))
    for name, (value, secret) in fresh.items():
        _write_one(session, instance_id, name, value, secret=secret, now=now)
    return sorted([*fresh, *gone])


def _write_one(session: Session, instance_id: UUID, name: str, value: str, *, secret: bool, now: datetime) -> None:
    facts = {"value": value, "secret": secret, "changed_at": now}
    statement = upsert(InstanceVariable).values(instance_id=instance_id, name=name, **facts)
    session.execute(statement.on_conflict_do_update(index_elements=["instance_id", "name"], set_=facts))


def _put_in_force(session: Session, instance: Instance, names: list[str], *, now: datetime) -> None:
    """One that rests reads them at its next start. The timeline names them and never tells a value."""
    key = f"variables_changed:{now.timestamp():.6f}"
    record_event(session, instance.id, "variables_changed", unique_key=key, now=now, names=names)
    if rules.runs(instance):
        instance.restarted_at = now
        want(session, instance, WantedState.RUNNING, "variables_saved", now=now)
