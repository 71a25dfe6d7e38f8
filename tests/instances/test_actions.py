"""The verbs of instances on real rows."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from portal.core import clock
from portal.core.db import db, transaction
from portal.core.ids import new_id
from portal.core.outbox import OutboxMessage
from portal.instances import actions, queries
from portal.instances.errors import CannotRestart, CannotStart, CannotStop, InstanceNotFound, UnknownApp
from portal.instances.models import InstanceEvent
from portal.provisioning.manifests.wanted import INSTANCE_NAME
from tests.conftest import NOON
from tests.instances.world import again, timeline


def make(customer, slug="n8n"):
    with transaction() as session:
        return actions.create(
            session, customer=customer, subscription_id=new_id(), service_slug=slug, service_name=slug,
            cpu_millicores=500, memory_mib=512, storage_gib=1, now=clock.now(),
        )  # fmt: skip


def do(verb, instance, **more):
    with transaction() as session:
        return verb(session, instance.id, now=clock.now(), **more)


def queued(name):
    statement = sa.select(sa.func.count()).where(OutboxMessage.name == name)
    return db.session().scalar(statement)


@pytest.fixture
def instance(ayu):
    return again(make(ayu.customer))


def test_a_new_instance_has_a_name_secrets_and_work_that_waits(instance, ayu):
    assert INSTANCE_NAME.fullmatch(instance.name)
    assert instance.name.startswith("n8n-")
    assert len(instance.name) == len("n8n-") + 6
    assert queries.secrets_of(db.session(), instance.id)
    assert timeline(instance) == ["ordered"]
    assert queued("instances.provision") == 1


def test_secrets_are_unreadable_in_the_database(instance):
    plain = queries.secrets_of(db.session(), instance.id)
    stored = db.session().execute(sa.text("SELECT name, value FROM instance_secret")).all()
    assert all(plain[row.name] not in row.value for row in stored)


def test_a_secret_that_exists_is_kept_and_one_the_template_gained_is_made(instance):
    before = queries.secrets_of(db.session(), instance.id)
    lost = sorted(before)[0]
    with transaction() as session:
        session.execute(sa.text("DELETE FROM instance_secret WHERE name = :name"), {"name": lost})
    with transaction() as session:
        after = actions.complete_secrets(session, actions.locked(session, instance.id))
    assert after.keys() == before.keys()
    assert {name: value for name, value in after.items() if name != lost} == {
        name: value for name, value in before.items() if name != lost
    }


def test_no_template_no_instance(ayu):
    with pytest.raises(UnknownApp):
        make(ayu.customer, slug="no-such-app")
    assert queued("instances.provision") == 0


def test_the_five_minutes_begin_once(instance):
    for _ in range(2):
        with transaction() as session:
            row = actions.locked(session, instance.id)
            actions.begin_roll_out(session, row, now=clock.now())
        clock.advance(timedelta(seconds=10))
    assert again(instance).deadline_at == NOON + timedelta(minutes=5)
    assert timeline(instance).count("provisioning_started") == 1


def test_a_step_is_written_once_per_roll_out(instance):
    with transaction() as session:
        row = actions.locked(session, instance.id)
        actions.begin_roll_out(session, row, now=clock.now())
        assert actions.mark_step(session, row, "scheduled", now=clock.now())
        assert not actions.mark_step(session, row, "scheduled", now=clock.now())
        actions.mark_ready(session, row, now=clock.now())
    clock.advance(timedelta(seconds=1))
    do(actions.stop, instance)
    do(actions.start, instance)
    with transaction() as session:
        assert actions.mark_step(session, actions.locked(session, instance.id), "scheduled", now=clock.now())
    assert timeline(instance).count("scheduled") == 2


@pytest.mark.parametrize(
    "verb, error", [(actions.start, CannotStart), (actions.stop, CannotStop), (actions.restart, CannotRestart)]
)
def test_a_verb_out_of_turn_is_refused_and_changes_nothing(instance, verb, error):
    with pytest.raises(error):
        do(verb, instance)
    assert timeline(instance) == ["ordered"]
    with pytest.raises(InstanceNotFound), transaction() as session:
        verb(session, new_id(), now=clock.now())


def test_a_fence_falls_once_and_for_good(instance):
    assert do(actions.fence, instance, failure_code="quota", failure_parameters={"a": 1})
    assert not do(actions.fence, instance)
    instance = again(instance)
    assert (instance.state, instance.wanted, instance.failure_code) == ("ERROR", "ABSENT", "quota")
    assert queued("instances.clean_up") == 1
    for verb, error in ((actions.start, CannotStart), (actions.stop, CannotStop), (actions.restart, CannotRestart)):
        with pytest.raises(error):
            do(verb, instance)


def test_an_app_that_ran_cannot_fail_its_first_roll_out(instance):
    with transaction() as session:
        row = actions.locked(session, instance.id)
        actions.begin_roll_out(session, row, now=clock.now())
        assert actions.mark_ready(session, row, now=clock.now())
        assert not actions.mark_ready(session, row, now=clock.now())
    assert not do(actions.fence, instance, failure_code="crash_loop")
    assert again(instance).fenced_at is None


def test_the_clean_up_is_confirmed_once_and_only_behind_a_fence(instance):
    with pytest.raises(AssertionError):
        do(actions.mark_cleaned_up, instance)
    do(actions.fence, instance)
    assert do(actions.mark_cleaned_up, instance)
    assert not do(actions.mark_cleaned_up, instance)
    assert timeline(instance).count("cleaned_up") == 1


def test_events_never_carry_a_secret(instance):
    secrets = queries.secrets_of(db.session(), instance.id).values()
    do(actions.fence, instance)
    written = str([event.parameters for event in db.session().scalars(sa.select(InstanceEvent))])
    assert not any(secret in written for secret in secrets)
