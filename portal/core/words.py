"""What people type, as a column can hold it."""

from __future__ import annotations


def sound(text: str | None) -> str:
    """Trimmed, line ends of one kind, without what PostgreSQL cannot keep or nobody can see."""
    encodable = (text or "").encode("utf-8", "ignore").decode().replace("\r\n", "\n")
    return "".join(one if one.isprintable() or one == "\n" else " " for one in encodable).strip()
