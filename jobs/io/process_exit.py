"""Deletion of a folder when this process ends. The only use of `multiprocessing.util`, which Python does not document.

multiprocessing ends its workers without `atexit`, and calls its own `Finalize` objects alone. Where that class is gone,
folders of workers stay behind until another process clears them away (`scratch`).
"""

import atexit
import shutil
from pathlib import Path


def delete_at_exit(folder: Path) -> None:
    """Delete a folder as this process ends: by Python's exit, or as a worker of multiprocessing."""
    try:
        from multiprocessing.util import Finalize
    except ImportError:
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    else:
        Finalize(None, shutil.rmtree, (folder,), {"ignore_errors": True}, exitpriority=0)
