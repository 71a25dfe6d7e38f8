"""A worker that is about to die: `python -m tests.instances.victim <message id> <instant>` runs one message."""

import sys
from datetime import datetime

from jobs import runner
from portal import create_app
from portal.core import clock

if __name__ == "__main__":
    with create_app().app_context(), clock.at(datetime.fromisoformat(sys.argv[2])):
        runner.perform(sys.argv[1])
