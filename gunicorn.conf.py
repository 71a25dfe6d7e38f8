"""How gunicorn serves `wsgi:app`, the same everywhere: `gunicorn wsgi:app` reads this file by itself.

WEB_CONCURRENCY is the number of processes (2), WEB_THREADS the threads of each (4), PORT where they listen (8000).
A process holds up to DATABASE_POOL_SIZE database connections.
"""

import os
from pathlib import Path

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
