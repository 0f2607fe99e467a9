"""Runs the Java programs of tests/jdbc, which use the JDBC driver."""

import functools
import os
import re
import subprocess
from pathlib import Path

from cluster import ROOT

CACHE = Path(os.environ.get("WATERBUCK_TEST_CACHE", Path.home() / ".cache" / "waterbuck-tests"))
SOURCES = ROOT / "tests" / "jdbc"
# The driver opens java.nio, and shifts times between the zone of its process and UTC in one direction only.
FLAGS = ["--add-opens=java.base/java.nio=ALL-UNNAMED", "-Duser.timezone=UTC"]


@functools.cache
def _classes():
    """The compiled programs, in the cache."""
    classes = CACHE / "classes" / "jdbc"
    classes.mkdir(parents=True, exist_ok=True)
    sources = sorted(map(str, SOURCES.glob("*.java")))
    subprocess.run(["javac", "-d", str(classes), *sources], check=True, timeout=300)
    return classes


def run(program, *arguments, flags=()):
    """Runs a program to its end."""
    path = f"{_classes()}:{CACHE}/jars/jdbc/*"
    command = ["java", *FLAGS, *flags, "-cp", path, program, *arguments]
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=900, check=False)


def check_all(suite, cluster):
    """Runs the checks of tests/jdbc and counts each as one of the suite's."""
    outcome = run("Main", cluster.address)
    closing = re.search(r"^jdbc: (\d+) passed, (\d+) failed$", outcome.stdout, re.MULTILINE)
    failures = [line for line in outcome.stdout.splitlines() if "FAILED" in line]
    print("\n".join(failures), end="\n" if failures else "")
    if closing is None:
        suite.check("jdbc", lambda: _fails_with(outcome.stdout + outcome.stderr))
        return
    suite.passed += int(closing[1])
    suite.failed += int(closing[2])


def _fails_with(text):
    raise AssertionError(text[-2000:])
