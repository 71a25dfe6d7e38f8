"""A customer who tops up at a gateway whose bank we are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.server import SandboxServer
from tests.books_audit import assert_books_are_clean
from tests.outside import outside, outside_server  # noqa: F401 - fixtures
from tests.payments.counter import Counter
from tests.personas import Person, ayu, budi, citra, dewi  # noqa: F401 - fixtures


@pytest.fixture
def counter(outside: SandboxServer, ayu: Person) -> Counter:  # noqa: F811 - a fixture
    """Where Ayu pays; afterwards the books are audited."""
    return Counter(outside, ayu.customer_id)


@pytest.fixture
def audited(counter: Counter) -> Iterator[None]:
    """Whatever arrives, the books stay clean."""
    yield
    assert_books_are_clean()


@pytest.fixture
def truth(counter: Counter) -> dict[str, Any]:
    """The gateway's own message about a settled top-up of 50.000, not delivered yet."""
    payment = counter.ask(50_000)
    counter.pay(payment)
    return json.loads(counter.outside.midtrans.notifications(order_id=counter.order_id(payment))[-1].body)
