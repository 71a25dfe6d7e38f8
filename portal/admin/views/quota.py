"""x"""

from flask import Blueprint

blueprint = Blueprint("admin_quota", __name__)
