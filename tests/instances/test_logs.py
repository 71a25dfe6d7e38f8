"""An app's log on its page: followed as a region, as a file, and from which part."""

from __future__ import annotations

import pytest

from tests.personas import sign_in

HTMX = {"HX-Request": "true"}


@pytest.fixture
def running(world, ayu):
    return world.buy_running(ayu.customer)


@pytest.fixture
def mine(client, running):
    return sign_in(client, "ayu@example.com")


def page_of(instance, path="logs"):
    return f"/instances/{instance.id}/{path}"


def writes(world, instance, text):
    pod = next(one for one in world.labelled(instance) if one.startswith("Pod/")).removeprefix("Pod/")
    world.cluster.put_log(instance.namespace, pod, text)


def test_who_follows_gets_the_lines_alone_and_never_more_of_them(world, running, mine):
    writes(world, running, "".join(f"line {number}\n" for number in range(300)))
    html = mine.get(page_of(running)).get_data(as_text=True)
    assert "What the cluster noted" in html
    assert "data-follow-switch" in html
    region = mine.get(page_of(running), headers=HTMX).get_data(as_text=True)
    assert "<html" not in region
    assert "What the cluster noted" not in region
    assert region.count("line ") == 200
    assert "line 299" in region
    writes(world, running, "".join(f"line {number}\n" for number in range(500)))
    assert mine.get(page_of(running), headers=HTMX).get_data(as_text=True).count("line ") == 200


@pytest.mark.parametrize("asked, shown", [("100", 100), ("500", 300), ("7", 200), ("-1", 200), ("x", 200), ("", 200)])
def test_one_may_ask_for_so_many_lines_and_no_others(world, running, mine, asked, shown):
    writes(world, running, "".join(f"line {number}\n" for number in range(300)))
    region = mine.get(page_of(running), query_string={"lines": asked}, headers=HTMX)
    assert region.get_data(as_text=True).count("line ") == shown


def test_the_region_asks_for_what_it_shows(world, running, mine):
    region = mine.get(page_of(running), query_string={"lines": "500"}, headers=HTMX).get_data(as_text=True)
    assert "container=n8n" in region
    assert "lines=500" in region


def test_the_log_as_a_file_holds_what_the_app_wrote(world, running, mine):
    writes(world, running, "".join(f"line {number} <b>\n" for number in range(700)))
    answer = mine.get(page_of(running, "logs.txt"))
    assert answer.mimetype == "text/plain"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{running.name}-n8n.log"'
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.get_data(as_text=True).count("line ") == 700


def test_a_silent_cluster_gives_no_file(world, running, mine):
    world.cluster.add_fault("error", method="GET", path="/log", status=500)
    assert mine.get(page_of(running, "logs.txt")).status_code == 503
    assert "The servers do not answer right now" in mine.get(page_of(running), headers=HTMX).get_data(as_text=True)


def test_nobody_else_reads_either(world, running, citra, client):
    assert client.get(page_of(running, "logs.txt")).status_code == 303
    sign_in(client, "citra@example.com")
    assert [client.get(page_of(running, path)).status_code for path in ("logs", "logs.txt")] == [404, 404]


def test_following_is_kindly_limited(world, running, mine):
    codes = [mine.get(page_of(running), headers=HTMX).status_code for _ in range(25)]
    assert codes[:12] == [200] * 12, "one page that follows for a minute"
    assert codes[-1] == 429
