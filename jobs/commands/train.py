"""`stcn train`: make or go on with a model, by a recipe, with checkpoints that resume.

The run is a function of its configuration: batches are made by step, and a checkpoint holds all the rest. On one
machine a resumed run repeats an uninterrupted one exactly.
"""

from jobs.commands.export import export_output
from jobs.errors import UserError
from jobs.io import storage
from jobs.training.config import TrainingConfig
from jobs.training.recipe import read_recipe
from jobs.training.run import Report, Run
from jobs.training.sequences import find_sequences


def train(config: TrainingConfig, report: Report) -> None:
    """Train, write the checkpoint as it goes and the model at the end.

    `report` gets a mapping of plain values every `log_every` steps and after each evaluation; all of them, and a page,
    are in a folder of the model's name that ends in .log. Raises UserError, also if the checkpoint belongs to another
    run. An interrupt saves the checkpoint first, but where there are several processes.
    """
    recipe = read_recipe(config.config, **config.overrides)
    data = _trees(config) if recipe.needs_data() else []
    if config.processes > 1:
        from jobs.training.processes import train_in_processes  # as Ray takes a second to import

        train_in_processes(config, recipe, data, report=report)
    else:
        Run(config=config, recipe=recipe, data=data, report=report).train()


def _trees(config: TrainingConfig) -> list[str]:
    """Trees as they are; outputs and selections are exported, with their frames, beside the checkpoint."""
    if not config.data:
        raise UserError("this recipe trains on videos; give them by --data: a DAVIS or YouTube-VOS tree, or an output")
    trees = []
    for number, location in enumerate(config.data):
        if storage.exists(storage.join(location, "masks")):
            tree = config.checkpoint_path.with_suffix(f".data-{number}")
            export_output(location, tree, "davis", frames=True)
            location = str(tree)
        find_sequences(location)
        trees.append(location)
    return trees
