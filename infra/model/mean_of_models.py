"""Write the mean of the weights of models that were trained one from the other, as between stages of `stcn-mini`.

    python infra/model/mean_of_models.py mean.safetensors first.safetensors second.safetensors

Each model here was the start of the next, so they lie in one valley of the loss, and so does their mean
(Wortsman et al., Model soups, ICML 2022, section 3). The options that reads go by are today's of
`STCN_MINI`, whatever they were when those before were trained.
"""

import argparse
import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from jobs.training.drawn_scores import evaluate_clips
from jobs.training.provenance import source_commit
from stcn_core import for_inference, load_model
from stcn_core.config import ModelConfig
from stcn_core.models.checkpoint import build_like, find_checkpoint, read_card, save_model
from stcn_core.models.network import Network
from stcn_core.models.stcn import STCN_MINI


def mean(models: list[Network]) -> Network:
    """Average weights and statistics; counters and options are the last model's. All models have equal entries."""
    states = [model.state_dict() for model in models]
    return build_like(models[-1], {name: mean_tensor([state[name] for state in states]) for name in states[-1]})


def mean_tensor(tensors: list[Tensor]) -> Tensor:
    """Average floating-point tensors; of others, return the last."""
    return torch.stack(tensors).mean(0) if tensors[-1].is_floating_point() else tensors[-1]


def read_as_today(config: ModelConfig) -> ModelConfig:
    """The same network with the options of memory reads that `mini` has now."""
    return replace(
        config, locality=STCN_MINI.locality, top_k=STCN_MINI.top_k, object_positions=STCN_MINI.object_positions
    )


def main(output: Path, sources: list[str]) -> None:
    """Write the mean model, and print its scores on the fixed clips."""
    model = mean([load_model(source) for source in sources])
    model.config = read_as_today(model.config)
    scores = evaluate_clips(for_inference(model)).summary()
    print(scores)
    sources_info = [
        {"sha256": hashlib.sha256(find_checkpoint(source).read_bytes()).hexdigest(), **read_card(source)}
        for source in sources
    ]
    names = " ".join(Path(source).name for source in sources)
    command = f"python infra/model/mean_of_models.py {output.name} {names}"
    save_model(model, output, command=command, scores=scores, origin={"commit": source_commit()}, mean_of=sources_info)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("models", nargs="+")
    given = parser.parse_args()
    main(given.output, given.models)
