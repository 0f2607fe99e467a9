"""A cluster of real `waterbuck` processes, and a client, for the suites in this directory.

The program is WATERBUCK_BIN, else target/debug/waterbuck. Everything started is stopped when the
`with` block ends.
"""

import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import adbc_driver_flightsql.dbapi as flight_sql
from adbc_driver_flightsql import DatabaseOptions

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "test"
START_SECONDS = 60


def program():
    """The binary under test."""
    named = os.environ.get("WATERBUCK_BIN")
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    path = Path(named) if named else target / "debug" / "waterbuck"
    if not path.is_file():
        sys.exit(f"no program at {path}: run `cargo build --bin waterbuck` or set WATERBUCK_BIN")
    return path


def wait_until(what, condition, seconds=START_SECONDS):
    """Calls `condition` until it gives something true, and returns that."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not so after {seconds} s")
        time.sleep(0.02)


def peak_memory_bytes(pid):
    """The most memory that a process has held since it began."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1]) * 1024


class Cluster:
    """One all-in-one server (`executors=0`), or a coordinator with executors."""

    def __init__(self, executors=0, flags=(), environment=None):
        self.executors = executors
        self.flags = list(flags)
        self.environment = dict(environment or {})
        self.processes = []

    def __enter__(self):
        self.directory = Path(tempfile.mkdtemp(prefix="waterbuck-test-"))
        try:
            self._start_all()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, kind, *_):
        for _, process in self.processes:
            process.kill()
            process.wait()
        if kind is not None:
            for name, _ in self.processes:
                log = (self.directory / f"{name}.log").read_text(errors="replace")
                print(f"---- the end of {name}'s log\n{log[-3000:]}", file=sys.stderr)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _start_all(self):
        role = "coordinator" if self.executors else "server"
        self.address = self._start(role, role)
        for index in range(self.executors):
            self._start("executor", f"executor-{index}", ["--coordinator", f"grpc://{self.address}"])
        if self.executors:
            with self.connect() as connection:
                wait_until(f"{self.executors} executors", lambda: self._active(connection) == self.executors)

    def _active(self, connection):
        rows = query(connection, "SHOW EXECUTORS").to_pylist()
        return sum(row["state"] == "active" for row in rows)

    def _start(self, role, name, flags=()):
        data = self.directory / name
        data.mkdir()
        command = [program(), role, "--data-dir", data, "--flight-port", "0", "--web-port", "0"]
        environment = os.environ | {"WATERBUCK_ADMIN_PASSWORD": PASSWORD, "WATERBUCK_CLUSTER_TOKEN": "test"}
        with open(self.directory / f"{name}.log", "w") as log:
            process = subprocess.Popen(
                [*map(str, command), *self.flags, *flags],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                cwd=data, env=environment | self.environment,
            )
        self.processes.append((name, process))

        def address():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended at once with {process.returncode}")
            said = (self.directory / f"{name}.log").read_text(errors="replace")
            found = re.search(r"^flight listening on (\S+)\n", said, re.MULTILINE)
            return found and found[1]

        return wait_until(f"the address of {name}", address)

    @property
    def url(self):
        """The URL for `waterbuck sql`."""
        return f"grpc://admin:{PASSWORD}@{self.address}"

    def peak_memory_bytes(self, process):
        """The most memory that a process has held, by its place in the order of starting."""
        return peak_memory_bytes(self.processes[process][1].pid)

    def connect_with_token(self, token):
        """A connection that sends a bearer token and never a password."""
        options = {DatabaseOptions.AUTHORIZATION_HEADER.value: f"Bearer {token}"}
        return flight_sql.connect(f"grpc://{self.address}", db_kwargs=options, autocommit=True)

    def connect(self, user="admin", password=PASSWORD, splitting=False):
        """A connection in autocommit; `splitting` splits whatever can be split."""
        options = {
            "username": user,
            "password": password,
            DatabaseOptions.WITH_MAX_MSG_SIZE.value: str(64 << 20),
        }
        connection = flight_sql.connect(f"grpc://{self.address}", db_kwargs=options, autocommit=True)
        if splitting:
            execute(connection, "SET batch_size = 256")
            execute(connection, "SET task_scan_bytes = 1")
            execute(connection, "SET stage_min_rows = 0")
        return connection


def query(connection, sql):
    """The answer of a query, as an Arrow table."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetch_arrow_table()


def execute(connection, sql):
    """Runs a statement that has no answer."""
    with connection.cursor() as cursor:
        cursor.execute(sql)


class Suite:
    """Counts what passed and prints each failure once."""

    def __init__(self, name):
        self.name = name
        self.passed = 0
        self.failed = 0

    def check(self, name, test):
        """Runs `test`; whatever it raises is a failure of `name`."""
        try:
            test()
        except Exception as error:  # noqa: BLE001: a failure must not hide those after it
            self.failed += 1
            print(f"{self.name}: {name} FAILED: {type(error).__name__}: {str(error)[:2000]}", flush=True)
        else:
            self.passed += 1

    def check_all(self, driver, module, argument):
        """Runs each public function of a module with `argument`; their names say what they show."""
        for name, test in list(vars(module).items()):
            if inspect.isfunction(test) and test.__module__ == module.__name__ and not name.startswith("_"):
                self.check(f"{driver}: {name.replace('_', ' ')}", lambda test=test: test(argument))

    def end(self):
        """Prints the closing line and leaves with the fitting exit code."""
        print(f"{self.name}: {self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)
