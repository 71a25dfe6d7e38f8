"""The gateway's payment page, in the popup over our page or alone in the window."""

from __future__ import annotations

from playwright.sync_api import FrameLocator, Locator, Page, expect

FRAME = "#snap-midtrans"


class Popup:
    """What a customer does there. The gateway offers the one method that was chosen on our page."""

    def __init__(self, page: Page) -> None:
        self._page = page

    @property
    def frame(self) -> FrameLocator:
        return self._page.frame_locator(FRAME)

    def start(self, method: str) -> None:
        """Takes the method: from here on there is a number, a code or a push to the phone."""
        start(self.frame, method)

    def pay(self, method: str) -> None:
        """As the customer's bank would, then back to our page."""
        self.start(method)
        self.frame.locator("[data-act=pay]").click()
        self.leave()

    def leave(self) -> None:
        self.frame.locator("[data-done]").click()
        self.expect_gone()

    def close(self) -> None:
        """The cross in the corner."""
        self.frame.locator("[data-close]").click()
        self.expect_gone()

    def expect_open(self) -> None:
        expect(self._page.locator(FRAME)).to_have_count(1)

    def expect_gone(self) -> None:
        expect(self._page.locator(FRAME)).to_have_count(0)

    def pay_by_card(self, number: str, *, confirm: bool) -> None:
        """Up to and through the bank's own page in its nested frame, then back to our page."""
        self.frame.locator("[name=number]").fill(number)
        self.frame.locator("[name=cvv]").fill("123")
        self.frame.locator("form .primary").click()
        bank = self.frame.frame_locator("#iframe-3ds")
        if confirm:
            bank.locator("[name=otp]").fill("112233")
        bank.locator(f"[name=act][value={'confirm' if confirm else 'cancel'}]").click()
        self.leave()


def start(place: Page | FrameLocator, method: str) -> None:
    """The method's one button; on the gateway's own page as in the popup."""
    button: Locator = place.locator(f"button[data-method={method}]")
    button.click()
    place.locator("[data-act=pay]").wait_for()
