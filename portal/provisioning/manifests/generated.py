"""Passwords and keys made once for an instance, from a source of random bytes that the caller passes in."""

import base64
import string
import uuid
from collections.abc import Callable, Mapping

from portal.catalog.app_templates import AppTemplate, GeneratedSecret

TokenSource = Callable[[int], bytes]

#: Letters and digits alone, so that a password needs no escaping in a URL, a shell or a YAML file; without
#: 0, O, 1, l and I, which people mistake for each other. 57 signs: 32 of them carry 186 bits.
PASSWORD_ALPHABET = "".join(sign for sign in string.ascii_letters + string.digits if sign not in "0O1lI")


def generate_secrets(
    template: AppTemplate, token_source: TokenSource, existing: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A value for every secret of the template; one that `existing` holds is kept: a repeat changes nothing.

    `token_source(n)` returns n random bytes: `secrets.token_bytes` outside of tests.
    """
    kept = existing or {}
    return {
        name: kept[name] if name in kept else _generate(wanted, token_source)
        for name, wanted in sorted(template.secrets.items())
    }


def _generate(wanted: GeneratedSecret, token_source: TokenSource) -> str:
    match wanted.kind:
        case "password":
            return _password(wanted.length, token_source)
        case "hex":
            return token_source((wanted.length + 1) // 2).hex()[: wanted.length]
        case "base64":
            return base64.b64encode(token_source(wanted.length)).decode()
        case "uuid":
            return str(uuid.UUID(bytes=token_source(16), version=4))


def _password(length: int, token_source: TokenSource) -> str:
    """Bytes past the last full multiple of the alphabet are dropped, or its first signs would be likelier."""
    usable = 256 - 256 % len(PASSWORD_ALPHABET)
    signs: list[str] = []
    while len(signs) < length:
        fair = (byte % len(PASSWORD_ALPHABET) for byte in token_source(length) if byte < usable)
        signs += [PASSWORD_ALPHABET[index] for index in fair]
    return "".join(signs[:length])
