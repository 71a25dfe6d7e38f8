"""Says whether PDF documents can be made here: WeasyPrint needs libraries that no wheel carries.

python -m sandbox.pdf    # silent when all are there, else the one line that brings them, exit status 1
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
import shutil
import sys
from pathlib import Path

LIBRARIES = {  # name for the loader: Debian's package
    "pango-1.0": "libpango-1.0-0",
    "pangoft2-1.0": "libpangoft2-1.0-0",
    "harfbuzz-subset": "libharfbuzz-subset0",
}


def command_that_brings_pdf() -> str:
    """The one line that installs what is missing; empty when nothing is."""
    missing = [package for name, package in LIBRARIES.items() if not _loads(name)]
    if not missing:
        return ""
    if sys.platform == "darwin":
        return "brew install pango"
    if shutil.which("apt-get"):
        sudo = "" if os.geteuid() == 0 else "sudo "
        return f"{sudo}apt-get install -y --no-install-recommends {' '.join(missing)}"
    return "install Pango and HarfBuzz with this system's package manager"


def _loads(name: str) -> bool:
    if sys.platform == "darwin":
        folders = [Path("/opt/homebrew/lib"), Path("/usr/local/lib")]
        return any(next(folder.glob(f"lib{name}*.dylib"), None) for folder in folders)
    try:
        ctypes.CDLL(f"lib{name}.so.0")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    line = command_that_brings_pdf()
    if line:
        print(line)
    sys.exit(bool(line))
