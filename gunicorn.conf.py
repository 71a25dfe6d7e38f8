"""How gunicorn serves `wsgi:app`, the same everywhere: `gunicorn wsgi:app` reads this file by itself.

WEB_CONCURRENCY is the number of processes (2), WEB_THREADS the threads of each (4), PORT where they listen (8000).
A process holds up to DATABASE_POOL_SIZE database connections.
"""

import os
import tempfile
from pathlib import Path
from typing import Any

# Where the processes share their counters, so that GET /metrics tells of all of them. Read at import by the library.
os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="minispod-metrics-"))


def child_exit(_: Any, worker: Any) -> None:
    """A process that ended leaves no gauge behind; its counts stay."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)


bind = f"0.0.0.0:{os.environ.get('PORT', '8000')}"
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WEB_THREADS", "4"))
timeout = 60
graceful_timeout = 10
keepalive = 15
accesslog = None  # the portal writes its own lines
loglevel = "warning"
control_socket_disable = True
memory = Path("/dev/shm")  # noqa: S108 - a fixed place: heartbeats never wait for a disk
worker_tmp_dir = str(memory) if memory.is_dir() else None
