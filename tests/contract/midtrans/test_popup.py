"""The popup in a real browser, on a merchant's page with a strict content policy."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, FrameLocator, Page, expect
from werkzeug.wrappers import Request, Response

from sandbox.midtrans import Simulator

from .conftest import CLIENT_KEY, Served, request_for

pytestmark = pytest.mark.browser
HOST_PAGE = """<!doctype html><html lang="id"><head><meta name="viewport" content="width=device-width">
<title>Shop</title><link rel="icon" href="data:,">
<script src="{snap}/snap/snap.js" data-client-key="{key}"></script>
<script src="/shop.js" defer></script></head>
<body><button id="pay">Pay</button><div id="place"></div></body></html>"""
HOST_SCRIPT = """
window.told = [];
window.options = {};
["onSuccess", "onPending", "onError", "onClose"].forEach(function (name) {
  window.options[name] = function (result) {
    window.told.push([name, result === undefined ? null : result]);
  };
});
"""


@pytest.fixture
def shop(address: str) -> Iterator[str]:
    """The merchant's page; its policy allows the gateway as a script and a frame, and nothing inline."""

    def serve(environ: dict[str, Any], start_response: Any) -> Any:
        if Request(environ).path == "/shop.js":
            return Response(HOST_SCRIPT, mimetype="text/javascript")(environ, start_response)
        answer = Response(HOST_PAGE.format(snap=address, key=CLIENT_KEY), mimetype="text/html")
        answer.headers["Content-Security-Policy"] = (
            f"default-src 'self'; script-src 'self' {address}; frame-src {address}; style-src 'self';"
            " img-src 'self' data:; object-src 'none'; base-uri 'none'"
        )
        return answer(environ, start_response)

    served = Served(serve)
    yield served.url
    served.close()


@pytest.fixture
def pay(page: Page, shop: str, gateway: Simulator) -> Iterator[Callable[..., FrameLocator]]:
    """Opens the popup for an order; at the end nothing may have offended the policy."""
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text) if _is_complaint(said) else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def open_popup(options: dict[str, Any] | None = None, **order: Any) -> FrameLocator:
        token = gateway.create_order(request_for(**order)).token
        page.goto(shop)
        page.evaluate("([token, more]) => snap.pay(token, Object.assign(options, more))", [token, options])
        return page.frame_locator("#snap-midtrans")

    yield open_popup
    assert complaints == []


def _is_complaint(said: ConsoleMessage) -> bool:
    """Errors, except the browser's note that a form was sent back with 422."""
    return said.type == "error" and "status of 422" not in said.text


def told(page: Page, count: int = 1) -> list[Any]:
    page.wait_for_function("count => window.told.length >= count", arg=count)
    return page.evaluate("window.told")


def test_a_virtual_account_is_shown_paid_and_reported(page: Page, pay: Any, gateway: Simulator) -> None:
    frame = pay({"language": "en"})
    frame.locator("[data-method=bni_va]").click()
    number = frame.locator("[data-number]").inner_text()
    gateway.pay(number)
    expect(frame.get_by_role("heading", name="Payment successful")).to_be_visible()
    frame.get_by_role("button", name="Back to merchant").click()
    [(name, result)] = told(page)
    assert name == "onSuccess"
    assert result["va_numbers"] == [{"bank": "bni", "va_number": number}]
    assert "signature_key" not in result
    expect(page.locator("#snap-midtrans")).to_have_count(0)


def test_a_single_method_skips_the_list_and_a_qr_is_paid_by_the_button(page: Page, pay: Any) -> None:
    frame = pay(enabled_payments=["other_qris"])
    expect(frame.locator(".methods")).to_have_count(0)
    frame.get_by_role("button", name="Lanjutkan").click()
    expect(frame.get_by_role("img", name="Kode QR uji")).to_be_visible()
    assert frame.locator(".qr img").evaluate("img => img.decode().then(() => img.naturalWidth)") > 100
    frame.locator("[data-act=pay]").click()
    frame.locator("[data-done]").click()
    assert [name for name, _ in told(page)] == ["onSuccess"]


def test_the_success_page_closes_by_itself(page: Page, pay: Any) -> None:
    frame = pay({"autoCloseDelay": 0.05}, enabled_payments=["gopay"])
    frame.get_by_role("button", name="Lanjutkan").click()
    frame.locator("[data-act=pay]").click()
    [(name, result)] = told(page)
    assert (name, result["payment_type"]) == ("onSuccess", "qris")


