"""Every package is pinned, in files that hold nothing about the machine that compiled them."""

from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
FILES = ["requirements", "requirements-dev"]


def requirements(name: str) -> dict[str, Requirement]:
    lines = [line.partition(" #")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    found = [Requirement(line) for line in lines if line and not line.startswith(("#", "-r "))]
    return {canonicalize_name(requirement.name): requirement for requirement in found}


@pytest.mark.parametrize("name", FILES)
def test_every_line_is_one_exact_version(name: str) -> None:
    loose = [str(r) for r in requirements(f"{name}.txt").values() if r.url or not str(r.specifier).startswith("==")]
    assert loose == []


@pytest.mark.parametrize("name", FILES)
def test_everything_asked_for_is_pinned_as_asked(name: str) -> None:
    pinned = requirements(f"{name}.txt")
    for package, asked in requirements(f"{name}.in").items():
        assert package in pinned, f"{package}: run bin/pin"
        version = str(pinned[package].specifier).removeprefix("==")
        assert asked.specifier.contains(version, prereleases=True), f"{package}=={version}: run bin/pin"


def test_development_has_the_versions_of_production() -> None:
    development = requirements("requirements-dev.txt")
    differing = {
        package: str(development.get(package))
        for package, pinned in requirements("requirements.txt").items()
        if str(development.get(package)) != str(pinned)
    }
    assert differing == {}
