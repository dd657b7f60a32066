"""Write the file of a model that ships, from one or more that were trained.

    python infra/model/release_model.py stcn-mini.safetensors stage-2.safetensors --stages stage-1.safetensors

Several models are averaged. Where each was the start of the next they lie in one valley of the loss, and so does their
mean (Wortsman et al., Model soups, ICML 2022, section 3). Memory is read by today's options of `STCN_LITE`, whatever
they were in training. The card has the scores on the fixed clips, the cards of all stages, and the data with their
licences (`sources.toml`).
"""

import argparse
import hashlib
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from jobs.training.drawn_scores import evaluate_clips
from jobs.training.provenance import source_commit
from stcn_core import for_inference, load_model
from stcn_core.config import ModelConfig
from stcn_core.models.checkpoint import build_like, find_checkpoint, read_card, save_model
from stcn_core.models.network import Network
from stcn_core.models.stcn import STCN_LITE

SOURCES = Path(__file__).with_name("sources.toml")


def mean(models: list[Network]) -> Network:
    """Average weights and statistics; counters and options are the last model's. All models have equal entries."""
    states = [model.state_dict() for model in models]
    return build_like(models[-1], {name: mean_tensor([state[name] for state in states]) for name in states[-1]})


def mean_tensor(tensors: list[Tensor]) -> Tensor:
    """Average floating-point tensors; of others, return the last."""
    return torch.stack(tensors).mean(0) if tensors[-1].is_floating_point() else tensors[-1]


def read_as_today(config: ModelConfig) -> ModelConfig:
    """The same network with the options of memory reads that `lite` has now."""
    return replace(
        config, locality=STCN_LITE.locality, top_k=STCN_LITE.top_k, object_positions=STCN_LITE.object_positions
    )


def described(source: str) -> dict[str, object]:
    """What identifies a model's file, and its card."""
    return {"sha256": hashlib.sha256(find_checkpoint(source).read_bytes()).hexdigest(), **read_card(source)}


def data_sources() -> list[dict[str, Any]]:
    """The data that the model learnt from: each with "name", "amount", "licence" and "source"."""
    sources: list[dict[str, Any]] = tomllib.loads(SOURCES.read_text())["sources"]
    return sources


def main(output: Path, models: list[str], stages: list[str]) -> None:
    """Write the file, and print its scores on the fixed clips."""
    model = mean([load_model(source) for source in models])
    model.config = read_as_today(model.config)
    scores = evaluate_clips(for_inference(model)).summary()
    print(scores)
    names = " ".join(Path(source).name for source in models)
    save_model(
        model, output, command=f"python infra/model/release_model.py {output.name} {names}", scores=scores,
        origin={"commit": source_commit()}, made_of=[described(source) for source in models],
        earlier_stages=[described(source) for source in stages], data=data_sources(),
    )  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--stages", nargs="*", default=[], help="models of earlier stages, whose cards are kept")
    given = parser.parse_args()
    main(given.output, given.models, given.stages)
