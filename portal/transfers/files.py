"""Uploaded proofs: what they are is read from their content, and pictures are drawn anew.

A picture that we encoded ourselves holds nothing but a picture: no script behind its end, no place where it was taken.
A PDF is kept as it came and only ever handed out as a download.
"""

from __future__ import annotations

import hashlib
import io
import struct
from dataclasses import dataclass

from PIL import Image, ImageOps

from portal.transfers.errors import ProofEmpty, ProofRefused, ProofTooLarge

BYTES_MAX = 5 * 1024 * 1024
PIXELS_MAX = 25_000_000
SIDE_MAX = 2400
"""Enough to read a photographed receipt."""
PICTURES = {"JPEG": (b"\xff\xd8\xff", b"\xff\xd9"), "PNG": (b"\x89PNG\r\n\x1a\n", b"IEND")}
# What Pillow raises for pictures that are broken, or made to break it.
BROKEN = (
    OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, KeyError, OverflowError, ZeroDivisionError,
    struct.error, MemoryError, Image.DecompressionBombError,
)  # fmt: skip


@dataclass(frozen=True)
class Upload:
    """A proof fit to be kept. `digest` is of what is seen, so that another encoding of one picture has the same."""

    content: bytes
    content_type: str
    digest: str


def read(raw: bytes) -> Upload:
    """What was uploaded, ready to be kept; raises `ProofRefused`. Slow for pictures: never inside a transaction."""
    if not raw:
        raise ProofEmpty
    if len(raw) > BYTES_MAX:
        raise ProofTooLarge
    kind = _kind(raw)
    if kind == "PDF":
        return Upload(raw, "application/pdf", hashlib.sha256(raw).hexdigest())
    return _drawn_anew(raw, kind)


def _kind(raw: bytes) -> str:
    """By how it begins and ends. Half a picture is refused here: whether Pillow does depends on who else uses it."""
    for kind, (begin, end) in PICTURES.items():
        if raw.startswith(begin) and end in raw:
            return kind
    if raw.startswith(b"RIFF") and raw[8:12] == b"WEBP" and int.from_bytes(raw[4:8], "little") + 8 <= len(raw):
        return "WEBP"
    if raw.startswith(b"%PDF-") and b"%%EOF" in raw[-1024:]:
        return "PDF"
    raise ProofRefused


def _drawn_anew(raw: bytes, kind: str) -> Upload:
    try:
        picture = _pixels(raw, kind)
        pixels = picture.tobytes()
        digest = hashlib.sha256(str(picture.size).encode() + pixels).hexdigest()
        picture = Image.frombytes("RGB", picture.size, pixels)  # comments and profiles would travel with the old one
        picture.thumbnail((SIDE_MAX, SIDE_MAX))
        drawn = io.BytesIO()
        picture.save(drawn, "JPEG", quality=85)
    except BROKEN as error:
        raise ProofRefused(reason=type(error).__name__) from error
    return Upload(drawn.getvalue(), "image/jpeg", digest)


def _pixels(raw: bytes, kind: str) -> Image.Image:
    """The picture as people see it: upright, on white, its first frame."""
    picture = Image.open(io.BytesIO(raw), formats=[kind])
    if picture.width * picture.height > PIXELS_MAX:
        raise ProofRefused(reason="too many pixels")
    upright = ImageOps.exif_transpose(picture)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        clear = upright.convert("RGBA")
        white = Image.new("RGBA", clear.size, "white")
        return Image.alpha_composite(white, clear).convert("RGB")
    return upright.convert("RGB")
