"""The bare Flask page that the portal's pages are measured against: one SELECT, twelve plan cards, a ten-line layout.

No session, no language, no guard, no header, no design; the same Flask, Jinja, SQLAlchemy, driver and pool settings.
"""

from __future__ import annotations

from flask import Flask, render_template
from jinja2 import DictLoader
from sqlalchemy import text

from config import settings
from portal.core.db import db, engine_options

LAYOUT = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>Plans</title>
</head>
<body>
  <main>{% block content %}{% endblock %}</main>
</body>
</html>"""
PAGE = """{% extends "layout.html" %}{% block content %}{% for plan in plans %}
<article>
  <h2>{{ plan.service }} {{ plan.name }}</h2>
  <p>{{ plan.memory_mib }} MB, {{ plan.storage_gib }} GB</p>
  <p>Rp{{ plan.amount }} a month, {{ plan.left }} left</p>
</article>{% endfor %}{% endblock %}"""
TWELVE_PLANS = text(
    """
    SELECT service.name AS service, plan.name, plan.memory_mib, plan.storage_gib, plan_price.amount,
           plan.slots_total - plan.slots_used AS left
    FROM plan JOIN service ON service.id = plan.service_id JOIN plan_price ON plan_price.plan_id = plan.id
    WHERE plan_price.interval = 'MONTHLY' ORDER BY service.slug, plan.sort_order LIMIT 12
    """
)


def create_app() -> Flask:
    """The whole application: one page."""
    app = Flask(__name__)
    options = settings()
    app.config["SQLALCHEMY_DATABASE_URI"] = options.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(pool_size=options.database_pool_size)
    app.jinja_loader = DictLoader({"layout.html": LAYOUT, "page.html": PAGE})
    db.init_app(app)
    app.add_url_rule("/", view_func=page)
    return app


def page() -> str:
    """Twelve plan cards."""
    return render_template("page.html", plans=db.session.execute(TWELVE_PLANS).all())
