"""An app kept the way its owner wants it: variables, a domain of their own, a newer version, its log followed."""

from __future__ import annotations

import pytest
import urllib3
from playwright.sync_api import Page, expect

from tests.e2e.people import Customer
from tests.e2e.stack import until
from tests.e2e.test_accessibility import violations
from tests.e2e.watching import Watch

pytestmark = pytest.mark.browser

HOST = "blog.example.org"
FOLLOWED_MS = 6_100


def open_section(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Pages of this app").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()


def deployment(customer: Customer) -> dict:
    objects = customer.stack.sandbox.cluster.objects(label_selector=f"minispod.io/instance={customer.instance('id')}")
    return next(one for one in objects if one["kind"] == "Deployment")["spec"]["template"]["spec"]["containers"][0]


def test_variables_are_saved_together_and_a_secret_is_not_shown_again(customer: Customer, watch: Watch) -> None:
    page = customer.page
    watch.tolerate("422")
    customer.have_running()
    open_section(page, "Variables")
    row = page.get_by_role("group", name="New variable 1")
    row.get_by_label("Name").fill("SMTP_PASSWORD")
    row.get_by_label("Value").fill("nobody-reads-this")
    page.get_by_role("button", name="One more").click()
    last = page.get_by_role("group").last
    expect(last.get_by_label("Name")).to_be_focused()
    last.get_by_label("Name").fill("PATH")
    page.get_by_role("button", name="Save and restart").click()
    expect(page.get_by_text("The system uses this name.")).to_be_visible()
    page.get_by_role("group").last.get_by_label("Name").fill("SMTP_HOST")
    page.get_by_role("group").last.get_by_label("Value").fill("mail.example.org")
    page.get_by_role("button", name="Save and restart").click()
    page.wait_for_url("**/instances/*")
    customer.expect_state("Running")
    assert {"SMTP_PASSWORD", "SMTP_HOST"} <= {one["name"] for one in deployment(customer)["env"]}
    open_section(page, "Variables")
    assert "nobody-reads-this" not in page.content()
    assert violations(page, page.url) == []


def test_a_domain_is_proved_and_answers(customer: Customer) -> None:
    page, sandbox = customer.page, customer.stack.sandbox
    customer.have_running()
    open_section(page, "Domains")
    page.get_by_label("Domain").fill(f"https://{HOST.upper()}/")
    page.get_by_role("button", name="Add this domain").click()
    region = page.locator("#instances-domains")
    region.get_by_role("button", name="Check now").click()
    expect(region).to_contain_text("The TXT record is not there yet.")
    expect(region.get_by_role("button", name="Check now")).to_be_focused()
    token = customer.stack.one("SELECT token FROM instance_domain WHERE instance_id = :id", id=customer.instance("id"))
    sandbox.names.put(f"_minispod-challenge.{HOST}", "TXT", token)
    sandbox.names.put(HOST, "CNAME", f"{customer.instance('name')}.apps.localhost")
    region.get_by_role("button", name="Check now").click()
    expect(region).to_contain_text("Leads to the app")
    until(lambda: sandbox.cluster.has_host(HOST), "the Ingress has the host")
    assert urllib3.request("GET", sandbox.url, headers={"Host": HOST}).status == 200
    assert violations(page, page.url) == []
    region.get_by_text("Remove", exact=True).click()
    region.get_by_role("button", name="Yes, remove it").click()
    expect(page.get_by_role("button", name="Add this domain")).to_be_visible()
    until(lambda: not sandbox.cluster.has_host(HOST), "the Ingress has lost the host")


def test_an_update_is_offered_and_carried_out(customer: Customer) -> None:
    page = customer.page
    customer.have_running()
    newest = customer.instance("version")
    customer.stack.change(
        "UPDATE instance SET version = '2.0.0', images = '{\"n8n\": \"n8nio/n8n:2.0.0\"}' WHERE id = :id",
        id=customer.instance("id"),
    )
    page.reload()
    page.get_by_role("link", name=f"Update to {newest}").click()
    expect(page.get_by_text("Its data, passwords, variables and domains stay.")).to_be_visible()
    assert violations(page, page.url) == []
    page.get_by_role("button", name="Update now").click()
    customer.expect_state("Running")
    until(lambda: customer.instance("update_from_version") is None, "the update is done")
    assert deployment(customer)["image"] == f"n8nio/n8n:{newest}"


def test_the_log_is_followed_until_it_is_read(customer: Customer) -> None:
    page = customer.page
    page.clock.install()
    customer.have_running()
    write(customer, 300, "early")
    open_section(page, "Logs")
    log, lines = page.locator("#log"), page.locator("#logs-lines")
    expect(log).to_contain_text("early 299")
    lines.focus()
    write(customer, 300, "later")
    page.clock.run_for(FOLLOWED_MS)
    expect(log).to_contain_text("later 299")
    expect(lines).to_be_focused()
    assert len(log.inner_text().splitlines()) == 200
    log.evaluate("log => { log.scrollTop = -300 }")
    write(customer, 300, "unread")
    page.clock.run_for(10 * FOLLOWED_MS)
    expect(log).not_to_contain_text("unread")
    log.evaluate("log => { log.scrollTop = 0 }")
    page.clock.run_for(FOLLOWED_MS)
    expect(log).to_contain_text("unread 299")
    page.get_by_role("button", name="Follow").click()
    write(customer, 300, "paused")
    page.clock.run_for(10 * FOLLOWED_MS)
    expect(log).not_to_contain_text("paused")


def write(customer: Customer, lines: int, word: str) -> None:
    cluster, instance = customer.stack.sandbox.cluster, customer.instance("id")
    pod = next(
        one for one in cluster.objects(label_selector=f"minispod.io/instance={instance}") if one["kind"] == "Pod"
    )
    text = "".join(f"{word} {number}\n" for number in range(lines))
    cluster.put_log(pod["metadata"]["namespace"], pod["metadata"]["name"], text)
