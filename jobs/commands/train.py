"""`stcn train`: train a new or an existing model by a recipe, with checkpoints from which training resumes.

A run is a function of its configuration: each batch depends on its step alone, and a checkpoint holds all other state.
On one machine, a resumed run is bit for bit an uninterrupted one.
"""

from jobs.commands.export import export_output
from jobs.errors import UserError
from jobs.io import storage
from jobs.training.config import TrainingConfig
from jobs.training.recipe import read_recipe
from jobs.training.run import Report, Run
from jobs.training.sequences import find_sequences


def train(config: TrainingConfig, report: Report) -> None:
    """Train a model. Writes checkpoints during training, and the model at the end.

    report: called with a mapping of plain values every `log_every` steps and after each evaluation. The folder with the
    model's name and the extension .log holds all reports and a page of them. An interrupt saves a checkpoint first,
    unless there are several processes. Raises UserError, also if the checkpoint belongs to another run.
    """
    recipe = read_recipe(config.config, **config.overrides)
    data = _data_trees(config) if recipe.needs_data() else []
    if config.processes > 1:
        from jobs.training.processes import train_in_processes  # imported late: Ray takes a second

        train_in_processes(config, recipe, data, report=report)
    else:
        Run(config=config, recipe=recipe, data=data, report=report).train()


def _data_trees(config: TrainingConfig) -> list[str]:
    """Return the trees of --data. Outputs and selections are first exported, with frames, beside the checkpoint."""
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
