"""Alert rules and the dashboard in `deploy/` speak of figures that `/metrics` has, under the labels it gives them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from jobs import periodic
from portal.alerts.rules import CODES
from tests.queries import counted

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
RULES = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())["groups"][0]["rules"]
PANELS = json.loads((DEPLOY / "grafana" / "minispod.json").read_text())["panels"]
WORDS_OF_PROMQL = {
    "sum", "max", "rate", "increase", "absent", "time", "topk", "histogram_quantile", "by", "and", "le",
}  # fmt: skip


def expressions() -> Iterator[str]:
    yield from (rule["expr"] for rule in RULES)
    yield from (target["expr"] for panel in PANELS for target in panel["targets"])


@pytest.fixture
def shown(client) -> str:
    """After a page and a periodic job, so that every figure has a sample."""
    client.get("/metrics")
    periodic.run("alerts")
    return client.get("/metrics", environ_base={"REMOTE_ADDR": "127.0.0.1"}).text


def names_in(page: str) -> set[str]:
    """Every name a sample can have, with and without samples as yet."""
    found = set(re.findall(r"^(\w+?)(?:\{| )", re.sub(r"^#.*$", "", page, flags=re.MULTILINE), re.MULTILINE))
    for name, kind in re.findall(r"^# TYPE (\w+) (\w+)$", page, re.MULTILINE):
        found |= {f"{name}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {name}
    return found


def labels_in(page: str, name: str) -> set[str]:
    samples = re.findall(rf"^{name}\{{(.*)\}} ", page, re.MULTILINE)
    return {label for sample in samples for label in re.findall(r'(\w+)="', sample)}


def test_every_figure_named_exists(shown: str) -> None:
    unknown = []
    for expression in expressions():
        bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)", "", expression)
        names = {word for word in re.findall(r"[a-z_]\w*", bare) if word not in WORDS_OF_PROMQL}
        assert names, expression
        unknown += sorted(names - names_in(shown))
    assert unknown == []


def test_every_label_named_exists(shown: str) -> None:
    unknown = []
    for expression in expressions():
        labels = {label for group in re.findall(r"by \(([^)]*)\)", expression) for label in group.split(", ")}
        labels |= {label for group in re.findall(r"\{([^}]*)\}", expression) for label in re.findall(r"(\w+)=", group)}
        known = {label for name in re.findall(r"minispod_\w+", expression) for label in labels_in(shown, name)}
        unknown += [f"{label} in {expression}" for label in sorted(labels - known)]
    assert unknown == []


def test_every_rule_says_what_to_do() -> None:
    assert len(RULES) > 5
    for rule in RULES:
        assert rule["for"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["annotations"]["what_to_do"]


def test_panels_stand_beside_each_other_and_have_data() -> None:
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in PANELS}
    assert len(places) == len(PANELS) == len({panel["id"] for panel in PANELS})
    assert all(panel["targets"] for panel in PANELS)


def test_each_code_has_its_figure_before_its_first_alert(shown: str) -> None:
    assert all(f'minispod_alerts_open{{code="{code}"}} 0.0' in shown for code in CODES)
    assert "minispod_workers 0.0" in shown
    assert 'minispod_queue_length{queue="urgent"} ' in shown


def test_a_scrape_asks_little(client) -> None:
    client.get("/metrics")
    with counted() as asked:
        client.get("/metrics")
    assert len(asked) <= 9
