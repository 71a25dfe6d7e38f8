"""The payment methods: what each is called on the wire, how long it lives, what can be undone."""

from __future__ import annotations

from dataclasses import dataclass

MINUTE_S = 60
DAY_S = 24 * 60 * MINUTE_S


@dataclass(frozen=True)
class Method:
    """`code` is the name in enabled_payments, `payment_type` the one in messages."""

    code: str
    payment_type: str
    family: str  # card, va, bill, wallet, qris or store
    label: str
    expiry_s: int = DAY_S
    bank: str = ""
    number_prefix: str = ""
    number_digits: int = 16
    refund_days: int = 0  # 0: cannot be refunded
    reversible: bool = False


def _va(bank: str, label: str, prefix: str, digits: int = 16) -> Method:
    return Method(f"{bank}_va", "bank_transfer", "va", label, DAY_S, bank, prefix, digits)


_ALL = (
    Method("other_qris", "qris", "qris", "QRIS", 15 * MINUTE_S, refund_days=7),
    Method("gopay", "gopay", "wallet", "GoPay", 15 * MINUTE_S, refund_days=45),
    Method("shopeepay", "shopeepay", "wallet", "ShopeePay", 15 * MINUTE_S, refund_days=365),
    _va("bca", "BCA", "12345", 11),
    _va("bni", "BNI", "9888"),
    _va("bri", "BRI", "12668", 18),
    Method("echannel", "echannel", "bill", "Mandiri", DAY_S, "mandiri", "", 12, reversible=True),
    Method("permata_va", "bank_transfer", "va", "Permata", DAY_S, "permata", "8778", reversible=True),
    _va("cimb", "CIMB Niaga", "2810"),
    _va("danamon", "Danamon", "8810"),
    _va("bsi", "BSI", "9347"),
    _va("seabank", "SeaBank", "7100"),
    _va("saqu", "Bank Saqu", "7300"),
    Method("credit_card", "credit_card", "card", "Card", 15 * MINUTE_S, refund_days=365),
    Method("dana", "dana", "wallet", "DANA", 15 * MINUTE_S, refund_days=45),
    Method("ovo", "ovo", "wallet", "OVO", 15 * MINUTE_S, refund_days=7),
    Method("alfamart", "cstore", "store", "Alfamart", DAY_S, "alfamart", "", 13),
    Method("indomaret", "cstore", "store", "Indomaret", DAY_S, "indomaret", "", 13, reversible=True),
)
METHODS: dict[str, Method] = {method.code: method for method in _ALL}

# Active when an order names no enabled_payments: what a typical small merchant has.
DEFAULT_CODES = (
    "other_qris", "gopay", "shopeepay", "bca_va", "bni_va", "bri_va", "echannel", "permata_va", "credit_card",
)  # fmt: skip
ALIASES: dict[str, tuple[str, ...]] = {
    "bank_transfer": tuple(m.code for m in _ALL if m.family in ("va", "bill")),
    "other_va": ("bni_va",),
    "qris": ("other_qris",),
    "cstore": ("alfamart", "indomaret"),
    "store": ("alfamart", "indomaret"),
}


def enabled_methods(names: list[str] | None) -> list[Method]:
    """The methods an order offers, in our display order. Names without a stand-in here are left out."""
    if not names:
        return [METHODS[code] for code in DEFAULT_CODES]
    wanted = {code for name in names for code in ALIASES.get(name, (name,))}
    return [method for method in _ALL if method.code in wanted]
