"""The periodic look at every running app's public address: history, outages, and who hears of them once."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from config import settings
from jobs import health
from portal.core import clock
from portal.core.db import db, transaction
from portal.instances import actions, history
from portal.instances.checks import INTERVAL, Check, Due
from portal.instances.models import InstanceHealthHour, InstanceState
from sandbox.kubernetes.kinds import PODS
from tests.instances.rounds import check_again, heard, mailed, neighbours, outages, silenced
from tests.instances.world import again


def hours(instance):
    db.session.rollback()
    statement = sa.select(InstanceHealthHour).where(InstanceHealthHour.instance_id == instance.id)
    return list(db.session().scalars(statement.order_by(InstanceHealthHour.hour)))


@pytest.fixture
def mine(world, ayu):
    return world.buy_running(ayu.customer)


def test_an_app_that_answers_is_noted_as_well(mine):
    assert health.check_apps() == {"asked": 1, "silent": 0, "told": 0, "unclear": 0}
    assert again(mine).health == "ANSWERS"
    assert again(mine).health_checked_at == clock.now()


def test_a_silent_app_is_noted_and_left_running(world, mine):
    with silenced(world, mine):
        assert health.check_apps()["silent"] == 1
    assert again(mine).health == "SILENT"
    assert again(mine).state == "RUNNING"
    assert outages(mine) == []


def test_an_app_on_its_way_is_not_asked(world, ayu):
    world.buy(ayu.customer)
    assert health.check_apps()["asked"] == 0


def test_checks_are_summed_by_the_hour(world, mine):
    check_again(12)
    with silenced(world, mine):
        check_again(2)
    assert [(one.asked, one.answered) for one in hours(mine)] == [(11, 11), (3, 1)]
    assert hours(mine)[0].took_ms_max <= hours(mine)[0].took_ms_sum


def test_the_third_silence_in_a_row_is_an_outage_and_is_told_once(world, mine):
    with silenced(world, mine):
        check_again()
        first_silent = clock.now()
        check_again()
        assert (outages(mine), heard(mine)) == ([], [])
        check_again(6)
    [outage] = outages(mine)
    assert (outage.began_at, outage.ended_at) == (first_silent, None)
    assert heard(mine) == ["app_silent"]
    assert len(mailed("app_silent")) == 1


def test_the_first_answer_ends_it_and_says_how_long_it_was(world, mine):
    with silenced(world, mine):
        check_again(4)
    check_again(3)
    [outage] = outages(mine)
    assert outage.ended_at - outage.began_at == 4 * INTERVAL
    assert heard(mine) == ["app_silent", "app_answers_again"]
    assert mailed("app_answers_again")[0].parameters["away_minutes"] == 20


def test_two_silences_with_an_answer_between_are_no_outage(world, mine):
    for _ in range(4):
        with silenced(world, mine):
            check_again(2)
        check_again()
    assert (outages(mine), heard(mine)) == ([], [])


def test_silences_hours_apart_are_not_in_a_row(world, mine):
    for _ in range(3):
        clock.advance(timedelta(hours=2))
        with silenced(world, mine):
            check_again()
    assert outages(mine) == []
    assert again(mine).silent_count == 1


def test_an_app_that_comes_and_goes_all_day_is_told_of_a_few_times(world, mine):
    """Four rounds silent, two well, for half a day: 24 outages stand on the page, three of them are told."""
    for _ in range(24):
        with silenced(world, mine):
            check_again(4)
        check_again(2)
    assert len(outages(mine)) == 24
    assert heard(mine) == ["app_silent", "app_answers_again"] * 3


def test_an_outage_that_began_in_a_pause_is_told_when_it_lasts(world, mine):
    for _ in range(2):
        with silenced(world, mine):
            check_again(3)
        check_again()
    assert heard(mine) == ["app_silent", "app_answers_again"]
    with silenced(world, mine):
        check_again(13)
    assert heard(mine) == ["app_silent", "app_answers_again", "app_silent"]


def test_a_stopped_app_is_not_counted_and_its_outage_ends_without_a_word(world, mine):
    with silenced(world, mine):
        check_again(3)
        with transaction() as session:
            actions.stop(session, mine.id, now=clock.now())
        world.play()
        before = [(one.asked, one.answered) for one in hours(mine)]
        assert check_again(3)["asked"] == 0
    assert [(one.asked, one.answered) for one in hours(mine)] == before
    assert outages(mine)[0].ended_at is not None
    assert heard(mine) == ["app_silent"]


def test_an_app_that_restarts_is_not_asked_and_its_outage_ends_with_its_answer(world, mine):
    with silenced(world, mine):
        check_again(3)
        with transaction() as session:
            actions.restart(session, mine.id, now=clock.now())
        assert check_again()["asked"] == 0
        assert outages(mine)[0].ended_at is None
    world.play()
    check_again()
    assert heard(mine) == ["app_silent", "app_answers_again"]


def test_a_check_of_an_app_that_stopped_meanwhile_counts_nothing(mine):
    with transaction() as session:
        actions.stop(session, mine.id, now=clock.now())
    with transaction() as session:
        actions.record_checks(session, [Check(Due(mine.id, mine.name), answered=False)], now=clock.now())
    assert (hours(mine), again(mine).silent_count) == ([], 0)


@pytest.fixture
def operator(monkeypatch):
    monkeypatch.setenv("OPERATOR_EMAIL", "operator@example.com")
    settings.cache_clear()


def test_most_apps_silent_at_once_tells_the_operator_and_no_customer(world, mine, operator):
    others = neighbours(world, 3)
    well = others[0]
    with silenced(world, mine, *others[1:]):
        counts = check_again(10)
        assert (counts["asked"], counts["silent"], counts["unclear"]) == (4, 3, 1)
        assert again(mine).health == "UNCLEAR"
        assert again(well).health == "ANSWERS"
    assert outages(mine) == []
    assert heard(mine) == []
    assert [mail.to_address for mail in mailed("alert_apps_silent")] == ["operator@example.com"]
    check_again(3)
    assert again(mine).health == "ANSWERS"
    assert len(mailed("alert_over_apps_silent")) == 1
    assert sum(one.asked for one in hours(mine)) == sum(one.answered for one in hours(mine)) == 3


def test_an_operator_hears_of_a_lasting_trouble_at_its_beginning_and_once_a_day(world, mine, operator):
    others = neighbours(world, 2)
    with silenced(world, mine, *others):
        for _ in range(50):
            clock.advance(timedelta(minutes=55))
            check_again()
    assert len(mailed("alert_apps_silent")) == 3


def test_a_cluster_that_is_away_tells_no_customer_that_an_app_is_down(world, mine, operator):
    world.cluster.add_fault("error", path="/readyz", status=500)
    with silenced(world, mine):
        counts = check_again(5)
    assert counts["unclear"] == 1
    assert (outages(mine), heard(mine)) == ([], [])
    assert mailed("alert_apps_silent")[0].parameters["cluster_away"] == 1


def test_apps_that_answer_are_well_whatever_the_cluster_says(world, mine, operator):
    world.cluster.add_fault("error", path="/readyz", status=500)
    assert check_again()["unclear"] == 0
    assert again(mine).health == "ANSWERS"
    assert mailed("alert_apps_silent") == []


def test_one_broken_app_among_many_is_told_to_its_customer_alone(world, mine):
    others = neighbours(world, 2)
    with silenced(world, mine):
        check_again(3)
    assert heard(mine) == ["app_silent"]
    assert [heard(one) for one in others] == [[], []]


def test_an_app_that_somebody_is_changing_is_skipped_never_waited_for(world, mine, app):
    with db.engine.connect() as connection:
        connection.execute(sa.text("SELECT 1 FROM instance WHERE id = :id FOR UPDATE"), {"id": mine.id})
        check_again()
    assert again(mine).health_checked_at is None


def test_availability_counts_only_hours_in_its_span(world, mine):
    check_again(12)
    begin = clock.now() - timedelta(days=1)
    with silenced(world, mine):
        check_again(1)
    found = history.health_hours(db.session(), mine.id, since=begin - timedelta(days=29))
    assert history.availability(found, since=begin).permille == 923
    assert history.availability(found, since=clock.now()).permille is None
    assert again(mine).state == InstanceState.RUNNING


def test_where_apps_cannot_be_reached_the_clusters_word_counts(world, mine, monkeypatch):
    monkeypatch.setenv("APPS_PROBE_ADDRESS", "none")
    settings.cache_clear()
    with silenced(world, mine):
        assert check_again() == {"asked": 1, "silent": 0, "told": 0, "unclear": 0}
    world.cluster.add_fault("never-ready", namespace="user-*")
    for pod in world.cluster.objects(label_selector=f"minispod.io/instance={mine.id}"):
        if pod["kind"] == "Pod":
            world.cluster.store.remove(PODS, pod)
    world.pass_time(INTERVAL)
    assert check_again(3)["silent"] == 1
    assert heard(mine) == ["app_silent"]
    world.cluster.add_fault("error", path="/readyz", status=500)
    assert check_again() == {"asked": 0, "silent": 0, "told": 0, "unclear": 1}
