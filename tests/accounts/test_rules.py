"""Rules of accounts: exhaustive tables, no database."""

from __future__ import annotations

import pytest

from portal.accounts import devices, passwords, rules
from portal.accounts.rules import Departure, DepartureProblem, NameProblem, PasswordProblem

AYU = {"email": "ayu.lestari@example.com", "name": "Ayu Lestari"}


@pytest.mark.parametrize(
    "typed, stored",
    [
        ("Ayu@Example.COM", "ayu@example.com"),
        ("  ayu@example.com \n", "ayu@example.com"),
        ("ayu@münchen.de", "ayu@xn--mnchen-3ya.de"),
        ("ayu+n8n@example.com", "ayu+n8n@example.com"),
    ],
)
def test_an_address_is_stored_in_one_spelling(typed, stored):
    assert rules.normal_email(typed) == stored


@pytest.mark.parametrize(
    "typed",
    [
        "", "ayu", "ayu@", "@example.com", "ayu@localhost", "a@b@c.com", "ayu@example.com\nBcc: citra@example.com",
        "ayu\x00@example.com", "ayu@exam\x00ple.com", "ａyu@example.com", "аyu@example.com", '"a b"@example.com',
        "ayu@[127.0.0.1]", "ayu@example.com,citra@example.com", "ayu@example.com\u202e", "a" * 10_000 + "@example.com",
        "a@" + "b" * 10_000, "<script>@example.com", "ayu @example.com",
    ],
)  # fmt: skip
def test_what_mail_cannot_reach_is_no_address(typed):
    assert rules.normal_email(typed) is None


@pytest.mark.parametrize(
    "name, problem",
    [
        ("Ayu", None),
        ("Ayu Lestari, S.Kom.", None),
        ("O'Brien-Wijaya", None),
        ("阿優", None),
        ("X Æ A-12", None),
        ("Dr. H. Budi Santoso, M.Si", None),
        ("R.A.Kartini", None),
        ("J.R.R.Tolkien", None),
        ("a" * 100, None),
        ("", NameProblem.EMPTY),
        ("   ", NameProblem.EMPTY),
        ("a" * 101, NameProblem.TOO_LONG),
        ("a" * 10_000, NameProblem.TOO_LONG),
        ("Ayu\r\nBcc: citra@example.com", NameProblem.UNFIT),
        ("Ayu\x00", NameProblem.UNFIT),
        ("Ayu\u202eiratseL", NameProblem.UNFIT),
        ("Ayu\u2028", NameProblem.UNFIT),
        ("Ayu\u200b", NameProblem.UNFIT),
        ("Ayu\tLestari", NameProblem.UNFIT),
        ("<b>Ayu</b>", NameProblem.UNFIT),
        ("Win at https://evil.example", NameProblem.UNFIT),
        ("WWW.evil.example", NameProblem.UNFIT),
        ("ayu@example.com", NameProblem.UNFIT),
        ("...", NameProblem.UNFIT),
        ("\ud800", NameProblem.UNFIT),
        ("evil.com", NameProblem.LINK_LIKE),
        ("Claim your prize at bit.ly", NameProblem.LINK_LIKE),
        ("kaya-raya.co.id", NameProblem.LINK_LIKE),
        ("EVIL.XN--P1AI", NameProblem.LINK_LIKE),
        ("жулик.рф", NameProblem.LINK_LIKE),
        ("evil。com", NameProblem.LINK_LIKE),
    ],
)
def test_a_name_is_a_line_of_letters(name, problem):
    assert rules.name_problem(rules.normal_name(name)) == problem


def test_a_name_has_one_spelling():
    assert rules.normal_name("  Ayu   Lestari ") == "Ayu Lestari"
    assert rules.normal_name("Ame\u0301lie") == "Am\u00e9lie"


@pytest.mark.parametrize(
    "typed, stored",
    [
        ("0812 3456 7890", "+6281234567890"),
        ("+62 812-3456-7890", "+6281234567890"),
        ("6281234567890", "+6281234567890"),
        ("(021) 5551234", "+62215551234"),
        ("+65 6123 4567", "+6561234567"),
        ("0065 6123 4567", "+6561234567"),
        ("+62 (0) 812 3456 7890", "+6281234567890"),
        ("0", None),
        ("12345", None),
        ("+0812345678", None),
        ("0" * 12, None),
        ("1" * 16, None),
        ("0812\x003456789", None),
        ("call me", None),
        ("++62812345678", None),
        ("٠٨١٢٣٤٥٦٧٨٩", None),
    ],
)
def test_a_phone_number_is_stored_with_its_country(typed, stored):
    assert rules.normal_phone(typed) == stored


