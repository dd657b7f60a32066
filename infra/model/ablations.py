"""Measure the design choices of MODEL.md: print one line a choice, with its scores on the fixed synthetic clips.

python infra/model/ablations.py memory --model stcn-mini     memory options of a trained model
python infra/model/ablations.py reads FOLDER                 small models, trained with different memory reads
"""

import argparse
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jobs.commands.train import train
from jobs.training.config import TrainingConfig
from jobs.training.drawn_scores import evaluate_clips
from stcn_core import for_inference, load_model
from stcn_core.models.checkpoint import read_card

MEMORY: dict[str, dict[str, Any]] = {  # fields of PropagationConfig
    "default: every 5th frame": {},
    "every frame": {"memory_every": 1},
    "every 3rd frame": {"memory_every": 3},
    "every 5th frame, and the last": {"include_last": True},
    "the first frame alone": {"memory_every": 10**6},
    "the best 20 positions read": {"top_k": 20},
    "all positions read": {"top_k": None},
}
NETWORK: dict[str, dict[str, Any]] = {  # fields of ModelConfig
    "read without locality": {"locality": None},
    "frames never enlarged": {"object_positions": None},
}
RECIPE = """network = "mini"
similarity = "{similarity}"
locality = {locality}

[[stages]]
steps = {steps}
learning_rate = 1e-3
"""
READS = {
    "L2": ("l2", "[0.06, 0.02]"),
    "cosine": ("cosine", "[0.06, 0.02]"),
    "dot product": ("dot", "[0.06, 0.02]"),
    "L2, without locality": ("l2", "false"),
}
Scores = dict[str, float]


def score_memory_options(name: str) -> Iterator[tuple[str, Scores]]:
    """Score one model with different options of its memory. name: of the model."""
    model = for_inference(load_model(name))
    for label, options in MEMORY.items():
        yield label, evaluate_clips(model, **options).summary()
    config = model.config
    for label, options in NETWORK.items():
        model.config = dataclasses.replace(config, **options)
        yield label, evaluate_clips(model).summary()


def score_trained_reads(folder: Path, steps: int) -> Iterator[tuple[str, Scores]]:
    """Train a small model for each kind of read, and score it. Models in the folder are not trained again."""
    for label, (similarity, locality) in READS.items():
        recipe = folder / f"{label.replace(' ', '-')}.toml"
        folder.mkdir(parents=True, exist_ok=True)
        recipe.write_text(RECIPE.format(similarity=similarity, locality=locality, steps=steps))
        output = recipe.with_suffix(".safetensors")
        if not output.exists():
            train(TrainingConfig(output=str(output), config=str(recipe), evaluate_every=10**6), lambda _: None)
        scores = read_card(output)["scores"]
        assert isinstance(scores, dict)
        yield label, scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(required=True)
    kinds.add_parser("memory").add_argument("--model", default="stcn-mini")
    reads = kinds.add_parser("reads")
    reads.add_argument("folder", type=Path)
    reads.add_argument("--steps", type=int, default=600)
    arguments = vars(parser.parse_args())
    results = score_memory_options(arguments["model"]) if "model" in arguments else score_trained_reads(**arguments)
    for label, scores in results:
        print(f"| {label} | {scores['j']:.3f} | {scores['f']:.3f} | {scores['j_and_f']:.3f} |", flush=True)
