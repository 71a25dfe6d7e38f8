"""Asking an image registry whether a tag exists, by the OCI distribution protocol with anonymous tokens."""

from __future__ import annotations

import re

import requests

ACCEPT = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)
TIMEOUT_S = 15
HUB = "registry-1.docker.io"


def split_image(image: str) -> tuple[str, str, str]:
    """Registry, repository and tag of an image reference: `n8nio/n8n:1` is Docker Hub's, as everywhere.

    Source: OCI distribution specification 1.1, and Docker's rule that a first part without dot or colon is no host.
    """
    name, _, tag = image.rpartition(":")
    first, _, rest = name.partition("/")
    if rest and ("." in first or ":" in first or first == "localhost"):
        return first, rest, tag
    return HUB, name if rest else f"library/{name}", tag


def image_exists(image: str) -> bool:
    """True when the registry knows the tag; raises `requests.RequestException` when it cannot be asked."""
    registry, repository, tag = split_image(image)
    url = f"https://{registry}/v2/{repository}/manifests/{tag}"
    headers = {"Accept": ACCEPT}
    answer = requests.head(url, headers=headers, timeout=TIMEOUT_S, allow_redirects=True)
    if answer.status_code == 401:
        headers["Authorization"] = f"Bearer {_token(answer.headers.get('WWW-Authenticate', ''))}"
        answer = requests.head(url, headers=headers, timeout=TIMEOUT_S, allow_redirects=True)
    if answer.status_code not in (200, 404):
        answer.raise_for_status()
    return answer.status_code == 200


def _token(challenge: str) -> str:
    """An anonymous pull token, from where the registry's challenge says."""
    fields = dict(re.findall(r'(\w+)="([^"]*)"', challenge))
    realm = fields.pop("realm", "")
    answer = requests.get(realm, params=fields, timeout=TIMEOUT_S)
    answer.raise_for_status()
    body = answer.json()
    return str(body.get("token") or body.get("access_token"))