@pytest.mark.parametrize(
    "password, problem",
    [
        ("tujuh gajah menari", None),
        ("correct battery staple horse", None),
        ("xK9#mQ2$vL", None),
        ("пароль из трёх слов", None),
        ("🦣🐘🦏🦛🐪🐫🦒🦘🦬🐃", None),
        ("x" * 50 + "abcdefgh" + "y" * 142, None),
        ("", PasswordProblem.TOO_SHORT),
        ("xK9#mQ2$v", PasswordProblem.TOO_SHORT),
        ("xK9#mQ2$vL" * 20 + "x", PasswordProblem.TOO_LONG),
        ("x" * 10_000, PasswordProblem.TOO_LONG),
        ("aaaaaaaaaa", PasswordProblem.TOO_SIMPLE),
        ("abababababab", PasswordProblem.TOO_SIMPLE),
        ("1122334411223344", PasswordProblem.TOO_SIMPLE),
        ("1234567890", PasswordProblem.TOO_SIMPLE),
        ("0987654321", PasswordProblem.TOO_SIMPLE),
        ("abcdefghijkl", PasswordProblem.TOO_SIMPLE),
        ("zyxwvutsrqponm", PasswordProblem.TOO_SIMPLE),
        ("23456789012345", PasswordProblem.TOO_SIMPLE),
        ("qwertyuiop", PasswordProblem.COMMON),
        ("1Q2W3E4R5T", PasswordProblem.COMMON),
        ("Password123!", PasswordProblem.COMMON),
        ("p4ssw0rd2024", PasswordProblem.COMMON),
        ("!!sayangku!!", PasswordProblem.COMMON),
        ("Indonesia1945", PasswordProblem.COMMON),
        ("minispod2026", PasswordProblem.COMMON),
        ("２０２６ｐａｓｓｗｏｒｄ", PasswordProblem.COMMON),
        ("ayu.lestari@example.com", PasswordProblem.PERSONAL),
        ("xx-Ayu.Lestari-xx", PasswordProblem.PERSONAL),
        ("9LESTARI!rumah", PasswordProblem.PERSONAL),
        ("ayulestari99", PasswordProblem.PERSONAL),
    ],
)
def test_a_password_is_hard_to_guess_for_its_owner(password, problem):
    assert rules.password_problem(password, **AYU) == problem


def test_short_parts_of_a_name_do_not_rule_out_words():
    assert rules.password_problem("kayu manis dan pala", email="ayu@example.com", name="Ayu") is None


def test_every_listed_common_password_is_refused():
    found = {p for p in rules.COMMON_PASSWORDS if rules.password_problem(p, email="", name="") is None}
    assert found == set()


@pytest.mark.parametrize(
    "live, credit, choice, confirmed, problem",
    [
        (0, 0, Departure.NOTHING_LEFT, False, None),
        (1, 0, Departure.NOTHING_LEFT, False, DepartureProblem.LIVE_SUBSCRIPTIONS),
        (1, 500, Departure.FORFEIT, True, DepartureProblem.LIVE_SUBSCRIPTIONS),
        (0, 500, Departure.NOTHING_LEFT, False, DepartureProblem.CREDIT_LEFT),
        (0, 500, Departure.NOTHING_LEFT, True, DepartureProblem.CREDIT_LEFT),
        (0, 500, Departure.PAYOUT, True, DepartureProblem.CREDIT_LEFT),
        (0, 500, Departure.FORFEIT, False, DepartureProblem.NOT_CONFIRMED),
        (0, 500, Departure.FORFEIT, True, None),
        (0, 0, Departure.FORFEIT, False, None),
    ],
)
def test_nobody_leaves_running_apps_or_credit_behind_unasked(live, credit, choice, confirmed, problem):
    found = rules.departure_problem(
        live_subscriptions=live, open_top_ups=0, credit=credit, choice=choice, confirmed=confirmed
    )
    assert found == problem


def test_nobody_leaves_while_money_may_still_arrive():
    found = rules.departure_problem(
        live_subscriptions=0, open_top_ups=1, credit=0, choice=Departure.NOTHING_LEFT, confirmed=True
    )
    assert found is DepartureProblem.OPEN_TOP_UPS


@pytest.mark.parametrize("wanted", ["/wallet/", "/top-ups/new?amount=50000&intent=x", "/catalog/n8n#plans", "/a//b"])
def test_a_path_of_this_site_is_gone_back_to(wanted):
    assert rules.return_path(wanted, "/dashboard/") == wanted


@pytest.mark.parametrize(
    "wanted",
    [
        None, "", "wallet", "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example",
        "\\\\evil.example", "/\t/evil.example", "/\n/evil.example", " //evil.example", "javascript:alert(1)",
        "/%0d\n", "/x\x00", "/\u2028", "http:evil.example", "/ /evil.example", "/" + "a" * 2_000, "/a\\b", "//[",
    ],
)  # fmt: skip
def test_nothing_else_is_gone_back_to(wanted):
    assert rules.return_path(wanted, "/dashboard/") == "/dashboard/"


@pytest.mark.parametrize(
    "user_agent, browser, system",
    [
        ("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36", "Chrome", "Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) Version/17.5 Safari/604.1", "Safari", "iPhone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64) Chrome/126.0 Safari/537.36 Edg/126.0", "Edge", "Windows"),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0", "Firefox", "Linux"),
        (
            "Mozilla/5.0 (Linux; Android 13) SamsungBrowser/25.0 Chrome/121.0 Safari/537.36",
            "Samsung Internet",
            "Android",
        ),
        ("", "", ""),
        ("\x00\x01", "", ""),
    ],
)
def test_a_device_has_a_name_in_words(user_agent, browser, system):
    assert (devices.browser(user_agent), devices.system(user_agent)) == (browser, system)


def test_a_hash_fits_its_password_however_it_was_composed():
    stored = passwords.hashed("cafe\u0301 di pasar")
    assert passwords.matches(stored, "caf\u00e9 di pasar")
    assert not passwords.matches(stored, "cafe di pasar")
    assert not passwords.is_outdated(stored)


@pytest.mark.parametrize("password", ["", "x\x00y", "x" * 10_000, "\ud800" * 10])
def test_without_a_hash_no_password_fits(password):
    assert not passwords.matches(None, password)
    assert not passwords.matches("not a hash", password)


def test_a_hash_of_weaker_parameters_is_outdated():
    from argon2 import PasswordHasher

    assert passwords.is_outdated(PasswordHasher(time_cost=1, memory_cost=8 * 1024, parallelism=1).hash("x"))
