"""Files that customers upload, good ones and bad ones."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image

PDF = b"%PDF-1.4\n1 0 obj << /Type /Catalog >> endobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!doctype html><script>alert(1)</script>"
SCRIPT = b"<script>alert(document.cookie)</script>"


def picture(kind: str = "PNG", *, colour: str = "teal", size: tuple[int, int] = (320, 200), mode: str = "RGB") -> bytes:
    """A picture of one colour."""
    drawn = io.BytesIO()
    Image.new(mode, size, colour).save(drawn, kind)
    return drawn.getvalue()


def polyglot() -> bytes:
    """A good picture that goes on as a web page."""
    return picture() + HTML


def claims_to_be_huge() -> bytes:
    """A PNG of some bytes that says it is 60,000 by 60,000."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")
    )
