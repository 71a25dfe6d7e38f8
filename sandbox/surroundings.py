"""What `bin/run` starts from: the environment and `.env`, ports, kept secrets, the lock that says who runs.

Everything here either succeeds or raises `Refusal` with one line that names what to change. The portal is
configured through the environment alone; `Surroundings.variables` is what its processes get.
"""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import os
import secrets
import socket
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parents[1]
BANK_ACCOUNTS = "BCA 1234567890 a.n. PT MinisPod Nusantara; Mandiri 1310012345678 a.n. PT MinisPod Nusantara"
PORT_WAIT_S = 6  # after a kill, processes of the last run may still be letting go of their ports


class Refusal(Exception):
    """The start is refused; the message is one line for a terminal."""


@dataclass
class Surroundings:
    """Where this run keeps its data, what it listens on, and which parts are the real thing."""

    given: dict[str, str]
    local: Path
    host: str
    port: int
    sandbox_port: int
    smtp_port: int
    kept: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls) -> Surroundings:
        """The environment, completed by `.env`; an empty value counts as absent."""
        written = {name: value or "" for name, value in dotenv_values(ROOT / ".env").items()}
        given = {name: value for name, value in (written | dict(os.environ)).items() if value}
        sandbox_port = _port(given, "SANDBOX_PORT", 8900)
        found = cls(
            given=given,
            local=(ROOT / given.get("LOCAL_DIR", ".local")).absolute(),
            host=given.get("HOST", "127.0.0.1"),
            port=_port(given, "PORT", 8000),
            sandbox_port=sandbox_port,
            smtp_port=_port(given, "SANDBOX_SMTP_PORT", sandbox_port + 25),
        )
        found._refuse_halves()
        return found

    @property
    def url(self) -> str:
        return self.given.get("PUBLIC_URL", f"http://{self._reachable}:{self.port}").rstrip("/")

    @property
    def sandbox_url(self) -> str:
        return self.given.get("SANDBOX_URL", f"http://{self._reachable}:{self.sandbox_port}").rstrip("/")

    @property
    def _reachable(self) -> str:
        return "127.0.0.1" if self.host in ("0.0.0.0", "::", "localhost") else self.host

    @property
    def real_payments(self) -> bool:
        return "MIDTRANS_SERVER_KEY" in self.given

    @property
    def real_cluster(self) -> bool:
        return "KUBECONFIG" in self.given or "KUBECONFIG_DATA" in self.given

    @property
    def real_mail(self) -> bool:
        return "SMTP_URL" in self.given

    @property
    def sandboxed(self) -> bool:
        return not (self.real_payments and self.real_cluster and self.real_mail)

    def _refuse_halves(self) -> None:
        keys = {"MIDTRANS_SERVER_KEY", "MIDTRANS_CLIENT_KEY"}
        missing = keys - self.given.keys()
        if len(missing) == 1:
            raise Refusal(f"{missing.pop()} is missing: give both Midtrans keys, or neither to use the sandbox.")
        kubeconfig = self.given.get("KUBECONFIG")
        if kubeconfig and not any(Path(part).expanduser().is_file() for part in kubeconfig.split(os.pathsep)):
            raise Refusal(f"KUBECONFIG names {kubeconfig}, which is not a file: correct or unset it.")

    def check_ports(self, *, patiently: bool) -> None:
        """Refuse a port that somebody listens on; `patiently` when an earlier run did not end in order."""
        wanted = {"PORT": (self.host, self.port)}
        if self.sandboxed:
            wanted["SANDBOX_PORT"] = ("127.0.0.1", self.sandbox_port)
            wanted["SANDBOX_SMTP_PORT"] = ("127.0.0.1", self.smtp_port)
        by_number: dict[int, str] = {}
        for name, (_, port) in wanted.items():
            if other := by_number.get(port):
                raise Refusal(f"{name} and {other} are both {port}: give them different numbers.")
            by_number[port] = name
        deadline = time.monotonic() + (PORT_WAIT_S if patiently else 0)
        for name, (host, port) in wanted.items():
            while reason := _why_closed(host, port):
                if time.monotonic() >= deadline:
                    raise Refusal(f"Port {port} {reason}: stop what uses it, or choose with {name}=… bin/run")
                time.sleep(0.2)

    def keep_secrets(self) -> None:
        """Read the secrets that earlier runs made, make what is missing; for the owner's eyes only."""
        path = self.local / "secrets.env"
        self.kept = {name: value for name, value in dotenv_values(path).items() if value} if path.exists() else {}
        made = {
            "SECRET_KEY": lambda: secrets.token_urlsafe(48),
            "ENCRYPTION_KEYS": lambda: base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "NODE_AGENT_TOKEN": lambda: secrets.token_urlsafe(36),
            "SANDBOX_SERVER_KEY": lambda: f"SB-Mid-server-{secrets.token_hex(12)}",
            "SANDBOX_CLIENT_KEY": lambda: f"SB-Mid-client-{secrets.token_hex(8)}",
        }
        missing = made.keys() - self.kept.keys()
        if missing:
            self.kept |= {name: made[name]() for name in sorted(missing)}
            text = "".join(f"{name}={value}\n" for name, value in sorted(self.kept.items()))
            with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(
                    "# Made by bin/run. Without ENCRYPTION_KEYS the stored app passwords cannot be read.\n" + text
                )
        path.chmod(0o600)

    def variables(self, *, database_url: str, redis_url: str) -> dict[str, str]:
        """The environment of the portal's processes: what was given, over what this run provides."""
        provided = {
            "ENVIRONMENT": "development",
            "SECRET_KEY": self.kept["SECRET_KEY"],
            "ENCRYPTION_KEYS": self.kept["ENCRYPTION_KEYS"],
            "PUBLIC_URL": self.url,
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "PYTHONUNBUFFERED": "1",
            **({"SANDBOX": "true", "SANDBOX_URL": self.sandbox_url} if self.sandboxed else {}),
            **({} if self.real_payments else self._sandbox_payments()),
            **({} if self.real_cluster else self._sandbox_cluster()),
            **({} if self.real_mail else {"SMTP_URL": f"smtp://127.0.0.1:{self.smtp_port}"}),
            **_library_paths(),
        }
        return provided | self.given

    def _sandbox_payments(self) -> dict[str, str]:
        inside = f"http://127.0.0.1:{self.sandbox_port}/midtrans"
        return {
            "MIDTRANS_SERVER_KEY": self.kept["SANDBOX_SERVER_KEY"],
            "MIDTRANS_CLIENT_KEY": self.kept["SANDBOX_CLIENT_KEY"],
            "MIDTRANS_CORE_URL": inside,
            "MIDTRANS_SNAP_URL": f"{inside}/snap/v1",
            "MIDTRANS_SNAP_JS_URL": f"{self.sandbox_url}/midtrans/snap/snap.js",
            "BANK_ACCOUNTS": BANK_ACCOUNTS,
        }

    def _sandbox_cluster(self) -> dict[str, str]:
        return {
            "KUBECONFIG": str(self.kubeconfig),
            "NODE_AGENT_TOKEN": self.kept["NODE_AGENT_TOKEN"],
            "CLUSTER_STORAGE_CLASS": "expandable",
            "APPS_DOMAIN": "apps.localhost",
            "APPS_PUBLIC_SCHEME": "http",
            "APPS_PUBLIC_PORT": str(self.sandbox_port),
            "APPS_PROBE_ADDRESS": f"127.0.0.1:{self.sandbox_port}",
            "DNS_RESOLVERS": f"127.0.0.1:{self.sandbox_port}",
        }

    @property
    def kubeconfig(self) -> Path:
        return self.local / "sandbox" / "kubeconfig"


