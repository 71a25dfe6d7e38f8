"""How an app is doing, in a browser: charts with their tables, the span switched in place, an outage named."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.people import Customer
from tests.e2e.test_accessibility import violations

pytestmark = pytest.mark.browser

HISTORY = """
    INSERT INTO instance_health_hour (instance_id, hour, asked, answered, took_ms_sum, took_ms_max)
    SELECT :id, date_trunc('hour', now()) - n * interval '1 hour', 12, CASE WHEN n = 5 THEN 7 ELSE 12 END, 480, 90
    FROM generate_series(0, 700) n ON CONFLICT DO NOTHING
"""
USE = """
    INSERT INTO instance_use (instance_id, measured_at, cpu_millicores, memory_mib)
    SELECT :id, date_trunc('minute', now()) - n * interval '5 minutes', 20 + n % 70, 180 + n % 40
    FROM generate_series(1, 2000) n WHERE n NOT BETWEEN 60 AND 90 ON CONFLICT DO NOTHING
"""
OUTAGE = """
    INSERT INTO instance_outage (id, instance_id, began_at, told_at, ended_at)
    SELECT gen_random_uuid(), :id, began_at, began_at, began_at + interval '30 minutes'
    FROM (SELECT now() - interval '5 hours' AS began_at) AS told
"""


def test_charts_stand_on_the_apps_page_with_their_tables(customer: Customer) -> None:
    page = customer.page
    customer.have_running("memos")
    instance = customer.instance("id")
    for statement in (HISTORY, USE, OUTAGE):
        customer.stack.change(statement, id=instance)
    page.goto(f"/instances/{instance}")
    region = page.locator("#instances-use")
    expect(region.locator("canvas")).to_have_count(3)
    assert drawn(page) == [True] * 3
    expect(region).to_contain_text("It did not answer for 30 minutes.")
    region.get_by_text("Processor and memory in figures").click()
    expect(region.get_by_role("table", name="").last.get_by_role("row")).to_have_count(49)
    region.get_by_role("link", name="7 days").click()
    expect(region.get_by_role("link", name="7 days")).to_have_attribute("aria-current", "true")
    expect(region.locator("canvas")).to_have_count(3)
    assert drawn(page) == [True] * 3
    assert page.url.endswith(f"/instances/{instance}")
    assert violations(page, f"/instances/{instance}/use") == []
    assert violations(page, f"/instances/{instance}/use?period=week") == []


def drawn(page: Page) -> list[bool]:
    """Whether each chart shows any ink."""
    ink = "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some((part) => part > 0)"
    return [bool(canvas.evaluate(ink)) for canvas in page.locator("#instances-use canvas").all()]
