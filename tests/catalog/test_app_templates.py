"""The shipped app templates, and what happens to a file that is wrong."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from portal.catalog.app_templates import AppTemplate, PlanType, major_version
from portal.catalog.placeholders import placeholders_in, resolve
from portal.catalog.template_checks import findings
from portal.catalog.template_files import (
    APPS_DIRECTORY,
    InvalidTemplate,
    check_file,
    load_app_templates,
    load_categories,
)

ROOT = Path(__file__).parents[2]
TEMPLATES = load_app_templates()

MINIMAL = """\
slug: sample
name: Sample
category: automation
tags: [sample]
icon: sample.svg
version: "1.0"
licence: MIT
homepage: https://example.com
documentation: https://example.com/docs
tagline: {en: A sample, id: Sebuah contoh}
description: {en: A sample, id: Sebuah contoh}
source: [made up for the tests]
minimum: {cpu_millicores: 100, memory_mib: 128, storage_gib: 1}
secrets:
  key: {kind: hex, length: 32}
sign_in: {en: Sign in, id: Masuk}
first_steps:
  - {en: Open it, id: Buka}
fs_group: 1000
containers:
  - name: sample
    image: example/sample:1.0
    port: 8080
    env:
      KEY: "{{ secret.key }}"
    readiness:
      http: {path: /healthz}
    security: {run_as_user: 1000, run_as_group: 1000}
plans:
  - type: BASIC
    monthly_price: 10000
    yearly_price: 100000
    cpu_millicores: 100
    memory_mib: 128
    storage_gib: 1
    bandwidth_gib: 10
    slots_total: 5
    features: [{en: Something, id: Sesuatu}]
