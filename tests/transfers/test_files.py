"""What is kept of an upload: nothing but the picture it shows, whatever it was called and whatever hung on it."""

from __future__ import annotations

import io

import pytest
from PIL import Image, ImageFile

from portal.transfers import files
from portal.transfers.errors import ProofEmpty, ProofRefused, ProofTooLarge
from tests.transfers.pictures import HTML, PDF, SCRIPT, SVG, claims_to_be_huge, picture, polyglot


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_drawn_anew_as_jpeg(kind):
    upload = files.read(picture(kind))
    assert upload.content_type == "image/jpeg"
    assert Image.open(io.BytesIO(upload.content)).size == (320, 200)


def test_a_pdf_is_kept_as_it_came():
    assert files.read(PDF).content == PDF
    assert files.read(PDF).content_type == "application/pdf"


def test_of_a_polyglot_only_the_picture_is_left():
    upload = files.read(polyglot())
    assert b"script" not in upload.content
    assert upload.digest == files.read(picture()).digest, "it shows the same picture"


def test_what_a_camera_wrote_into_a_picture_is_gone():
    told = Image.Exif()
    told[0x010E] = SCRIPT.decode()
    drawn = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(drawn, "JPEG", exif=told, comment=SCRIPT)
    assert SCRIPT in drawn.getvalue()
    assert b"script" not in files.read(drawn.getvalue()).content


def test_a_sideways_photograph_is_put_upright():
    told = Image.Exif()
    told[0x0112] = 6
    drawn = io.BytesIO()
    Image.new("RGB", (40, 20), "red").save(drawn, "JPEG", exif=told)
    assert Image.open(io.BytesIO(files.read(drawn.getvalue()).content)).size == (20, 40)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "CMYK", "I;16"])
def test_every_kind_of_pixel_is_read(mode):
    drawn = io.BytesIO()
    Image.new(mode, (30, 30)).save(drawn, "JPEG" if mode == "CMYK" else "PNG")
    assert files.read(drawn.getvalue()).content_type == "image/jpeg"


def test_a_large_one_is_made_smaller():
    assert Image.open(io.BytesIO(files.read(picture(size=(4000, 1000))).content)).size == (2400, 600)


@pytest.mark.parametrize("lenient", [True, False], ids=["Pillow reads on", "Pillow stops"])
@pytest.mark.parametrize(
    "raw", [SVG, HTML, b"GIF89a" + b"\0" * 40, b"MZ\x90\0", b"PK\x03\x04", b"BM" + b"\0" * 60, b" " + picture(), b"\0",
            b"%PDF-1.4 without an end", HTML + PDF, picture()[:60], picture("JPEG")[:200], picture("WEBP")[:20],
            b"\x89PNG\r\n\x1a\n" + HTML, b"\xff\xd8\xff" + HTML, b"RIFF\0\0\0\0WEBP" + HTML, claims_to_be_huge()],
)  # fmt: skip
def test_what_is_neither_is_refused(raw, lenient, monkeypatch):
    """WeasyPrint, once imported, tells Pillow to read on where a picture breaks off."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", lenient)
    with pytest.raises(ProofRefused):
        files.read(raw)


def test_nothing_and_too_much_are_named():
    with pytest.raises(ProofEmpty):
        files.read(b"")
    with pytest.raises(ProofTooLarge):
        files.read(picture() + b"\0" * files.BYTES_MAX)
