"""The table of the name server as a page: one form sets or removes the records of a name."""

from __future__ import annotations

from flask import Flask, Response, redirect, render_template_string, request, url_for

from sandbox.names.server import NameServer

KINDS = ("TXT", "CNAME", "A", "AAAA")


def create_app(server: NameServer) -> Flask:
    """The page at `/`; a form without a value removes."""
    app = Flask("sandbox.names")

    @app.get("/")
    def table() -> str:
        return render_template_string(_PAGE, records=server.records, kinds=KINDS, place=server.place)

    @app.post("/")
    def put() -> Response:
        kind, value = request.form["kind"], request.form.get("value", "").strip()
        if kind in KINDS:
            server.put(request.form["name"].strip().rstrip("."), kind, *([value] if value else []))
        return redirect(url_for("table"), code=303)  # type: ignore[return-value]

    return app


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Name server</title><link rel="icon" href="data:,">
<link rel="stylesheet" href="/mailbox/assets/mailbox.css"></head><body>
<header><div class="wide"><h1>Name server</h1>
<p>What the portal finds in the DNS, asked at {{ place }} over UDP.</p></div></header>
<main class="wide"><form method="post">
<label>Name <input name="name" required size="40"></label>
<label>Type <select name="kind">{% for kind in kinds %}<option>{{ kind }}</option>{% endfor %}</select></label>
<label>Value <input name="value" size="40" placeholder="empty: removes"></label>
<button>Set</button></form>
<table>{% for name, kind, value in records %}<tr><td>{{ name }}</td><td>{{ kind }}</td><td>{{ value }}</td></tr>
{% else %}<tr><td>No records yet.</td></tr>{% endfor %}</table></main></body></html>
"""
