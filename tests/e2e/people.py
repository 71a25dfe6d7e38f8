"""A customer at a browser: what people do on our pages, in the words of those pages."""

from __future__ import annotations

import re
from typing import Any, Self
from uuid import uuid4

import sqlalchemy as sa
from playwright.sync_api import Locator, Page, expect

from tests.e2e.popup import Popup
from tests.e2e.stack import Stack, until

PASSWORD = "gunung merapi pagi hari"
TOP_UP_PAGE = re.compile(r"/top-ups/[0-9a-f-]{36}$")
INSTANCE_PAGE = re.compile(r"/instances/[0-9a-f-]{36}$")
_CUSTOMER = """
    SELECT membership.customer_id FROM membership JOIN user_account ON user_account.id = membership.user_id
    WHERE user_account.email = :email
"""
_BALANCE = "SELECT balance FROM ledger_account WHERE customer_id = :customer_id AND kind = 'AVAILABLE'"
_ORDERS = """
    SELECT payment_attempt.order_id FROM payment_attempt JOIN payment ON payment.id = payment_attempt.payment_id
    WHERE payment.customer_id = :customer_id ORDER BY payment_attempt.created_at
"""


class Customer:
    """Somebody signed in on `page`. Verbs leave the page where a person would be."""

    def __init__(self, stack: Stack, page: Page, email: str) -> None:
        self.stack, self.page, self.email = stack, page, email
        self.popup = Popup(page)

    @classmethod
    def registered(cls, stack: Stack, page: Page, *, language: str = "en") -> Self:
        """Without drawing a page: for tests of something else."""
        email = new_email()
        page.context.add_cookies([{"name": "language", "value": language, "url": stack.url}])
        _post(page, "/register", at="/register", name="Rina Wulandari", email=email, password=PASSWORD)
        assert stack.one("SELECT language FROM user_account WHERE email = :email", email=email) == language
        return cls(stack, page, email)

    # -- money --------------------------------------------------------------------------------------

    def ask_for_credit(self, method: str = "bca_va", amount: int = 50_000) -> None:
        """Fills the top-up form and sends it; leaves the top-up's page, its popup opening."""
        self.page.goto("/top-ups/new")
        self.choose_payment(method, amount)

    def choose_payment(self, method: str, amount: int) -> None:
        self.page.get_by_label("How much?").fill(str(amount))
        self.page.locator(f"input[name=method][value={method}]").check()
        self.page.get_by_role("button", name="Continue to payment").click()
        self.page.wait_for_url(TOP_UP_PAGE)

    def get_credit(self, amount: int) -> None:
        """Pays a top-up without drawing a page."""
        form = {"amount": str(amount), "method": "bca_va", "key": str(uuid4()), "intent": ""}
        _post(self.page, "/top-ups/", at="/top-ups/new", **form)
        before = self.balance
        self.stack.sandbox.midtrans.pay(self.orders[-1], method="bca_va")
        until(lambda: self.balance == before + amount, "the credit arrives")

    @property
    def status(self) -> Locator:
        """The region of a top-up's page that tells how it stands."""
        return self.page.locator("#payments-status")

    def expect_credited(self, amount: str = "Rp50.000") -> None:
        expect(self.status).to_contain_text(f"{amount} is in your wallet")

    # -- apps ---------------------------------------------------------------------------------------

    def choose_plan(self, app: str = "n8n", plan: str = "Basic") -> None:
        self.page.goto(f"/catalog/{app}")
        self.page.get_by_role("link", name=f"Choose {plan}").click()
        self.page.wait_for_url("**/subscriptions/new?*")

    def launch(self, app: str = "n8n", plan: str = "Basic") -> None:
        """Buys with credit; leaves the app's page while it comes up."""
        self.choose_plan(app, plan)
        self.page.get_by_role("button", name="Launch for").click()
        self.page.wait_for_url(INSTANCE_PAGE)

    def have_running(self, app: str = "n8n") -> None:
        """An app that runs, bought without drawing a page; leaves its page."""
        self.get_credit(100_000)
        address = self.purchase(app)
        until(lambda: self.instance("state") == "RUNNING", f"{app} runs", within_s=40)
        self.page.goto(address)  # not before: its page comes anew by itself when the app is up

    def purchase(self, app: str = "n8n") -> str:
        """Buys the Basic plan without drawing a page; returns the address of the app's page."""
        plan = self.stack.one(
            "SELECT plan.id FROM plan JOIN service ON service.id = plan.service_id"
            " WHERE service.slug = :app AND plan.plan_type = 'BASIC'", app=app,
        )  # fmt: skip
        confirmation = self.page.request.get(f"/subscriptions/new?plan={plan}&interval=MONTHLY").text()
        fields: dict[str, Any] = dict(re.findall(r'<input[^>]* name="(\w+)"[^>]* value="([^"]*)"', confirmation))
        answer = self.page.request.post("/subscriptions/", form=fields, max_redirects=0)
        assert answer.status == 303, answer.text()[:3000]
        return answer.headers["location"]

    def expect_state(self, word: str) -> None:
        expect(self.page.locator("#instances-live").get_by_role("status")).to_have_text(word)

    # -- the books ----------------------------------------------------------------------------------

    @property
    def customer_id(self) -> Any:
        return self.stack.one(_CUSTOMER, email=self.email)

    @property
    def balance(self) -> int:
        return int(self.stack.one(_BALANCE, customer_id=self.customer_id) or 0)

    @property
    def orders(self) -> list[str]:
        """Order ids at the gateway, oldest first."""
        with self.stack.engine.connect() as connection:
            return list(connection.scalars(sa.text(_ORDERS), {"customer_id": self.customer_id}))

    def instance(self, column: str) -> Any:
        """A column of the newest app."""
        return self.stack.one(
            f"SELECT {column} FROM instance WHERE customer_id = :customer_id ORDER BY created_at DESC",
            customer_id=self.customer_id,
        )

    def count(self, table: str) -> int:
        """How many rows of a table are this customer's."""
        counted = f"SELECT count(*) FROM {table} WHERE customer_id = :customer_id"
        return int(self.stack.one(counted, customer_id=self.customer_id))


def new_email() -> str:
    return f"rina-{uuid4().hex[:10]}@example.com"


def _post(page: Page, address: str, *, at: str, **form: str) -> None:
    """Sends a form of the page `at`, as a browser without scripts would."""
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.request.get(at).text())
    assert found, f"{at} shows no form"
    fields: dict[str, Any] = form | {"csrf_token": found[1]}
    answer = page.request.post(address, form=fields, max_redirects=0)
    assert answer.status == 303, answer.text()[:3000]
