"""x"""

from flask import Blueprint

blueprint = Blueprint("admin_app_templates", __name__)
