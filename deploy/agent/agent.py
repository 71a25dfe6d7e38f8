"""Tells the portal every 30 seconds how the node it runs on is doing. The standard library alone.

It asks the API server for its own node and that node's kubelet for `/stats/summary`, and posts both, signed, to
`<PORTAL_URL>/nodes/heartbeat`. A question that fails leaves its figures out: the heartbeat goes all the same.

| variable | meaning |
|---|---|
| `PORTAL_URL` | where the portal is; https, unless it is this machine |
| `NODE_AGENT_TOKEN` | the portal's setting of that name |
| `NODE_NAME`, `HOST_IP` | from the pod's own fields |
| `INTERVAL_S` | seconds between heartbeats (30) |
| `KUBELET_URL` | the kubelet (https://HOST_IP:10250) |
| `KUBELET_VERIFY` | `false`: its certificate is not checked, for kubelets without one of the cluster |
| `API_URL`, `ACCOUNT_DIR` | the API server, and where the account's token and CA stand |
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

VERSION = "1"
TIMEOUT_S = 8
VOLUMES_MAX = 250  # keeps a heartbeat below the portal's 64 KiB
ANSWER_BYTES_MAX = 16 * 2**20
BINARY = {f"{sign}i": 1024**power for power, sign in enumerate("KMGTPE", start=1)}
DECIMAL = {"m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}

Json = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """Read once from the environment; a bad value ends the program with one line."""

    portal_url: str
    token: str
    node: str
    kubelet_url: str
    api_url: str
    account_dir: Path
    kubelet_verify: bool = True
    interval_s: float = 30

    @classmethod
    def read(cls, given: dict[str, str]) -> Settings:
        missing = [name for name in ("PORTAL_URL", "NODE_AGENT_TOKEN", "NODE_NAME") if not given.get(name)]
        if missing:
            sys.exit(f"agent: {', '.join(missing)} must be set")
        found = cls(
            portal_url=given["PORTAL_URL"].rstrip("/"),
            token=given["NODE_AGENT_TOKEN"],
            node=given["NODE_NAME"],
            kubelet_url=(given.get("KUBELET_URL") or f"https://{given.get('HOST_IP', '127.0.0.1')}:10250").rstrip("/"),
            api_url=(given.get("API_URL") or "https://kubernetes.default.svc").rstrip("/"),
            account_dir=Path(given.get("ACCOUNT_DIR") or "/var/run/secrets/kubernetes.io/serviceaccount"),
            kubelet_verify=given.get("KUBELET_VERIFY", "true").lower() != "false",
            interval_s=max(5.0, float(given.get("INTERVAL_S") or 30)),
        )
        if urlsplit(found.portal_url).scheme != "https" and urlsplit(found.portal_url).hostname != "127.0.0.1":
            sys.exit("agent: PORTAL_URL must be https")
        return found


def report(settings: Settings) -> Json:
    """The heartbeat's body: what is known, and nothing guessed."""
    body: Json = {"node": settings.node, "agent_version": VERSION}
    node = _try(lambda: _ask(settings, f"{settings.api_url}/api/v1/nodes/{settings.node}", verify=True))
    summary = _try(lambda: _ask(settings, f"{settings.kubelet_url}/stats/summary", verify=settings.kubelet_verify))
    if node:
        body |= _about(node)
    if summary:
        body |= _used(summary)
    return body


def send(settings: Settings, body: Json, *, now_s: float) -> None:
    """Posts it, signed; raises OSError when the portal does not take it."""
    raw = json.dumps(body, separators=(",", ":")).encode()
    timestamp = str(int(now_s))
    signature = hmac.new(settings.token.encode(), f"{timestamp}.".encode() + raw, hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/json", "X-Timestamp": timestamp, "X-Signature": f"sha256={signature}",
        "User-Agent": f"minispod-agent/{VERSION}",
    }  # fmt: skip
    request = urllib.request.Request(f"{settings.portal_url}/nodes/heartbeat", raw, headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        answer.read(1024)


def _ask(settings: Settings, url: str, *, verify: bool) -> Json:
    """A JSON answer. The token is read every time: the cluster changes it."""
    token = (settings.account_dir / "token").read_text().strip()
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    context = _context(settings, verify) if url.startswith("https:") else None
    with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=context) as answer:
        return dict(json.loads(answer.read(ANSWER_BYTES_MAX)))


def _context(settings: Settings, verify: bool) -> ssl.SSLContext:
    authority = settings.account_dir / "ca.crt"
    context = ssl.create_default_context(cafile=str(authority) if authority.exists() else None)
    if not verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _about(node: Json) -> Json:
    status = node.get("status") or {}
    info, capacity = status.get("nodeInfo") or {}, status.get("capacity") or {}
    return {
        "kubelet_version": str(info.get("kubeletVersion", ""))[:80],
        "runtime_version": str(info.get("containerRuntimeVersion", ""))[:80],
        "operating_system": str(info.get("osImage", ""))[:80],
        "architecture": str(info.get("architecture", ""))[:40],
        "capacity": {
            "cpu_millicores": int(_quantity(capacity.get("cpu", "0")) * 1000),
            "memory_bytes": int(_quantity(capacity.get("memory", "0"))),
            "storage_bytes": int(_quantity(capacity.get("ephemeral-storage", "0"))),
            "pods": int(_quantity(capacity.get("pods", "0"))),
        },
    }


def _used(summary: Json) -> Json:
    node, pods = summary.get("node") or {}, summary.get("pods") or []
    return {
        "used": {
            "cpu_millicores": int((node.get("cpu") or {}).get("usageNanoCores", 0)) // 10**6,
            "memory_bytes": int((node.get("memory") or {}).get("workingSetBytes", 0)),
            "storage_bytes": int((node.get("fs") or {}).get("usedBytes", 0)),
            "pods": len(pods),
        },
        "volumes": [volume for pod in pods for volume in _volumes(pod)][:VOLUMES_MAX],
    }


def _volumes(pod: Json) -> list[Json]:
    """Volumes with a claim; scratch space and Secrets have none."""
    return [
        {
            "namespace": one["pvcRef"]["namespace"], "claim": one["pvcRef"]["name"],
            "used_bytes": int(one.get("usedBytes", 0)), "capacity_bytes": int(one.get("capacityBytes", 0)),
        }
        for one in pod.get("volume") or []
        if one.get("pvcRef")
    ]  # fmt: skip


def _quantity(text: object) -> float:
    """`4`, `3920m`, `24684100Ki` as a number."""
    written = str(text)
    for suffix, factor in (*BINARY.items(), *DECIMAL.items()):
        if suffix and written.endswith(suffix):
            return float(written.removesuffix(suffix)) * factor
    return float(written)


def _try(question: Any) -> Json:
    try:
        return dict(question())
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f"agent: no answer: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return {}


def run(settings: Settings, stopped: threading.Event) -> None:
    """Until it is told to stop. A heartbeat that fails is not repeated: the next one comes soon."""
    while not stopped.is_set():
        began_s = time.monotonic()
        try:
            send(settings, report(settings), now_s=time.time())
        except OSError as error:
            print(f"agent: not delivered: {error}", file=sys.stderr, flush=True)
        stopped.wait(max(1.0, settings.interval_s - (time.monotonic() - began_s)))


def main() -> None:
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    run(Settings.read(dict(os.environ)), stopped)


if __name__ == "__main__":
    main()
