"""CVAT's XML: masks and polygons that people drew, on images (for images 1.1) or as tracks (for video 1.1)."""

from jobs.errors import PromptError
from jobs.inputs.prompts.annotations.fields import shown
from jobs.inputs.prompts.cvat.frames import read_task
from jobs.inputs.prompts.cvat.images import add_images
from jobs.inputs.prompts.cvat.tracks import add_tracks
from jobs.inputs.prompts.cvat.xml_file import read_xml
from jobs.inputs.prompts.prompt_builder import PromptBuilder
from jobs.inputs.prompts.prompt_kind import PromptKind, PromptSource

SUFFIX = ".xml"


def add_cvat(source: PromptSource, builder: PromptBuilder) -> None:
    """Add the masks and polygons of a video's images or tracks. Raises PromptError."""
    root = read_xml(source.path)
    images, tracks = list(root.all_of("image")), list(root.all_of("track"))
    if root.tag != "annotations" or bool(images) == bool(tracks):
        raise PromptError(
            f"prompts {source.path.name} have the root {shown(root.tag)}, with {len(images)} of image and "
            f"{len(tracks)} of track; legal: annotations, with one of the two, as CVAT exports CVAT for images 1.1, or "
            "CVAT for video 1.1"
        )
    if images:
        add_images(images, read_task(root), source, builder=builder)
    else:
        add_tracks(tracks, read_task(root), source, builder=builder)


KIND = PromptKind(name="CVAT's XML", add=add_cvat, suffix=SUFFIX)
