"""The vendor's published test cards and what the bank answers to each.

Source: docs.midtrans.com, "Testing Payment on Sandbox". CVV 123, OTP 112233, any future expiry.
"""

from __future__ import annotations

from dataclasses import dataclass

CVV = "123"
OTP = "112233"
LATE_ANSWER_S = 60


@dataclass(frozen=True)
class Card:
    number: str
    outcome: str  # accept, deny, fraud, challenge or late
    note: str
    response_code: str = "00"
    response_message: str = "Approved"

    @property
    def masked(self) -> str:
        return f"{self.number[:8]}-{self.number[-4:]}"


def _denied(number: str, note: str) -> Card:
    return Card(number, "deny", note, "05", "Do not honour")


TEST_CARDS: dict[str, Card] = {
    card.number: card
    for card in (
        Card("4811111111111114", "accept", "Visa, 3DS accepted"),
        Card("5211111111111117", "accept", "Mastercard, 3DS accepted"),
        Card("4411111111111118", "accept", "Visa, 3DS attempted"),
        _denied("4911111111111113", "Visa, denied by the bank after 3DS"),
        _denied("4711111111111115", "Visa, denied by the bank"),
        _denied("5111111111111118", "Mastercard, denied by the bank"),
        Card("4611111111111116", "fraud", "Visa, denied by fraud detection", "05", "Denied by FDS"),
        Card("4511111111111117", "challenge", "Visa, held for review"),
        Card("4472429869996670", "deny", "Visa, insufficient funds", "51", "Insufficient Funds"),
        Card("4024007176265022", "late", "Visa, 3DS answer comes after 60 seconds"),
    )
}


def find_card(number: str) -> Card | None:
    """The test card with this number; spaces and dashes do not matter. None: not a test card."""
    return TEST_CARDS.get("".join(ch for ch in number if ch.isdigit()))
