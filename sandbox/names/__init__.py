"""A name server on the loopback: answers over UDP from a table that tests and people may write."""

from sandbox.names.page import create_app
from sandbox.names.server import NameServer

__all__ = ["NameServer", "create_app"]
