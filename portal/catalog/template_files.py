"""Reads app templates from disk and names the file and line of everything that is wrong with them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import TypeAdapter, ValidationError

from portal.catalog.app_templates import AppTemplate, Category
from portal.catalog.template_checks import Location, findings

APPS_DIRECTORY = Path(__file__).parent / "apps"
CATEGORIES_FILE = "_categories.yaml"
DEPTH_MAX = 20

Model = TypeVar("Model")


@dataclass(frozen=True, order=True)
class Problem:
    """One thing to mend; `line` counts from 1."""

    file: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class InvalidTemplate(ValueError):
    """One or more template files are wrong; the text is one problem per line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = sorted(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def load_app_templates(directory: Path = APPS_DIRECTORY) -> dict[str, AppTemplate]:
    """All templates of a directory by slug, sorted by slug.

    InvalidTemplate names every problem of every file, so that one run shows the whole work. Files whose name
    begins with an underscore are not templates.
    """
    categories = {category.slug for category in load_categories(directory)}
    templates: dict[str, AppTemplate] = {}
    problems: list[Problem] = []
    for path in sorted(directory.glob("[!_]*.yaml")):
        try:
            templates[path.stem] = check_file(path, categories)
        except InvalidTemplate as error:
            problems.extend(error.problems)
    if problems:
        raise InvalidTemplate(problems)
    return templates


def load_categories(directory: Path = APPS_DIRECTORY) -> tuple[Category, ...]:
    """The catalog's shelves, in the order in which they are shown."""
    document = _Document(CATEGORIES_FILE, (directory / CATEGORIES_FILE).read_text(encoding="utf-8"))
    return document.validated(TypeAdapter(tuple[Category, ...]))


def check_file(path: Path, categories: set[str] | None = None) -> AppTemplate:
    """One template, or InvalidTemplate with every problem of the file.

    The category is compared with `categories` when given. A file that cannot be read at all is an OSError.
    """
    return check_text(path.read_text(encoding="utf-8"), slug=path.stem, categories=categories)


def check_text(text: str, *, slug: str, categories: set[str] | None = None) -> AppTemplate:
    """The template of that slug that a text describes, or InvalidTemplate with every problem of the text."""
    document = _Document(f"{slug}.yaml", text)
    template: AppTemplate = document.validated(TypeAdapter(AppTemplate))
    problems = [document.problem(at, message) for at, message in findings(template)]
    if template.slug != slug:
        problems.append(document.problem(("slug",), f"slug {template.slug} differs from the file's name"))
    if categories is not None and template.category not in categories:
        problems.append(document.problem(("category",), f"category {template.category} is not in {CATEGORIES_FILE}"))
    if problems:
        raise InvalidTemplate(problems)
    return template


class _Document:
    """A YAML file with the line of every key; a repeated key is an error, as YAML itself demands."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        try:
            self._refuse_what_explodes(text)
            self._root = yaml.compose(text, Loader=yaml.SafeLoader)
            self._data = yaml.safe_load(text)
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            raise InvalidTemplate([Problem(self._file, line, str(error.problem))]) from error
        except (yaml.YAMLError, ValueError) as error:  # a control character; a date or a number that is none
            problems = getattr(error, "problems", None) or [Problem(self._file, 1, str(error).splitlines()[0])]
            raise InvalidTemplate(problems) from error
        repeated = [Problem(self._file, line, f"key {key} is repeated") for key, line in _repeated_keys(self._root)]
        if repeated:
            raise InvalidTemplate(repeated)

    def _refuse_what_explodes(self, text: str) -> None:
        """A few aliases of aliases, or a thousand brackets, are more than any reader of the tree can take."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            wrong = "aliases are not taken" if isinstance(event, yaml.AliasEvent) else ""
            if wrong or depth > DEPTH_MAX:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise InvalidTemplate([Problem(self._file, line, wrong or "nested too deeply")])

    def validated(self, adapter: TypeAdapter[Model]) -> Model:
        try:
            return adapter.validate_python(self._data)
        except ValidationError as error:
            raise InvalidTemplate([self._pydantic_problem(entry) for entry in _causes(error)]) from error

    def problem(self, at: Location, message: str) -> Problem:
        path = ".".join(str(part) for part in at)
        return Problem(self._file, self._line(at), f"{path}: {message}" if path else message)

    def _pydantic_problem(self, entry: Mapping) -> Problem:
        """In the words a template's author uses: "field required", "unknown key", not the library's."""
        at = tuple(part for part in entry["loc"] if part != "[key]")
        plain = {"missing": "field required", "extra_forbidden": "unknown key"}
        message = plain.get(entry["type"]) or entry["msg"].removeprefix("Value error, ")
        return self.problem(at, message)

    def _line(self, at: Location) -> int:
        """The line of the key that `at` leads to, or of its nearest parent when the key is missing."""
        node, line = self._root, 1
        for part in at:
            found = _child(node, part)
            if found is None:
                break
            node, line = found
        return line


def _causes(error: ValidationError) -> list[Mapping]:
    """Without the complaint that a list is too short, which only echoes that one of its items was dropped."""
    entries = error.errors()
    places = [entry["loc"] for entry in entries]
    return [
        entry
        for entry in entries
        if entry["type"] != "too_short" or not any(_is_inside(place, entry["loc"]) for place in places)
    ]


def _is_inside(place: tuple, parent: tuple) -> bool:
    return len(place) > len(parent) and place[: len(parent)] == parent


def _child(node: yaml.Node | None, part: str | int) -> tuple[yaml.Node, int] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(part):
                return value, key.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part].start_mark.line + 1
    return None


def _repeated_keys(node: yaml.Node | None) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repeated_keys(item)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.value, key.start_mark.line + 1
            seen.add(key.value)
            yield from _repeated_keys(value)
