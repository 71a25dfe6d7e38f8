"""Pages of invoices."""

from flask import Blueprint

blueprint = Blueprint("invoices", __name__)
