"""A customer who tops up at a gateway whose bank we are."""

from __future__ import annotations

import pytest

from sandbox.server import SandboxServer
from tests.outside import outside, outside_server  # noqa: F401 - fixtures
from tests.payments.counter import Counter
from tests.personas import Person, ayu, budi, citra, dewi  # noqa: F401 - fixtures


@pytest.fixture
def counter(outside: SandboxServer, ayu: Person) -> Counter:  # noqa: F811 - a fixture
    """Where Ayu pays; afterwards the books are audited."""
    return Counter(outside, ayu.customer_id)
