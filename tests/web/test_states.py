"""Every state has a word, an icon and a tone."""

from __future__ import annotations

import pytest
from flask import render_template_string

from portal.instances.models import InstanceState
from portal.invoices.models import DocumentStatus
from portal.payments.models import PaymentStatus
from portal.subscriptions.models import IntentStatus, SubscriptionStatus
from portal.wallet.models import TransactionStatus
from portal.web.states import KINDS, shown

ENUMS = {
    "instance": InstanceState,
    "payment": PaymentStatus,
    "subscription": SubscriptionStatus,
    "transaction": TransactionStatus,
    "document": DocumentStatus,
    "intent": IntentStatus,
}


@pytest.mark.parametrize("kind", ENUMS)
def test_every_state_is_worded(kind):
    assert [state for state in ENUMS[kind] if state not in KINDS[kind]] == []


def test_the_same_name_says_what_it_means_in_its_place(portal):
    assert str(shown("PENDING", "instance").word) != str(shown("PENDING", "payment").word)


def test_an_unknown_state_shows_its_own_name(portal):
    assert shown("NEW_STATE", "payment").word == "NEW_STATE"


def test_a_badge_is_a_word_with_an_icon(portal):
    with portal.test_request_context():
        badge = render_template_string('{% from "web/macros.html" import badge %}{{ badge("RUNNING", "instance") }}')
    assert "state-good" in badge
    assert "#circle-check" in badge
    assert "<span>" in badge
