"""A node that goes away costs time, and no video an attempt."""

import subprocess
import sys
from pathlib import Path

from jobs.outputs import store
from tests.parts import VIDEOS
from tests.preloaded.process import python_for_ray

# In a process of its own: it starts Ray's nodes, and each knows where the others are from its environment.
SCRIPT = """
import os, sys, threading, time
sys.executable = sys.argv.pop(1)
from pathlib import Path
from ray.cluster_utils import Cluster
from jobs.cli import __main__ as cli
from jobs.io import storage
from tests.jobs.ledger.records import record_locations

options = {"object_store_memory": 80 * 2**20, "include_dashboard": False}
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, **options})
lost = cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
output = sys.argv[3]

def lose_a_node():
    while len(record_locations(output)) < 2:
        time.sleep(0.005)
    cluster.remove_node(lost, allow_graceful=False)
    print("lost a node", flush=True)

threading.Thread(target=lose_a_node).start()
os.environ["RAY_ADDRESS"] = cluster.address
cli.main()
"""


def test_a_node_that_goes_away_is_charged_to_nobody(archive: Path, model_file: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    options = ["--model", str(model_file), "--actors", "2", "--max-attempts", "1", "--frames-per-shard", "1"]
    command = [
        sys.executable,
        "-c",
        SCRIPT,
        str(python_for_ray()),
        "segment",
        str(archive / "manifest.csv"),
        str(output),
        *options,
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert "lost a node" in result.stdout
    assert result.returncode == 3, result.stderr
    rows = {row.video_id: row for row in store.read_videos(f"{output}/{store.VIDEOS_FILE}")}
    assert {name for name, row in rows.items() if row.status == "done"} == {v.video_id for v in VIDEOS if not v.broken}
    assert {row.attempts for row in rows.values()} == {1}
    assert "VideoError" in str(rows["d"].error_class)
