"""Pages of instances."""

from flask import Blueprint

blueprint = Blueprint("instances", __name__)
