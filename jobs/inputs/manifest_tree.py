"""A DAVIS or YouTube-VOS tree that stands for a manifest: folders of images, and folders of masks of the same names."""

from jobs.errors import ManifestError
from jobs.inputs.videos.images import IMAGES
from jobs.io import storage
from jobs.records import Entry

TREE = ("JPEGImages", "Annotations")  # the folders of a tree that stands for a manifest
RESOLUTIONS = ("480p", "Full-Resolution", "1080p")  # in DAVIS, folders between JPEGImages and the sequences


def read_tree(root: str) -> list[Entry]:
    """Read a DAVIS / YouTube-VOS tree: a sequence is a folder in JPEGImages and one of the same name in Annotations.

    SA-V's own tree has JPEGImages_24fps and Annotations_6fps in their place. Raises ManifestError.
    """
    images, masks = (sequences_folder(storage.join(root, _folder_called(name, root))) for name in TREE)
    if storage.find(images, IMAGES):  # a single sequence, directly in JPEGImages
        return [Entry(video_id=storage.name_of(root), video=images, prompts=masks, first_masks_only=True)]
    return [
        Entry(video_id=name, video=folder, prompts=storage.join(masks, name), first_masks_only=True)
        for folder in storage.folders(images)
        for name in [storage.name_of(folder)]
    ]


def _folder_called(name: str, root: str) -> str:
    """The folder of a tree with a name, or the only one whose name begins with it. Raises ManifestError for several."""
    present = [storage.name_of(folder) for folder in storage.folders(root)]
    found = sorted(other for other in present if other.startswith(name))
    if name in found or not found:
        return name
    if len(found) > 1:
        raise ManifestError(
            f"{root} holds {', '.join(map(repr, found))}; legal: {name}, or one folder whose name begins so. Rename "
            f"the one to be used to {name}, or write a table"
        )
    return found[0]


def sequences_folder(folder: str) -> str:
    """Return the folder that holds the sequences: `folder`, or a resolution's folder inside it, as in DAVIS."""
    present = [storage.name_of(f) for f in storage.folders(folder)]
    return next((storage.join(folder, name) for name in RESOLUTIONS if name in present), folder)
