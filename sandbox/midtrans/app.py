"""The simulator as a WSGI application. Mount it under any prefix; it finds its own address."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from flask import Flask

from . import broken_api, control, core_api, page, snap_api
from .settings import Settings, require_sandbox_key
from .simulator import Simulator


class SandboxApp(Flask):
    """A Flask app that carries its simulator."""

    simulator: Simulator


def create_app(*, server_key: str, client_key: str, notification_url: str,
               state_file: str | Path | None = None, seed: int = 0,
               **settings: Any) -> SandboxApp:  # fmt: skip
    """The application with a started simulator in `app.simulator`; call its `stop` when done.

    `seed` fixes delays, jitter and fault probabilities; ids are never repeated. Further keywords are
    `Settings`. Raises ValueError for a server key that is not a sandbox key.
    """
    require_sandbox_key(server_key)
    chosen = Settings(server_key, client_key, notification_url, **settings)
    app = SandboxApp("sandbox.midtrans", static_folder="assets", static_url_path="/snap/assets")
    app.simulator = Simulator(chosen, state_file=Path(state_file) if state_file else None, seed=seed).start()
    app.json.sort_keys = False  # type: ignore[attr-defined]
    for blueprint in (snap_api.blueprint, core_api.blueprint, page.blueprint, control.blueprint):
        app.register_blueprint(blueprint)
    broken_api.install(app)
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    return app
