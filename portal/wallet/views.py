"""Pages of wallet."""

from flask import Blueprint

blueprint = Blueprint("wallet", __name__)