LOCK_TRIES = 20


class Lock:
    """One run per data folder. The kernel frees the lock when its holder dies, however it dies."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = path.open("a+")
        if not self._take():
            holder = self._read()
            where, pid = holder.get("url", "another address"), holder.get("pid", "?")
            raise Refusal(f"MinisPod is already running at {where} (pid {pid}).")
        self.ended_in_order = not self._read()

    def _take(self) -> bool:
        """A child that was just being started when its parent was killed holds the lock for an instant longer, so one
        whose holder is gone is waited for; a holder that lives is not."""
        for _ in range(LOCK_TRIES):
            try:
                fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if _lives(self._read().get("pid")):
                    return False
                time.sleep(0.1)
            else:
                return True
        return False

    def write(self, *, url: str) -> None:
        self._replace(json.dumps({"pid": os.getpid(), "url": url}))

    def release(self) -> None:
        self._replace("")
        self.file.close()

    def _read(self) -> dict[str, Any]:
        self.file.seek(0)
        try:
            return dict(json.loads(self.file.read() or "{}"))
        except ValueError:
            return {"pid": "?"}

    def _replace(self, text: str) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.file.write(text)
        self.file.flush()


def _lives(pid: Any) -> bool:
    """Is there a process of that number?"""
    try:
        os.kill(int(pid), 0)
    except (TypeError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def address_without_password(url: str) -> str:
    """`postgresql://db.example:5432/minispod`, for people's eyes."""
    parts = urlsplit(url)
    place = parts.hostname or ""
    if parts.port:
        place += f":{parts.port}"
    return f"{parts.scheme.partition('+')[0]}://{place}{parts.path}"


def _port(given: dict[str, str], name: str, default: int) -> int:
    text = given.get(name, str(default))
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise Refusal(f"{name} must be a number from 1 to 65535, not {text!r}.")
    return int(text)


def _why_closed(host: str, port: int) -> str:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "is taken"
            if error.errno == errno.EACCES:
                return "needs an administrator"
            raise Refusal(f"HOST={host} is not an address of this machine.") from None
    return ""


def _library_paths() -> dict[str, str]:
    """WeasyPrint finds Homebrew's libraries only when told where they are."""
    if sys.platform != "darwin":
        return {}
    return {"DYLD_FALLBACK_LIBRARY_PATH": "/opt/homebrew/lib:/usr/local/lib:/usr/lib"}
