"""The `{{ name }}` placeholders that an app template may use, and their replacement.

Values are inserted as they are: no expressions, no filters, no nesting. What a value contains is never
looked at again, so a customer's text cannot bring in a placeholder of its own.
"""

import re
from collections.abc import Iterable, Mapping

PLACEHOLDER = re.compile(r"\{\{\s*(.*?)\s*\}\}")

#: Known for every instance, whatever the app.
COMMON = frozenset({"url", "scheme", "host", "name", "customer.email"})


def placeholders_in(text: str) -> list[str]:
    """The names between double braces, in order, repeats included."""
    return PLACEHOLDER.findall(text)


def secrets_in(text: str) -> list[str]:
    """The names of the generated secrets that the text refers to, without their `secret.` prefix."""
    return [name.removeprefix("secret.") for name in placeholders_in(text) if name.startswith("secret.")]


def unknown_placeholders(text: str, secrets: Iterable[str]) -> list[str]:
    """The placeholders that nothing will fill, given the names of the template's secrets."""
    known = COMMON | {f"secret.{name}" for name in secrets}
    return [name for name in placeholders_in(text) if name not in known]


def resolve(text: str, values: Mapping[str, str]) -> str:
    """Replaces every placeholder; KeyError for one without a value, for templates are checked when loaded."""
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], text)
