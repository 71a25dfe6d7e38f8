"""Passwords that guessers try first, and words that people dress up with digits to please a rule.

Source: the head of public lists of leaked passwords, English and Indonesian.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).resolve().parent

COMMON_PASSWORDS = frozenset((_FOLDER / "common_passwords.txt").read_text().split())
COMMON_WORDS = frozenset((_FOLDER / "common_words.txt").read_text().split())
