"""The laws of ARCHITECTURE.md as tests. Each list of exceptions only shrinks."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Lowest first. `web` is what edges share: only edges may import it.
ORDER = [
    "core", "web", "audit", "accounts", "notices", "catalog", "wallet", "promotions", "invoices", "payments",
    "transfers", "provisioning", "nodes", "instances", "subscriptions", "books", "insights", "alerts", "imports",
    "dashboard", "admin",
]  # fmt: skip
# Modules that parse requests or commands, and may compose any package. Everything else obeys the order.
EDGES = {"views", "webhooks", "api", "admin", "commands", "health", "page", "sessions"}


def modules(folder: str) -> Iterator[Path]:
    return (path for path in sorted((ROOT / folder).rglob("*.py")) if "node_modules" not in path.parts)


def imported(path: Path) -> Iterator[str]:
    """Every module a file imports at any depth of its code."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_edge(path: Path) -> bool:
    parts = path.relative_to(ROOT / "portal").with_suffix("").parts
    return len(parts) == 1 or parts[0] == "admin" or bool(EDGES & set(parts[1:]))


def package_of(path: Path) -> str:
    return path.relative_to(ROOT / "portal").parts[0]


def test_every_package_stands_in_the_order() -> None:
    folders = {path.name for path in (ROOT / "portal").iterdir() if (path / "__init__.py").exists()}
    assert folders == set(ORDER)


@pytest.mark.parametrize("path", list(modules("portal")), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_package_imports_only_packages_below_it(path: Path) -> None:
    if is_edge(path):
        return
    mine = ORDER.index(package_of(path))
    above = [
        name
        for name in imported(path)
        if name.startswith("portal.") and name.split(".")[1] in ORDER and ORDER.index(name.split(".")[1]) > mine
    ]
    assert above == []


@pytest.mark.parametrize("path", list(modules("portal")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_product_never_imports_its_surroundings(path: Path) -> None:
    outside = [name for name in imported(path) if name.split(".")[0] in {"jobs", "sandbox", "tests", "bench"}]
    assert outside == []


@pytest.mark.parametrize("path", list(modules("sandbox")), ids=lambda path: str(path.relative_to(ROOT)))
def test_the_sandbox_knows_nothing_of_the_product(path: Path) -> None:
    assert [name for name in imported(path) if name.split(".")[0] in {"portal", "jobs", "tests"}] == []


def lines_matching(pattern: str, *folders: str, but: set[str]) -> list[str]:
    found = []
    for folder in folders:
        for path in modules(folder):
            name = str(path.relative_to(ROOT))
            if name in but:
                continue
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if re.search(pattern, line) and not line.lstrip().startswith("#"):
                    found.append(f"{name}:{number}: {line.strip()}")
    return found


def test_there_is_one_place_that_commits() -> None:
    assert lines_matching(r"\.commit\(\)", "portal", "jobs", but={"portal/core/db.py"}) == []


def test_one_module_reads_the_machines_clock() -> None:
    pattern = r"datetime\.(now|utcnow|today)\(|date\.today\(|time\.time\(\)|func\.now\(|\bnow\(\) AT"
    # The scheduler tells rq-scheduler when to begin, in Redis's own time.
    assert lines_matching(pattern, "portal", "jobs", but={"portal/core/clock.py", "jobs/scheduler.py"}) == []


def test_one_module_reads_the_headers_of_htmx() -> None:
    assert (
        lines_matching(r"[\"']HX-(Request|Target|Trigger|Boosted|Current)", "portal", but={"portal/web/htmx.py"}) == []
    )


def test_only_edges_open_a_transaction() -> None:
    inner = []
    for path in modules("portal"):
        if is_edge(path) or path.name in ("db.py", "outbox.py"):
            continue
        if re.search(r"\bwith transaction\(\)", path.read_text()):
            inner.append(str(path.relative_to(ROOT)))
    assert inner == []


def test_no_money_is_a_float() -> None:
    assert lines_matching(r"\bfloat\(|Numeric\(|\bDecimal\(", "portal", but={"portal/core/money.py"}) == []


def test_every_queued_job_exists() -> None:
    """Names given to `enqueue`, in the schedule and in the table of reactions."""
    from jobs.reactions import REACTIONS
    from jobs.schedule import SCHEDULE
    from portal.core import outbox

    names = {entry.job for entry in SCHEDULE} | {job for jobs in REACTIONS.values() for job, _ in jobs}
    for folder in ("portal", "jobs"):
        for path in modules(folder):
            names |= set(re.findall(r"enqueue\(\s*session,\s*\"([a-z_.]+)\"", path.read_text()))
            names |= set(re.findall(r"job=\"([a-z_.]+)\"", path.read_text()))
    assert len(names) > 8
    for name in sorted(names):
        assert callable(outbox.resolve(name)), name


def test_every_event_has_its_line_in_the_table_of_reactions() -> None:
    from jobs.reactions import REACTIONS

    recorded = set()
    for path in modules("portal"):
        recorded |= set(re.findall(r"events\.record\(\s*session,\s*\"([a-z_.]+)\"", path.read_text()))
    assert recorded == set(REACTIONS)


LONG_FILES: set[str] = set()


def test_files_tell_one_story() -> None:
    long = {
        str(path.relative_to(ROOT))
        for folder in ("portal", "jobs", "sandbox", "bench")
        for path in modules(folder)
        if len(path.read_text().splitlines()) > 400
    }
    assert long == LONG_FILES


def test_text_speaks_of_the_product_alone() -> None:
    """No machine's path, no package registry's host."""
    pattern = re.compile(r"/work/|/root/|pypi\.org|registry\.npmjs|files\.pythonhosted|deb\.debian\.org")
    suffixes = {
        ".py",
        ".md",
        ".txt",
        ".in",
        ".toml",
        ".yaml",
        ".yml",
        ".html",
        ".js",
        ".mjs",
        ".css",
        ".json",
        ".ini",
        ".sh",
        "",
    }
    found = []
    for path in _tracked():
        if path.suffix in suffixes and "recordings" not in path.parts and path != Path(__file__):
            text = path.read_text(errors="ignore")
            found += [f"{path.relative_to(ROOT)}: {hit.group()}" for hit in pattern.finditer(text)]
    assert found == []


def _tracked() -> list[Path]:
    import subprocess

    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in names.splitlines() if (ROOT / name).is_file()]
