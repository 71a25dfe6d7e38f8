"""The blueprint that the modules beside this one hang their routes on."""

from __future__ import annotations

from flask import Blueprint

blueprint = Blueprint("subscriptions", __name__)