@pytest.mark.parametrize(
    "number,otp,outcome",
    [("4811111111111114", "112233", "onSuccess"), ("4911111111111113", "112233", "onError")],
)
def test_a_card_goes_through_its_banks_frame(page: Page, pay: Any, number: str, otp: str, outcome: str) -> None:
    frame = pay({"language": "en", "selectedPaymentType": "credit_card"}, credit_card={"secure": True})
    frame.get_by_label("Card number").fill("1234")
    frame.get_by_label("CVV").fill("123")
    frame.get_by_role("button", name="Pay Rp50.000").click()
    expect(frame.get_by_role("alert")).to_contain_text("test cards")
    frame.get_by_label("Card number").fill(number)
    frame.get_by_role("button", name="Pay Rp50.000").click()
    bank = frame.frame_locator("#iframe-3ds")
    bank.get_by_label("OTP code").fill("000000")
    bank.get_by_role("button", name="Confirm").click()
    expect(bank.get_by_role("alert")).to_be_visible()
    bank.get_by_label("OTP code").fill(otp)
    bank.get_by_role("button", name="Confirm").click()
    frame.locator("[data-done]").click()
    [(name, result)] = told(page)
    assert name == outcome
    assert result["masked_card"] == f"{number[:8]}-{number[-4:]}"


def test_closing_before_a_choice_is_only_a_close(page: Page, pay: Any, gateway: Simulator) -> None:
    pay().get_by_role("button", name="Tutup").click()
    assert told(page) == [["onClose", None]]
    assert not gateway.records.transactions


def test_closing_on_a_number_is_pending_and_then_close(page: Page, pay: Any) -> None:
    frame = pay()
    frame.locator("[data-method=bca_va]").click()
    frame.locator("[data-number]").wait_for()
    frame.get_by_role("button", name="Tutup").click()
    [(first, result), (second, _)] = told(page, 2)
    assert (first, second) == ("onPending", "onClose")
    assert "order_id" not in result
    assert result["bca_va_number"]


def test_a_declined_payment_can_be_tried_again_another_way(page: Page, pay: Any, gateway: Simulator) -> None:
    frame = pay({"language": "en"})
    frame.locator("[data-method=gopay]").click()
    frame.locator("[data-act=fail]").click()
    frame.get_by_role("link", name="Try another method").click()
    expect(frame.get_by_role("alert")).to_contain_text("declined")
    frame.locator("[data-method=permata_va]").click()
    expect(frame.locator("[data-number]")).to_be_visible()
    assert [t.status for t in gateway.records.transactions_of("shop-1")] == ["deny", "pending"]


def test_a_reopened_popup_shows_the_same_number(page: Page, pay: Any, gateway: Simulator) -> None:
    frame = pay()
    frame.locator("[data-method=echannel]").click()
    key = frame.locator("[data-number]").last.inner_text()
    frame.get_by_role("button", name="Bayar nanti").click()
    assert [name for name, _ in told(page)] == ["onPending"]
    page.evaluate("token => snap.pay(token, options)", gateway.open_session("shop-1").token)
    expect(page.frame_locator("#snap-midtrans").locator("[data-number]").last).to_have_text(key)


def test_a_paid_order_ends_in_an_error_with_a_list(page: Page, pay: Any, gateway: Simulator, shop: str) -> None:
    token = gateway.create_order(request_for("paid-1")).token
    gateway.pay("paid-1")
    page.goto(shop)
    page.evaluate("token => snap.pay(token, options)", token)
    page.frame_locator("#snap-midtrans").locator("[data-done]").click()
    assert told(page) == [["onError", {"status_code": "406", "status_message": ["transaction has been processed"]}]]


@pytest.mark.parametrize("how", ["superseded", "expired"])
def test_a_dead_token_says_so_in_the_frame(page: Page, shop: str, gateway: Simulator, how: str) -> None:
    token = gateway.create_order(request_for()).token
    if how == "superseded":
        gateway.create_order(request_for())
    else:
        gateway.expire_page(token)
    page.goto(shop)
    page.evaluate("token => snap.pay(token, options)", token)
    page.frame_locator("#snap-midtrans").locator("[data-done]").click()
    assert told(page)[0][0] == "onError"


def test_a_lying_browser_says_success_and_nothing_was_paid(page: Page, pay: Any, gateway: Simulator) -> None:
    gateway.inject("lying_result", order_prefix="shop")
    frame = pay()
    frame.locator("[data-method=bri_va]").click()
    frame.locator("[data-done]").click()
    [(name, result)] = told(page)
    assert (name, result["transaction_status"]) == ("onSuccess", "settlement")
    assert gateway.status("shop-1")["transaction_status"] == "pending"