"""


@pytest.fixture
def sample(tmp_path):
    """Writes the minimal template with some text replaced, and gives its path."""

    def write(*replacements: tuple[str, str]) -> Path:
        text = MINIMAL
        for old, new in replacements:
            assert old in text, f"{old!r} is not in the sample"
            text = text.replace(old, new, 1)
        path = tmp_path / "sample.yaml"
        path.write_text(text)
        return path

    return write


def problems_of(path: Path) -> list[str]:
    with pytest.raises(InvalidTemplate) as caught:
        check_file(path, {"automation"})
    return str(caught.value).splitlines()


def line_of(text: str, path: Path) -> int:
    return next(n for n, line in enumerate(path.read_text().splitlines(), start=1) if text in line)


# The shipped files


def test_at_least_fourteen_apps_ship():
    assert len(TEMPLATES) >= 14


@pytest.mark.parametrize(("slug", "price"), [("n8n", 25_000), ("ghost", 35_000), ("wordpress", 30_000)])
def test_basic_plan_costs_what_was_promised(slug, price):
    assert TEMPLATES[slug].plan(PlanType.BASIC).monthly_price == price


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=str)
def test_a_year_costs_ten_months(template: AppTemplate):
    for plan in template.plans:
        assert plan.yearly_price == 10 * plan.monthly_price


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=str)
def test_higher_plans_cost_more_and_give_more(template: AppTemplate):
    tiers = list(PlanType)
    assert [tiers.index(plan.type) for plan in template.plans] == sorted(
        tiers.index(plan.type) for plan in template.plans
    )
    for field in ("monthly_price", "cpu_millicores", "memory_mib", "storage_gib", "bandwidth_gib"):
        values = [getattr(plan, field) for plan in template.plans]
        assert values == sorted(set(values)), field


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=str)
def test_every_app_has_a_basic_plan_and_at_most_one_popular_one(template: AppTemplate):
    assert template.plan(PlanType.BASIC)
    assert sum(plan.popular for plan in template.plans) <= 1


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=str)
def test_version_and_main_image_tag_agree(template: AppTemplate):
    assert template.version in template.main.image


@pytest.mark.parametrize("template", TEMPLATES.values(), ids=str)
def test_every_app_has_its_own_icon_that_runs_nothing(template: AppTemplate):
    icon = ROOT / "static" / "apps" / template.icon
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(icon).iter()}
    assert tags <= {"svg", "rect", "path", "circle", "g"}


@pytest.mark.parametrize("path", sorted(APPS_DIRECTORY.glob("*.yaml")), ids=lambda path: path.stem)
def test_texts_hold_no_placeholder_and_both_languages_differ(path: Path):
    for text in localized_in(yaml.safe_load(path.read_text())):
        assert not placeholders_in(text["en"] + text["id"])
        assert text["en"] != text["id"] or len(text["en"].split()) <= 2, text


def localized_in(node):
    if isinstance(node, dict) and set(node) == {"en", "id"}:
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from localized_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from localized_in(value)


def test_every_shelf_holds_an_app():
    assert {category.slug for category in load_categories()} == {t.category for t in TEMPLATES.values()}


def test_every_key_of_the_schema_is_documented():
    documented = set(re.findall(r"`([a-z_]+)`", (APPS_DIRECTORY / "README.md").read_text()))
    assert set(AppTemplate.model_fields) - documented == set()


def test_templates_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        TEMPLATES["n8n"].name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    "image, major", [("mariadb:11.8.8", "11"), ("a/b:v2.1", "2"), ("a:5000/b:lts", ""), ("c:x9", "")]
)
def test_the_major_version_of_an_image_is_the_number_its_tag_begins_with(image, major):
    assert major_version(image) == major


def test_a_sidecar_whose_major_version_nobody_can_see_is_refused():
    template = TEMPLATES["wordpress"]
    database = template.containers[0].model_copy(update={"image": "mariadb:lts"})
    assert [place for place, _ in findings(template.model_copy(update={"containers": (database, template.main)}))] == [
        ("containers", 0, "image")
    ]


# A file that is wrong


def test_a_sound_file_loads(sample):
    assert check_file(sample(), {"automation"}).main.port == 8080


def test_a_missing_field_is_named_with_the_line_of_its_parent(sample):
    path = sample(("    readiness:\n      http: {path: /healthz}\n", ""))
    line = line_of("- name: sample", path)
    assert problems_of(path) == [f"sample.yaml:{line}: containers.0.readiness: field required"]


def test_an_unknown_key_is_refused_on_its_own_line(sample):
    path = sample(("    port: 8080\n", "    port: 8080\n    prot: 1\n"))
    assert problems_of(path) == [f"sample.yaml:{line_of('prot', path)}: containers.0.prot: unknown key"]


def test_all_problems_are_listed_in_the_order_of_the_file(sample):
    path = sample(("licence: MIT\n", ""), ("port: 8080", "port: 80800"), ("storage_gib: 1\n    band", "band"))
    problems = problems_of(path)
    assert len(problems) == 3
    assert [int(problem.split(":")[1]) for problem in problems] == sorted(
        int(problem.split(":")[1]) for problem in problems
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "{{ secret.key }}",
            "{{ secret.kye }}",
            "containers.0.env.KEY: unknown placeholder {{ secret.kye }}",
        ),
        ("{{ secret.key }}", "{{ secret.key }}{{ url | safe }}", "unknown placeholder {{ url | safe }}"),
        ("{{ secret.key }}", "{{ url }}", "secrets.key: secret key is used nowhere"),
        ("memory_mib: 128\n", "memory_mib: 64\n", "plans.0.memory_mib: BASIC offers 64, the minimum is 128"),
        ("slug: sample", "slug: other", "slug: slug other differs from the file's name"),
        (
            "category: automation",
            "category: cooking",
            "category: category cooking is not in _categories.yaml",
        ),
        ("sample:1.0", "sample:latest", "containers.0.image: pin a version"),
        ("sample:1.0", "sample", "containers.0.image: String should match pattern"),
        (
            "monthly_price: 10000",
            "monthly_price: 10000.5",
            "plans.0.monthly_price: Input should be a valid integer",
        ),
        (
            "monthly_price: 10000",
            'monthly_price: "10000"',
            "plans.0.monthly_price: Input should be a valid integer",
        ),
        ("monthly_price: 10000", "monthly_price: 0", "only a FREE plan costs nothing"),
        ("yearly_price: 100000", "yearly_price: 130000", "a year costs more than twelve months"),
        ("type: BASIC", "type: SILVER", "plans.0.type: Input should be"),
        ("    port: 8080\n", "", "containers.0: the main container needs a port"),
        (
            "    port: 8080\n",
            "    port: 8080\n    sidecar: true\n",
            "exactly one container is not a sidecar, found 0",
        ),
        (
            "    port: 8080\n",
            "    port: 8080\n    share: {cpu: 50, memory: 100}\n",
            "cpu shares add up to 50",
        ),
        (
            "http: {path: /healthz}",
            "tcp: true\n      http: {path: /}",
            "exactly one of http, tcp and command",
        ),
        ("{run_as_user: 1000, run_as_group: 1000}", "{run_as_user: 1000}", "run_as_group is required"),
        ("{run_as_user: 1000, run_as_group: 1000}", "{}", "exactly one of run_as_user and root is required"),
        (
            "    port: 8080\n",
            '    port: 8080\n    args: ["{{ secret.key }}"]\n',
            "a secret may stand in env only",
        ),
        ("licence: MIT", "licence: MIT\nlicence: GPL", "key licence is repeated"),
        ("tags: [sample]", "tags: [sample", "expected ',' or ']'"),
        ("KEY:", "NOT-A-NAME:", "String should match pattern"),
    ],
)
def test_a_mistake_is_explained(sample, old, new, message):
    problems = problems_of(sample((old, new)))
    assert any(message in problem for problem in problems), problems
    assert all(re.match(r"sample\.yaml:\d+: ", problem) for problem in problems)


def test_a_mistake_between_fields_carries_the_line_of_the_field(sample):
    path = sample(("{{ secret.key }}", "{{ secret.key }}{{ nobody }}"))
    assert problems_of(path)[0].startswith(f"sample.yaml:{line_of('KEY:', path)}: ")


def test_loading_a_directory_reports_every_file(tmp_path):
    (tmp_path / "_categories.yaml").write_text((APPS_DIRECTORY / "_categories.yaml").read_text())
    (tmp_path / "first.yaml").write_text(MINIMAL)
    (tmp_path / "second.yaml").write_text("[]")
    with pytest.raises(InvalidTemplate) as caught:
        load_app_templates(tmp_path)
    assert {problem.file for problem in caught.value.problems} == {"first.yaml", "second.yaml"}


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "sample.yaml").write_text("")
    assert problems_of(tmp_path / "sample.yaml")[0].startswith("sample.yaml:1: ")


# Placeholders


def test_a_value_that_looks_like_a_placeholder_is_not_replaced_again():
    assert resolve("{{ name }}", {"name": "{{ secret.key }}", "secret.key": "x"}) == "{{ secret.key }}"


def test_a_placeholder_without_a_value_is_an_error():
    with pytest.raises(KeyError):
        resolve("{{ name }}", {})
