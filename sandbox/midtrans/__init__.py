"""A stand-in for the Midtrans payment gateway that the unmodified client library and browsers talk to."""

from .app import create_app
from .gateway import Refused, RequestRefused
from .simulator import Simulator

__all__ = ["Refused", "RequestRefused", "Simulator", "create_app"]
