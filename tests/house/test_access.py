"""House rules of every edge: who may enter is declared, writes carry a token, every answer is armoured."""

from __future__ import annotations

import pytest
from werkzeug.routing import Rule

from config import Settings
from portal import _flask_config, csrf
from portal.web.guards import Access, declared

WRITES = {"POST", "PUT", "PATCH", "DELETE"}
SAMPLES = {
    "UUIDConverter": "0197b2a0-0000-7000-8000-000000000001",
    "IntegerConverter": 1,
    "FloatConverter": 1.0,
    "PathConverter": "x/y",
    "UnicodeConverter": "x",
}
MUST_STAND_IN_POLICY = [
    "default-src 'self'", "script-src 'self'", "style-src 'self'", "object-src 'none'", "base-uri 'none'",
    "frame-ancestors 'none'", "form-action 'self'",
]  # fmt: skip


def _rules(app, *, methods):
    return [rule for rule in app.url_map.iter_rules() if (rule.methods or set()) & methods]


def _address(app, rule: Rule) -> str:
    values = {
        name: rule.defaults[name] if rule.defaults and name in rule.defaults else SAMPLES[type(c).__name__]
        for name, c in rule._converters.items()
    }
    with app.test_request_context():
        return app.url_for(rule.endpoint, **values)


def _access(app, rule: Rule) -> Access | None:
    return declared(app, rule.endpoint)


def test_every_route_declares_who_may_enter(app):
    silent = sorted(endpoint for endpoint in app.view_functions if declared(app, endpoint) is None)
    assert silent == []


def test_only_gateways_are_spared_the_form_token(app):
    spared = set(csrf._exempt_views)
    wrong = [
        endpoint
        for endpoint, view in app.view_functions.items()
        if f"{view.__module__}.{view.__name__}" in spared and declared(app, endpoint) is not Access.GATEWAY
    ]
    assert wrong == []
    assert not csrf._exempt_blueprints


def test_every_write_without_a_form_token_is_refused(portal):
    portal.config["WTF_CSRF_ENABLED"] = True
    browser = portal.test_client()
    let_in = []
    for rule in _rules(portal, methods=WRITES):
        if _access(portal, rule) is Access.GATEWAY:
            continue
        for method in sorted((rule.methods or set()) & WRITES):
            response = browser.open(_address(portal, rule), method=method)
            if response.status_code != 400:
                let_in.append(f"{method} {rule.rule} -> {response.status_code}")
    assert let_in == []


def test_visitors_see_no_page_of_a_customer(portal):
    portal.config["WTF_CSRF_ENABLED"] = False
    browser = portal.test_client()
    let_in = []
    for rule in _rules(portal, methods={"GET"} | WRITES):
        if _access(portal, rule) not in (Access.CUSTOMER, Access.ADMINISTRATOR):
            continue
        for method in sorted((rule.methods or set()) & ({"GET"} | WRITES)):
            response = browser.open(_address(portal, rule), method=method)
            if response.status_code != 303 or not response.location.startswith("/sign-in"):
                let_in.append(f"{method} {rule.rule} -> {response.status_code}")
    assert let_in == []


def test_no_address_that_changes_things_answers_a_plain_get(app):
    """Links, prefetching and mail scanners only ever GET."""
    verbs = ("cancellation", "revocation", "sign-out", "/pay", "/start", "/stop", "/restart", "/check", "read")
    wrong = [r.rule for r in _rules(app, methods={"GET"}) if r.rule.endswith(verbs)]
    assert wrong == []


@pytest.mark.parametrize("path", ["/", "/sign-in", "/register", "/forgot", "/nothing-here", "/profile", "/healthz"])
def test_every_answer_is_armoured(client, path):
    response = client.get(path)
    policy = response.headers["Content-Security-Policy"]
    assert [part for part in MUST_STAND_IN_POLICY if part not in policy] == []
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["X-Frame-Options"] == "DENY"
    assert response.headers["Referrer-Policy"]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Request-ID"]


def test_refusals_are_armoured_too(portal):
    portal.config["WTF_CSRF_ENABLED"] = True
    response = portal.test_client().post("/sign-in")
    assert response.status_code == 400
    assert "script-src 'self'" in response.headers["Content-Security-Policy"]


def test_pages_hold_no_script_or_style_that_the_policy_forbids(client):
    for path in ("/", "/sign-in", "/register", "/forgot"):
        page = client.get(path).text
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick=" not in page
        assert page.count("<script") == page.count("<script src=")


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(client):
    client.post("/sign-out")
    with client.session_transaction() as cookie:
        cookie["x"] = "y"
    cookie = client.get_cookie("minispod_session")
    assert cookie.http_only
    assert cookie.same_site == "Lax"
    assert cookie.path == "/"


def test_cookies_travel_over_https_alone_once_the_portal_does():
    secure = _flask_config(Settings(public_url="https://portal.example.com"))
    plain = _flask_config(Settings(public_url="http://127.0.0.1:8000"))
    assert (secure["SESSION_COOKIE_SECURE"], plain["SESSION_COOKIE_SECURE"]) == (True, False)


@pytest.mark.parametrize("cookie, path", [("language", "/language/en"), ("theme", "/theme/dark")])
def test_other_cookies_stay_on_this_site(client, cookie, path):
    client.get(path)
    assert client.get_cookie(cookie).same_site == "Lax"


@pytest.mark.parametrize("wanted", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example"])
def test_no_switch_leads_to_another_site(client, wanted):
    for path in ("/language/en", "/theme/dark"):
        location = client.get(path, query_string={"next": wanted}).location
        assert location.startswith("/")
        assert not location.startswith(("//", "/\\", "/\t"))
