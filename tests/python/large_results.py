"""Ten million rows: neither the server nor a client that reads row by row or batch by batch holds them."""

import subprocess
import sys
from pathlib import Path

import jdbc
from cluster import Cluster

ROWS = 10_000_000
# More than 1 GB as it is sent.
QUERY = f"SELECT i, repeat('x', 90) || CAST(i AS VARCHAR) AS s FROM generate_series(1, {ROWS}) AS t(i)"
MEMORY_BYTES_MAX = 400 << 20


def check_all(suite):
    """Reads the rows with each driver that can read them one after the other."""
    for driver, read in (("adbc", _adbc), ("jdbc", _jdbc)):
        # A server of its own each, whose memory nobody else has taken.
        with Cluster() as cluster:
            suite.check(f"{driver}: ten million rows take little memory", lambda: _check(cluster, read))  # noqa: B023


def _check(cluster, read):
    rows, total, client_bytes = map(int, read(cluster).split())
    assert (rows, total) == (ROWS, ROWS * (ROWS + 1) // 2), (rows, total)
    assert client_bytes < MEMORY_BYTES_MAX, f"the client took {client_bytes >> 20} MiB"
    server_bytes = cluster.peak_memory_bytes(0)
    assert server_bytes < MEMORY_BYTES_MAX, f"the server took {server_bytes >> 20} MiB"


def _adbc(cluster):
    command = [sys.executable, str(Path(__file__).with_name("read_all_rows.py")), cluster.address, QUERY]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    assert outcome.returncode == 0, outcome.stderr[-2000:]
    return outcome.stdout


def _jdbc(cluster):
    outcome = jdbc.run("ReadAllRows", cluster.address, QUERY, flags=["-Xmx128m"])
    assert outcome.returncode == 0, (outcome.stdout + outcome.stderr)[-2000:]
    return outcome.stdout
