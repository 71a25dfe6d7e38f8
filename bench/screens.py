"""Photographs every page of a running MinisPod: phone, desktop, dark, in both languages.

    python -m bench.screens                      # into .local/screens/
    python -m bench.screens --readme             # the README's few pictures, into docs/pictures/

Pages of a customer are taken as the demo customer, whose address and password come from --email and --password or
from DEMO_EMAIL and DEMO_PASSWORD; those of administration as the demo administrator. Needs Chromium (CHROMIUM, by
default /usr/bin/chromium) and the `dev` packages.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]  # fmt: skip
HEIGHT_MAX_PX = 4000
ADMINISTRATOR_OF_DEMO = "dewi@demo.minispod.example", "layar perahu pinisi"

VISITOR = {
    "home": "/",
    "catalog": "/catalog/",
    "catalog-search": "/catalog/?q=blog",
    "catalog-empty": "/catalog/?q=zebra",
    "service": "/catalog/n8n",
    "service-yearly": "/catalog/ghost?interval=YEARLY",
    "register": "/register",
    "sign-in": "/sign-in",
    "forgot": "/forgot",
    "help": "/help",
    "status": "/status",
    "not-found": "/nothing-here",
}
CUSTOMER = {
    "dashboard": "/dashboard/",
    "apps": "/instances/",
    "subscriptions": "/subscriptions/",
    "wallet": "/wallet/",
    "top-up": "/top-ups/new",
    "top-ups": "/top-ups/",
    "invoices": "/invoices/",
    "notices": "/notices/",
    "mails-sent": "/notices/mails",
    "mail-choices": "/notices/preferences",
    "profile": "/profile",
    "security": "/security",
    "second-factor": "/security/second-factor",
    "catalog-signed-in": "/catalog/",
    "promo-code": "/promo-codes/",
}
ADMINISTRATOR = {
    "admin-home": "/admin/",
    "admin-analytics": "/admin/analytics/",
    "admin-users": "/admin/users/",
    "admin-subscriptions": "/admin/subscriptions/",
    "admin-apps": "/admin/instances/",
    "admin-services": "/admin/services/",
    "admin-quota": "/admin/quota/",
    "admin-promo-codes": "/admin/promo-codes/",
    "admin-promo-code-new": "/admin/promo-codes/new",
    "admin-app-templates": "/admin/app-templates/",
    "admin-top-ups": "/admin/top-ups/",
    "admin-transfers": "/admin/transfers/",
    "admin-adjustments": "/admin/adjustments/",
    "admin-invoices": "/admin/invoices/",
    "admin-ledger": "/admin/ledger/",
    "admin-books": "/admin/books/",
    "admin-nodes": "/admin/nodes/",
    "admin-jobs": "/admin/jobs/",
    "admin-gateway-events": "/admin/gateway-events/",
    "admin-alerts": "/admin/alerts/",
    "admin-audit": "/admin/audit/",
    "admin-switches": "/admin/switches/",
}
# Pages of one thing: the first link of that shape on the page named here.
FOLLOWED = {
    "app": ("/instances/", r"^/instances/[0-9a-f-]{36}$"),
    "top-up-one": ("/top-ups/", r"^/top-ups/[0-9a-f-]{36}$"),
    "invoice": ("/invoices/", r"^/invoices/[0-9a-f-]{36}$"),
    "subscription": ("/subscriptions/", r"^/subscriptions/[0-9a-f-]{36}$"),
    "place-in-queue": ("/subscriptions/", r"^/subscriptions/waitlist/[0-9a-f-]{36}$"),
    "subscribe": ("/catalog/ghost", r"^/subscriptions/new\?"),
    "plan-change": ("/catalog/n8n", r"/plan-changes/new\?"),
}
FOLLOWED_BY_ADMINISTRATOR = {
    "admin-user": ("/admin/users/", r"^/admin/users/[0-9a-f-]{36}$"),
    "admin-subscription": ("/admin/subscriptions/", r"^/admin/subscriptions/[0-9a-f-]{36}$"),
    "admin-app": ("/admin/instances/", r"^/admin/instances/[0-9a-f-]{36}$"),
    "admin-service": ("/admin/services/", r"^/admin/services/[a-z0-9-]+$"),
    "admin-promo-code": ("/admin/promo-codes/", r"^/admin/promo-codes/[0-9a-f-]{36}$"),
    "admin-top-up": ("/admin/top-ups/", r"^/admin/top-ups/[0-9a-f-]{36}$"),
    "admin-node": ("/admin/nodes/", r"^/admin/nodes/[a-z0-9-]+$"),
}


# Pages beside a followed one: its name, and what is added to its address.
BESIDE = {
    "subscription-leaving": ("subscription", "/leaving"),
    "app-deletion": ("app", "/deletion"),
    "app-variables": ("app", "/variables"),
    "app-domains": ("app", "/domains"),
    "app-version": ("app", "/version"),
    "app-logs": ("app", "/logs"),
}


@dataclass(frozen=True)
class Shape:
    """How a picture is taken."""

    name: str
    width: int
    height: int
    theme: str = "light"
    scale: float = 1.0


LETTER = Shape("letter", 640, 400)
SHAPES = (Shape("desktop", 1280, 860), Shape("phone", 390, 844), Shape("dark", 1280, 860, "dark"))
README = (
    ("home", "home", Shape("home", 1280, 800)),
    ("catalog", "catalog", Shape("catalog", 1280, 800)),
    ("dashboard", "dashboard", Shape("dashboard", 1280, 800)),
    ("app", "app", Shape("app", 1280, 800)),
    ("top-up", "top-up-phone", Shape("top-up", 390, 780)),
    ("service", "service-dark", Shape("service", 1280, 800, "dark")),
)


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    with sync_playwright() as playwright:
        chromium = os.environ.get("CHROMIUM", "/usr/bin/chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        taken = list(_readme(browser, options) if options.readme else _everything(browser, options))
        browser.close()
    print(f"{len(taken)} pictures in {taken[0].parent if taken else options.out}")
    return 0 if taken else 1


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bin/screens", description="Photographs every page.")
    parser.add_argument("--url", default=f"http://127.0.0.1:{os.environ.get('PORT', '8000')}")
    parser.add_argument("--out", type=Path, default=ROOT / ".local" / "screens")
    parser.add_argument("--email", default=os.environ.get("DEMO_EMAIL", "ayu@demo.minispod.example"))
    parser.add_argument("--password", default=os.environ.get("DEMO_PASSWORD", "kebun teh di lereng"))
    parser.add_argument("--languages", default="id,en", help="comma-separated; id,en by default")
    parser.add_argument("--only", default="", help="names of pages to take, comma-separated")
    parser.add_argument("--readme", action="store_true", help="the README's pictures alone, into docs/pictures/")
    return parser.parse_args(arguments)


def _everything(browser: Browser, options: argparse.Namespace) -> Iterator[Path]:
    options.out.mkdir(parents=True, exist_ok=True)
    for language in options.languages.split(","):
        for shape in SHAPES:
            for name, page in _pages(browser, options, shape, language):
                yield _take(page, options.out / f"{name}-{shape.name}-{language}.png", whole=True)
        yield from _letters(browser, options, language)


def _letters(browser: Browser, options: argparse.Namespace, language: str) -> Iterator[Path]:
    """Every mail of /dev/mails as HTML and as text, into a folder of its own; `--only mails` takes nothing else."""
    if options.only and "mails" not in options.only.split(","):
        return
    folder = options.out / "mails"
    folder.mkdir(exist_ok=True)
    context = _context(browser, options, LETTER, language)
    page = context.new_page()
    answer = page.goto(f"{options.url}/dev/mails")
    if answer is None or not answer.ok:
        print("left out: mails (they are shown while developing only)", file=sys.stderr)
        return
    links = page.locator("main td a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    for address in (link for link in links if f"language={language}" in link):
        page.set_viewport_size({"width": LETTER.width, "height": LETTER.height})
        page.goto(options.url + address)
        _warn_of_overflow(page, address)
        form = "text" if "form=text" in address else "html"
        code = address.split("?")[0].rpartition("/")[2]
        yield _take(page, folder / f"{code}-{form}-{language}.png", whole=True)
    context.close()


def _readme(browser: Browser, options: argparse.Namespace) -> Iterator[Path]:
    """A screenful each, few colours: they are in git, so they stay small."""
    folder = ROOT / "docs" / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    for name, file, shape in README:
        options.only = name
        for _, page in _pages(browser, options, shape, "en"):
            yield _shrink(_take(page, folder / f"{file}.png", whole=False))


def _pages(
    browser: Browser, options: argparse.Namespace, shape: Shape, language: str
) -> Iterator[tuple[str, Page]]:  # fmt: skip
    """Every wanted page, opened, by name; one that answers with an error is told and left out."""
    customers = CUSTOMER | dict.fromkeys((*FOLLOWED, *BESIDE), "")
    administrators = ADMINISTRATOR | dict.fromkeys(FOLLOWED_BY_ADMINISTRATOR, "")
    people = ("", VISITOR), ("customer", customers), ("administrator", administrators)
    for person, addresses in people:
        wanted = {n: a for n, a in addresses.items() if not options.only or n in options.only.split(",")}
        if not wanted:
            continue
        context = _context(browser, options, shape, language)
        if person:
            _sign_in(context, options, language, ADMINISTRATOR_OF_DEMO if person == "administrator" else None)
        for name, address in wanted.items():
            page = _open(context, options.url, name, address)
            if page is not None:
                yield name, page
                page.close()
        context.close()


def _context(browser: Browser, options: argparse.Namespace, shape: Shape, language: str) -> BrowserContext:
    context = browser.new_context(
        viewport={"width": shape.width, "height": shape.height},
        color_scheme="dark" if shape.theme == "dark" else "light",
        reduced_motion="reduce",
        locale=language,
    )
    context.add_cookies([{"name": "language", "value": language, "url": options.url}])
    return context


def _sign_in(
    context: BrowserContext, options: argparse.Namespace, language: str, as_somebody: tuple[str, str] | None = None
) -> None:  # fmt: skip
    """As a person would; then the profile's language, which counts for more than the cookie."""
    page = context.new_page()
    email, password = as_somebody or (options.email, options.password)
    page.goto(f"{options.url}/sign-in")
    page.fill('input[name="email"]', email)
    page.fill('input[name="password"]', password)
    page.press('input[name="password"]', "Enter")
    page.wait_for_url(lambda url: "/sign-in" not in url, timeout=15_000)
    page.goto(f"{options.url}/profile")
    if page.locator('select[name="language"]').input_value() != language:
        page.select_option('select[name="language"]', language)
        page.locator('main form:has(select[name="language"]) button[type="submit"]').click()
        page.wait_for_load_state("networkidle")
    page.close()


