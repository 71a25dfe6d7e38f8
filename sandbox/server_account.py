"""PostgreSQL refuses root: its programs then run as an account that owns nothing but the data folder."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
from pathlib import Path
from typing import Self

SERVER_ACCOUNT = "nobody"  # exists everywhere


class EngineError(Exception):
    """An engine is missing or did not start; the message is one line fit for a terminal."""


class ServerAccount:
    """Who a PostgreSQL program runs as: ourselves, or as root an account that PostgreSQL accepts.

    When a folder on the way is closed to others (a checkout in /root, a temporary folder of mode 0700) the
    account keeps the one capability to pass it, instead of us opening folders that their owner closed.
    """

    def __init__(self, *, prefix: list[str], user: int | None, group: int | None, groups: list[int] | None) -> None:
        self.prefix, self.user, self.group, self.groups = prefix, user, group, groups

    @classmethod
    def for_paths(cls, *paths: Path) -> Self:
        if os.geteuid() != 0:
            return cls(prefix=[], user=None, group=None, groups=None)
        entry = pwd.getpwnam(SERVER_ACCOUNT)
        if not any(_closed_to_others(path) for path in paths):
            return cls(prefix=[], user=entry.pw_uid, group=entry.pw_gid, groups=[])
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise EngineError(
                "PostgreSQL cannot run as root below a private folder: use a user account, or move out of it."
            )
        prefix = [
            *(setpriv, f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups"),
            *(
                "--inh-caps=-all,+dac_override",
                "--ambient-caps=-all,+dac_override",
                "--bounding-set=-all,+dac_override",
            ),
            *("--securebits=+no_setuid_fixup", "--pdeathsig=INT", "--"),  # else access(2) forgets the capability
        ]
        return cls(prefix=prefix, user=None, group=None, groups=None)


def _closed_to_others(path: Path) -> bool:
    return any(not folder.stat().st_mode & stat.S_IXOTH for folder in path.resolve().parents)


def own_directory(path: Path) -> None:
    """Make the folder, readable by nobody but the account the server runs as."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    if os.geteuid() == 0:
        entry = pwd.getpwnam(SERVER_ACCOUNT)
        os.chown(path, entry.pw_uid, entry.pw_gid)
    elif path.stat().st_uid != os.geteuid():
        raise EngineError(f"{path} belongs to another account: an earlier start was made by root. Remove it as root.")
    path.chmod(0o700)
