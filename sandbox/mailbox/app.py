"""The mailbox in the browser and as JSON. Mount it under any prefix."""

from __future__ import annotations

from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

from flask import Flask, Response, abort, jsonify, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from .box import Mail, Mailbox
from .smtp import FAULTS, MailServer

WIB = timezone(timedelta(hours=7))
PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src 'self' data:; frame-src 'self'"
MAIL_POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:"


class MailboxApp(Flask):
    """A Flask app that carries its mailbox and its (not yet started) mail server."""

    mailbox: Mailbox
    server: MailServer


def create_app(*, folder: str | Path | None = None, smtp_host: str = "127.0.0.1",
               smtp_port: int = 0) -> MailboxApp:  # fmt: skip
    """The application; `app.server.start()` opens the SMTP port, `app.mailbox` is the handle.

    With a folder mails are kept as .eml files and found again after a restart.
    """
    app = MailboxApp("sandbox.mailbox", static_folder="assets", static_url_path="/assets")
    app.mailbox = Mailbox(Path(folder) if folder else None)
    app.server = MailServer(app.mailbox, host=smtp_host, port=smtp_port)
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _add_pages(app)
    _add_api(app)
    return app


def _add_pages(app: MailboxApp) -> None:
    @app.get("/")
    def index() -> str:
        to, subject = request.args.get("to", ""), request.args.get("subject", "")
        return render_template(
            "mailbox/list.html", mails=app.mailbox.mails(to, subject), to=to, subject=subject, wib=_wib,
            fault=app.server.fault, port=app.server.port,
        )  # fmt: skip

    @app.get("/mails/<mail_id>/")
    def mail(mail_id: str) -> str:
        return render_template("mailbox/mail.html", mail=_find(app, mail_id), wib=_wib)

    @app.get("/mails/<mail_id>/html")
    def html(mail_id: str) -> Response:
        answer = Response(_find(app, mail_id).html, mimetype="text/html")
        answer.headers["Content-Security-Policy"] = MAIL_POLICY
        return answer

    @app.get("/mails/<mail_id>/raw")
    def raw(mail_id: str) -> Response:
        return Response(_find(app, mail_id).raw, mimetype="text/plain")

    @app.get("/mails/<mail_id>/attachments/<int:position>")
    def attachment(mail_id: str, position: int) -> Response:
        parts = _find(app, mail_id).attachments
        return _part(parts[position] if position < len(parts) else None, as_file=True)

    @app.get("/mails/<mail_id>/parts/<content_id>")
    def inline_part(mail_id: str, content_id: str) -> Response:
        return _part(_find(app, mail_id).inline_part(content_id), as_file=False)

    @app.post("/clear")
    def clear() -> AnyResponse:
        app.mailbox.clear()
        return redirect(url_for("index"), 303)

    @app.after_request
    def protect(answer: Response) -> Response:
        answer.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer


def _add_api(app: MailboxApp) -> None:
    @app.get("/api/mails")
    def mails() -> Response:
        """Newest first; `to` a whole address, `subject` a part."""
        found = app.mailbox.mails(request.args.get("to", ""), request.args.get("subject", ""))
        return jsonify([mail.described() for mail in found])

    @app.get("/api/mails/<mail_id>")
    def one_mail(mail_id: str) -> Response:
        return jsonify(_find(app, mail_id).described())

    @app.delete("/api/mails")
    def delete_mails() -> Response:
        app.mailbox.clear()
        return jsonify([])

    @app.get("/api/faults")
    def fault() -> Response:
        now = app.server.fault
        return jsonify(active=now.described() if now else None, modes=FAULTS)

    @app.post("/api/faults")
    def inject() -> tuple[Response, int]:
        """`mode` refuse, hang or down, with `stage`, `code`, `seconds`, `times`, `to`."""
        params: dict[str, Any] = request.get_json(silent=True) or {}
        try:
            return jsonify(app.server.inject(str(params.pop("mode", "")), **params).described()), 201
        except (TypeError, ValueError) as error:
            return jsonify(error=f"{type(error).__name__}: {error}"), 400

    @app.delete("/api/faults")
    def heal() -> Response:
        app.server.heal()
        return jsonify(active=None)


def _find(app: MailboxApp, mail_id: str) -> Mail:
    return app.mailbox.find(mail_id) or abort(404)


def _part(part: Any, *, as_file: bool) -> Response:
    if part is None:
        abort(404)
    answer = Response(part.get_payload(decode=True) or b"", mimetype=part.get_content_type())
    if as_file:
        answer.headers.set("Content-Disposition", "attachment", filename=part.get_filename() or "attachment")
    answer.headers["Content-Security-Policy"] = MAIL_POLICY
    return answer


def _wib(mail: Mail) -> str:
    return mail.received_at.astimezone(WIB).strftime("%d %b %Y %H:%M:%S WIB")
