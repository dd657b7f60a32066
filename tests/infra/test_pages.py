"""Pages: records of decisions keep their shape, each room is described, links and modules exist."""

import re
from pathlib import Path

import pytest

from tests.architecture.source import FLOORS

ROOT = Path(__file__).parents[2]
RECORDS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
RECORD_HEADINGS = ["Status", "Context", "Decision", "Rejected", "Consequences", "Figures"]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("infra/*.md")])


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_decision_record_has_its_headings_and_its_line_in_the_index(path: Path) -> None:
    text = path.read_text()
    assert text.startswith(f"# {path.stem[:4]}: ")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == RECORD_HEADINGS
    assert re.search(r"## Status\n\n(Accepted|Superseded by \d{4}), \d{4}-\d{2}-\d{2}\.", text)
    assert f"]({path.name}) |" in (path.parent / "README.md").read_text()


def test_decision_records_are_numbered_without_a_gap() -> None:
    assert [int(path.stem[:4]) for path in RECORDS] == list(range(1, len(RECORDS) + 1))


def test_the_contributors_guide_describes_each_room_in_one_line() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    for package, floors in FLOORS.items():
        section = text[text.index(f"`{package}/` is") :].split("\n`", 1)[0]
        described = re.findall(r"^\| `(\w+)/` \|", section, re.MULTILINE)
        rooms = [room for floor in floors for room in floor if (ROOT / package / room).is_dir()]
        assert sorted(described) == sorted(rooms)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pages_name_modules_that_exist(page: Path) -> None:
    """Paths with a placeholder, such as jobs/exports/<name>.py, and of a network that a recipe adds, are examples."""
    named = re.findall(r"(?<![\w/])((?:jobs|stcn_core|tests|infra|examples)/[\w/]+\.py)", page.read_text())
    assert not [path for path in named if not (ROOT / path).exists() and "xyz" not in path]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link, anchor in re.findall(r"\]\(([^)#:]+)(?:#([^)]*))?\)", page.read_text()):
        target = page.parent / link
        assert target.exists(), f"{page.name} links to {link}"
        assert not anchor or anchor in anchors(target), f"{page.name} links to {link}#{anchor}"


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
