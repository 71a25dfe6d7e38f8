"""How an app is doing, for its owner alone: availability, outages, processor and memory, each chart with its table."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from portal.core import clock
from portal.core.db import transaction
from portal.core.ids import new_id
from portal.instances.models import InstanceHealthHour, InstanceOutage, InstanceUse
from portal.nodes.models import VolumeUse
from tests.instances.rounds import check_again, neighbours, silenced
from tests.personas import sign_in
from tests.queries import SIGNED_IN_MAX, counted

HTMX = {"HX-Request": "true"}


@pytest.fixture
def mine(world, ayu):
    return world.buy_running(ayu.customer)


@pytest.fixture
def reader(client, mine):
    return sign_in(client, "ayu@example.com")


def use_of(instance, period=""):
    return f"/instances/{instance.id}/use" + (f"?period={period}" if period else "")


def read(reader, instance, period=""):
    return reader.get(use_of(instance, period)).get_data(as_text=True)


def add(*rows):
    with transaction() as session:
        session.add_all(rows)


def hour(instance, ago, asked, answered):
    began_at = (clock.now() - ago).replace(minute=0, second=0, microsecond=0)
    took = {"took_ms_sum": 40 * answered, "took_ms_max": 90}
    return InstanceHealthHour(instance_id=instance.id, hour=began_at, asked=asked, answered=answered, **took)


def rows_of(html, table):
    body = html.split(f'id="{table}"')[1].split("<tbody>")[1].split("</tbody>")[0]
    return re.findall(r"<tr.*?</tr>", body, re.DOTALL)


def test_a_visitor_is_sent_to_sign_in(world, client, mine):
    answer = client.get(use_of(mine))
    assert (answer.status_code, "/sign-in" in answer.location) == (303, True)


@pytest.mark.parametrize("stranger", ["citra@example.com", "dewi@example.com"])
def test_a_stranger_sees_nothing(world, client, mine, citra, dewi, stranger):
    assert sign_in(client, stranger).get(use_of(mine)).status_code == 404


def test_an_app_that_was_never_asked_says_so(reader, mine):
    html = read(reader, mine)
    assert "None so far." in html
    assert "The first figures come within a few minutes." in html
    assert "data-use-chart" not in html


def test_availability_is_told_for_a_day_and_a_month(reader, mine):
    add(hour(mine, timedelta(hours=2), 12, 12), hour(mine, timedelta(hours=1), 12, 11))
    add(hour(mine, timedelta(days=20), 12, 4), hour(mine, timedelta(days=31), 12, 0))
    html = read(reader, mine)
    assert re.findall(r"<dd>([\d.]+) %</dd>", html) == ["95.8", "75"]
    rows = rows_of(html, "use-answers-table")
    assert len(rows) == 24
    assert "11 of 12" in rows[-2]
    assert 'data-value="91"' in rows[-2]
    assert "40 ms" in rows[-2]
    assert 'data-value=""' in rows[0]


def test_outages_are_listed_newest_first(reader, mine):
    now = clock.now()
    add(InstanceOutage(id=new_id(), instance_id=mine.id, began_at=now - timedelta(days=2),
                       ended_at=now - timedelta(days=2) + timedelta(minutes=25)))  # fmt: skip
    add(InstanceOutage(id=new_id(), instance_id=mine.id, began_at=now - timedelta(minutes=20)))
    html = read(reader, mine)
    assert html.index("It does not answer.") < html.index("It did not answer for 25 minutes.")


def test_use_stands_in_slices_against_the_plan(reader, mine):
    now = clock.now()
    for minutes, cpu in ((5, 100), (10, 300)):
        add(InstanceUse(instance_id=mine.id, measured_at=now - timedelta(minutes=minutes),
                        cpu_millicores=cpu, memory_mib=512))  # fmt: skip
    html = read(reader, mine)
    rows = rows_of(html, "use-measured-table")
    assert len(rows) == 48
    assert "0.2 vCPU" in rows[-2]
    assert "0.3 vCPU" in rows[-2]
    assert 'data-value="512"' in rows[-2]
    assert 'data-limit="500"' in html
    assert 'data-limit="1024"' in html


def test_a_week_is_cut_into_longer_slices(reader, mine):
    add(hour(mine, timedelta(hours=2), 12, 12))
    add(InstanceUse(instance_id=mine.id, measured_at=clock.now() - timedelta(days=6), cpu_millicores=9, memory_mib=9))
    html = read(reader, mine, "week")
    assert len(rows_of(html, "use-measured-table")) == len(rows_of(html, "use-answers-table")) == 56
    assert "9 MB" in html
    assert "9 MB" not in read(reader, mine, "nonsense")


def test_a_cluster_that_does_not_measure_is_named(reader, mine):
    clock.advance(timedelta(minutes=20))
    assert "not measured by this cluster" in read(reader, mine)


def test_trouble_with_most_apps_is_shown_on_each_page(world, reader, mine):
    others = neighbours(world, 2)
    with silenced(world, mine, *others):
        check_again(3)
    assert "Many apps do not answer right now" in read(reader, mine)
    assert "Many apps do not answer right now" in reader.get(f"/instances/{mine.id}").get_data(as_text=True)


def test_the_region_comes_alone_when_asked_for(reader, mine):
    region = reader.get(use_of(mine), headers=HTMX).get_data(as_text=True)
    assert region.lstrip().startswith('<div id="instances-use">')
    page = reader.get(f"/instances/{mine.id}").get_data(as_text=True)
    assert f'hx-get="{use_of(mine)}"' in page
    assert "js/use_charts" in page


def test_the_page_asks_the_database_little(reader, mine):
    add(hour(mine, timedelta(hours=2), 12, 12))
    with counted() as sent:
        reader.get(use_of(mine))
    assert len(sent) <= SIGNED_IN_MAX + 2, sent


def test_storage_is_charted_once_an_agent_has_reported(reader, mine):
    assert "use-storage" not in read(reader, mine)
    for minutes, mib in ((70, 100), (65, 300), (5, 512)):
        moment = clock.now() - timedelta(minutes=minutes)
        add(VolumeUse(instance_id=mine.id, measured_at=moment, used_bytes=mib * 2**20, capacity_bytes=5 * 2**30))
    html = read(reader, mine)
    assert 'data-limit="5120"' in html
    values = [re.findall(r'data-value="(\d*)"', row) for row in rows_of(html, "use-storage-table")]
    assert [one for one in values if one != ["", ""]] == [["200", "300"], ["512", "512"]]
    with counted() as queries:
        read(reader, mine, "week")
    assert len(queries) <= SIGNED_IN_MAX + 2
