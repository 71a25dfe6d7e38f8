"""What can be chosen about the simulated gateway; changeable at run time on the control page."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass
class Settings:
    """Defaults suit development: everything happens at once and on one machine."""

    server_key: str
    client_key: str
    notification_url: str
    merchant_id: str = "G812345678"
    merchant_name: str = "MinisPod"
    finish_url: str = ""
    """Where redirect mode returns to when the order names no callback."""
    public_url: str = ""
    """Base of redirect_url; empty means the address the API was called at."""
    core_errors_as_http: bool = False
    """False: HTTP 200 with the code in the body, as the vendor does. True: the code as HTTP status."""
    status_rule: str = "latest_successful"
    """Which transaction a status by order id returns: `latest_successful` (else latest) or `latest`."""
    realistic_latency: bool = False
    """Notify after 0-20 s (settlement) and 0-90 s (expiry) instead of at once."""
    pending_notifications: bool = True
    extra_fields: bool = False
    """Add fields nobody has documented to every message, as the vendor may at any time."""
    delivery_timeout_s: float = 15.0
    """Real seconds a receiver has to answer a notification."""

    def change(self, **changes: Any) -> None:
        """Set known settings, keys excepted; unknown names raise KeyError, wrong types ValueError."""
        for name, value in changes.items():
            self._set(name, value)

    def _set(self, name: str, value: Any) -> None:
        changeable = {f.name for f in fields(self)} - {"server_key", "client_key"}
        if name not in changeable:
            raise KeyError(name)
        kind = type(getattr(self, name))
        if kind is float and isinstance(value, int):
            value = float(value)
        if not isinstance(value, kind):
            raise ValueError(f"{name} must be {kind.__name__}")
        setattr(self, name, value)


def require_sandbox_key(server_key: str) -> None:
    """Refuse anything that could be a production secret."""
    if not server_key.startswith("SB-"):
        raise ValueError("the sandbox accepts only server keys that start with SB-")
