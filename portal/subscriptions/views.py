"""Pages of subscriptions."""

from flask import Blueprint

blueprint = Blueprint("subscriptions", __name__)
