"""`stcn plan --sample`: segment a few videos of a plan here, and project what all of them take."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from jobs.actors.compile_cache import compiled_on_this_machine
from jobs.costs.expectation import expect
from jobs.costs.quantities import counted
from jobs.costs.sample_report import describe_projection, describe_sampled
from jobs.costs.sample_run import SampledVideo, segment_sample
from jobs.costs.sampling import sampled
from jobs.errors import UserError
from jobs.io.storage_policy import StoragePolicy, storage_policy
from jobs.planning.job import Job
from jobs.segmenting.work_item import WorkItem
from stcn_core.acceleration.inference import for_inference
from stcn_core.device import find_device
from stcn_core.models.checkpoint import load_model
from stcn_core.models.network import Network


def project_sample(
    job: Job, todo: Sequence[WorkItem], count: int, *, seed: int, tell: Callable[[str], None]
) -> list[SampledVideo]:
    """Segment a random sample of the missing work, tell what each video takes and what all of it would take.

    count: of videos. seed: of the choice. tell: is given lines as they come. Returns the videos of the sample that
    failed. Raises UserError for a device that is not there.
    """
    device = _device(job)
    model = _network(job, device)
    chosen = sampled([item for item in todo if not item.not_found], count, seed)
    tell(f"sample of {counted(len(chosen), 'video')} (--seed {seed}), segmented here on {_describe(device)}:")
    sample = []
    with storage_policy(StoragePolicy(job.config.storage_patience, job.config.verify_downloads)):
        for each in segment_sample(chosen, model):
            tell(describe_sampled(each))
            sample.append(each)
    expected = expect(job, todo)
    tell(describe_projection(sample, replace(expected, hours_of="GPU" if device.type == "cuda" else "actor")))
    return [each for each in sample if each.row.status != "done"]


def _device(job: Job) -> torch.device:
    try:
        return find_device(job.config.device)
    except ValueError as error:
        raise UserError(str(error)) from error


def _network(job: Job, device: torch.device) -> Network:
    """The network of a run, as one actor on this machine holds it."""
    config = job.config
    if config.threads_per_actor:
        torch.set_num_threads(config.threads_per_actor)
    model = load_model(job.model.content, device=str(device), similarity=config.similarity)
    fast = for_inference(model, None if config.precision == "auto" else getattr(torch, config.precision))
    return compiled_on_this_machine(fast) if config.compile == "auto" and device.type == "cuda" else fast


def _describe(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"the CPU with {counted(torch.get_num_threads(), 'thread')}"
