"""The configuration of a Ceph that has one monitor, one disk and one gateway, all in one folder."""

import subprocess
from pathlib import Path

# cephx stays on: without it the gateway does not come up. Of the intervals, the first is how long proposals are saved
# up (with the default the start takes 16 s, not 6), the second how often requests from before the disk was up are sent
# again (10 s), the third how long a killed gateway is waited for when a bucket is made (30 s, not 2).
CONFIG = """\
[global]
fsid = {cluster_id}
mon host = v2:127.0.0.1:{mon_port}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
keyring = {folder}/keyring
mon data = {folder}/mon
osd data = {folder}/osd
admin socket =
run dir = {folder}
crash dir = {folder}
log to file = false
log to stderr = true
debug rocksdb = 0
paxos propose interval = 0.05
objecter tick interval = 0.5
osd client watch timeout = 2
mon allow pool size one = true
osd pool default size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
bluestore block size = {disk_bytes}
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw relaxed region enforcement = true
"""
DISK_BYTES = 2**33  # a sparse file: 40 MB of it are in use after the start. A disk that is full dies, and all waits

KEYRING = """\
[mon.]
key = {key}
caps mon = "allow *"
[client.admin]
key = {key}
caps mon = "allow *"
caps osd = "allow *"
[osd.0]
key = {key}
caps mon = "allow profile osd"
caps osd = "allow *"
"""


def configure(folder: Path, cluster_id: str, mon_port: int, port: int) -> None:
    """Write `ceph.conf` and `keyring`."""
    config = CONFIG.format(folder=folder, cluster_id=cluster_id, mon_port=mon_port, port=port, disk_bytes=DISK_BYTES)
    (folder / "ceph.conf").write_text(config)
    command = ["ceph-authtool", "--gen-print-key"]
    key = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    (folder / "keyring").write_text(KEYRING.format(key=key))
