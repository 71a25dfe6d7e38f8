"""The file by which a client finds the stand-in."""

from __future__ import annotations

from pathlib import Path

import yaml

from .rbac import PORTAL_TOKEN


def write_kubeconfig(path: Path, server_url: str, token: str = PORTAL_TOKEN) -> Path:
    """Writes a kubeconfig with one context, `sandbox`; by default for the portal's own least-privilege account."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "sandbox",
        "clusters": [{"name": "sandbox", "cluster": {"server": server_url.rstrip("/")}}],
        "users": [{"name": "sandbox", "user": {"token": token}}],
        "contexts": [{"name": "sandbox", "context": {"cluster": "sandbox", "user": "sandbox"}}],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    path.chmod(0o600)
    return path
