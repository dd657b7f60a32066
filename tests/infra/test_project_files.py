"""The commit hooks run the pinned tools, and the citation is valid and of this version."""

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def project() -> Any:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return {name: version for name, _, version in (line.partition("==") for line in lines) if version}


def test_pre_commit_uses_the_versions_of_constraints() -> None:
    for repo in load(".pre-commit-config.yaml")["repos"]:
        for hook in repo["hooks"]:
            tool = hook["id"].split("-")[0]
            if repo["repo"] == "local":
                assert hook["language"] == "system"
                assert hook["entry"].split()[0] == f".venv/bin/{tool}"
            elif tool in ("ruff", "mypy"):
                assert repo["rev"] == f"v{pins()[tool]}"
            else:
                assert re.fullmatch(r"v\d+\.\d+\.\d+", repo["rev"])


def test_pre_commit_checks_what_make_check_checks() -> None:
    hooks = {hook["id"] for repo in load(".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]}
    assert {"ruff-check", "ruff-format", "mypy", "end-of-file-fixer", "check-added-large-files"} <= hooks


def test_the_citation_is_valid_and_of_this_version() -> None:
    citation = load("CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == project()["version"]
    assert citation["license"] == project()["license"]
    for reference in citation["references"]:
        assert {"type", "title", "authors", "year"} <= reference.keys()
        assert all({"family-names", "given-names"} <= author.keys() for author in reference["authors"])
    cited = {(reference["notes"], reference["year"]): reference for reference in citation["references"]}
    assert cited.keys() == {("STCN", 2021), ("STM", 2019)}
    assert [author["family-names"] for author in cited["STCN", 2021]["authors"]] == ["Cheng", "Tai", "Tang"]
    assert [author["family-names"] for author in cited["STM", 2019]["authors"]] == ["Oh", "Lee", "Xu", "Kim"]