def _open(context: BrowserContext, url: str, name: str, address: str) -> Page | None:
    page = context.new_page()
    followed, beside = BESIDE.get(name, (name, ""))
    if found := (FOLLOWED | FOLLOWED_BY_ADMINISTRATOR).get(followed):
        start, pattern = found
        page.goto(url + start)
        links = page.locator("main a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))")
        address = next((link + beside for link in links if re.search(pattern, link)), "")
    answer = page.goto(url + address) if address else None
    if answer is None or answer.status >= 500:
        print(f"left out: {name} ({answer.status if answer else 'nothing to show yet'})", file=sys.stderr)
        page.close()
        return None
    page.wait_for_load_state("networkidle")  # regions that load themselves
    page.evaluate("document.fonts.ready")
    _warn_of_overflow(page, name)
    return page


def _warn_of_overflow(page: Page, name: str) -> None:
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if wider > 0:
        print(f"too wide by {wider} px: {name} at {page.viewport_size}", file=sys.stderr)


def _take(page: Page, path: Path, *, whole: bool) -> Path:
    if whole and page.viewport_size:
        height = min(page.evaluate("document.documentElement.scrollHeight"), HEIGHT_MAX_PX)
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height})
    page.screenshot(path=path)
    return path


def _shrink(path: Path) -> Path:
    from PIL import Image

    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)
    return path


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
