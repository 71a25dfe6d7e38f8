"""A QR text in the EMV form that Indonesian wallets read, made so that none of them can pay it.

The merchant template names a domain that is nobody's acquirer, and the national template (tag 51) is absent.
"""

from __future__ import annotations

ACQUIRER_DOMAIN = "INVALID.SANDBOX"


def qris_payload(*, reference: str, amount: int, merchant_name: str) -> str:
    """The text behind the picture; dynamic, in rupiah, with a valid checksum."""
    fields = (
        ("00", "01"),
        ("01", "12"),
        ("26", _tlv("00", ACQUIRER_DOMAIN) + _tlv("02", reference[:15])),
        ("52", "7372"),
        ("53", "360"),
        ("54", f"{amount}.00"),
        ("58", "ID"),
        ("59", merchant_name[:25]),
        ("60", "JAKARTA"),
        ("62", _tlv("05", reference[:25])),
    )
    text = "".join(_tlv(tag, value) for tag, value in fields) + "6304"
    return text + checksum(text)


def checksum(text: str) -> str:
    """CRC-16/CCITT-FALSE as four upper-case hex digits, over everything including the literal `6304`."""
    crc = 0xFFFF
    for byte in text.encode():
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1) ^ 0x1021 if crc & 0x8000 else crc << 1
            crc &= 0xFFFF
    return f"{crc:04X}"


def _tlv(tag: str, value: str) -> str:
    return f"{tag}{len(value):02d}{value}"
