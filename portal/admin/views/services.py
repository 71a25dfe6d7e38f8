"""x"""

from flask import Blueprint

blueprint = Blueprint("admin_services", __name__)
