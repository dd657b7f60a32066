"""Budgets can fail, belong to figures that exist, and follow the kind of machine."""

import pytest
import torch

from stcn_core.benchmark import budget as budgets
from stcn_core.benchmark.budget import behind, budget, budgeted_kinds, machine_kinds
from stcn_core.benchmark.cases import CASES

OF_JOBS = {"end-to-end", "end-to-end-480p", "archive-480p", "archive-1080p"}  # in jobs.commands.bench


def test_missed_and_missing_figures_are_listed() -> None:
    demands = {"a.ratio": ">= 2.5", "a.extra": "<= 10", "b.ratio": ">= 1", "c.growth": "< 5"}
    results = {"a": {"ratio": 2.4, "extra": 10.0}, "c": {}}
    assert behind(results, demands) == ["a.ratio is 2.4; budget: >= 2.5", "c.growth is missing; budget: < 5"]


def test_every_budget_belongs_to_a_case() -> None:
    assert {name.split(".")[0] for name in budget(budgeted_kinds())} <= set(CASES) | OF_JOBS


@pytest.mark.parametrize(
    ("features", "kind"),
    [
        ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": True}, "cpu amx_bf16"),
        ({"avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, "cpu avx512_bf16"),
        ({"avx512_f": True}, "cpu avx512_f"),
        ({"avx2": True}, "cpu other"),
        ({}, "cpu other"),
    ],
)
def test_kind_of_cpu_is_its_most_capable_feature(
    features: dict[str, object], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budgets, "cpu_capabilities", lambda: features)
    assert machine_kinds(torch.device("cpu")) == ("cpu", kind)


def test_demand_of_the_kind_replaces_the_general_one(monkeypatch: pytest.MonkeyPatch) -> None:
    sections = {"cpu": {"a.ratio": ">= 2", "b.ratio": ">= 1"}, "cpu amx_bf16": {"a.ratio": ">= 3"}}
    monkeypatch.setattr(budgets, "_sections", lambda: sections)
    assert budget(("cpu", "cpu amx_bf16")) == {"a.ratio": ">= 3", "b.ratio": ">= 1"}
    assert budget(("cpu", "cpu other")) == sections["cpu"]
