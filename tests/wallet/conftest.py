"""The people, and a shop to spend in."""

from tests.personas import ayu, budi, citra, dewi  # noqa: F401 - fixtures
from tests.subscriptions.conftest import shop  # noqa: F401 - a fixture