def test_a_second_pay_while_open_throws(page: Page, pay: Any) -> None:
    pay()
    thrown = page.evaluate("() => { try { snap.pay('x', {}); } catch (e) { return e.message; } }")
    assert "open already" in thrown


def test_another_window_cannot_pose_as_the_payment_page(page: Page, pay: Any) -> None:
    frame = pay()
    page.evaluate("window.postMessage({type: 'snap.result', outcome: 'success', result: {}}, '*')")
    frame.get_by_role("button", name="Tutup").click()
    assert told(page) == [["onClose", None]]


def test_a_page_from_elsewhere_than_it_says_is_told_nothing(page: Page, address: str, shop: str,
                                                            gateway: Simulator) -> None:  # fmt: skip
    token = gateway.create_order(request_for()).token
    page.goto(shop)
    page.evaluate("window.addEventListener('message', event => told.push(['message', event.data]))")
    url = f"{address}/snap/v4/redirection/{token}?popup=1&origin=https://elsewhere.example"
    page.evaluate(
        "url => { const f = document.createElement('iframe');"
        " Object.assign(f, {src: url, id: 'x'}); document.body.append(f); }",
        url,
    )
    page.frame_locator("#x").get_by_role("button", name="Tutup").click()
    assert page.evaluate("told") == []


def test_the_form_can_be_embedded_without_a_close_button(page: Page, shop: str, gateway: Simulator) -> None:
    token = gateway.create_order(request_for(enabled_payments=["shopeepay"])).token
    page.goto(shop)
    page.evaluate("token => snap.embed(token, Object.assign(options, {embedId: 'place'}))", token)
    frame = page.frame_locator("#place #snap-midtrans")
    expect(frame.get_by_role("button", name="Tutup")).to_have_count(0)
    frame.get_by_role("button", name="Lanjutkan").click()
    frame.locator("[data-act=pay]").click()
    frame.locator("[data-done]").click()
    assert told(page)[0][0] == "onSuccess"


def test_a_blocked_script_and_a_frame_that_never_loads(page: Page, shop: str, gateway: Simulator) -> None:
    fault = gateway.inject("http_503", endpoint="snap_js")
    page.goto(shop)
    assert page.evaluate("typeof window.snap") == "undefined"
    gateway.heal(fault.fault_id)
    gateway.inject("hang", endpoint="page")
    token = gateway.create_order(request_for()).token
    page.goto(shop)
    page.evaluate("token => { snap.show(); snap.pay(token, options); }", token)
    expect(page.locator("#snap-midtrans")).to_be_visible()
    page.evaluate("snap.hide()")
    expect(page.locator("#snap-midtrans")).to_have_count(0)


def test_the_redirect_page_works_without_javascript(browser: Any, address: str, gateway: Simulator) -> None:
    finish = f"{address}/snap/assets/page.css"
    order = request_for(callbacks={"finish": finish}, credit_card={"secure": True})
    token = gateway.create_order(order).token
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{address}/snap/v4/redirection/{token}?language=en")
    page.locator("[data-method=credit_card]").click()
    page.get_by_label("Card number").fill("4911111111111113")
    page.get_by_label("CVV").fill("123")
    page.get_by_role("button", name="Pay Rp50.000").click()
    bank = page.frame_locator("#iframe-3ds")
    bank.get_by_label("OTP code").fill("112233")
    bank.get_by_role("button", name="Confirm").click()
    bank.get_by_role("link", name="Continue").click()
    page.get_by_role("link", name="Try another method").click()
    page.locator("[data-method=bca_va]").click()
    page.locator("[data-act=pay]").click()
    page.locator(".content").get_by_role("link", name="Back to merchant").click()
    assert page.url == f"{finish}?order_id=shop-1&status_code=200&transaction_status=settlement"
    page.context.close()


def test_leaving_the_redirect_page_says_pending(browser: Any, address: str, gateway: Simulator) -> None:
    finish = f"{address}/snap/assets/page.css"
    token = gateway.create_order(request_for(callbacks={"finish": finish})).token
    page = browser.new_context(java_script_enabled=False).new_page()
    page.goto(f"{address}/snap/v4/redirection/{token}?language=en")
    page.get_by_role("link", name="Pay later").click()
    assert "transaction_status=pending" in page.url
    page.context.close()


def test_both_languages_have_every_text() -> None:
    from sandbox.midtrans.wording import texts

    assert json.dumps(texts("en")) != json.dumps(texts("id"))
    assert all(texts("en").values())
    assert all(texts("id").values())
