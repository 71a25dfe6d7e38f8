"""The stand-in answers as a real API server did, recording by recording."""

from __future__ import annotations

import pytest

from . import replay, scenes
from .replay import World


@pytest.mark.parametrize("name", scenes.NAMES)
def test_answers_as_the_real_server_did(world: World, name: str) -> None:
    if name != "01-namespace-apply":
        scenes.namespace(world)
    skipped = {step for recording, step in scenes.SKIPPED if recording == name}
    replay.play(world, replay.load(name), scenes.BEFORE.get(name, {}), skipped)
