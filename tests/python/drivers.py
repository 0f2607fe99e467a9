"""The real client drivers, each as far as it goes: drivers.py [adbc | flightsql-dbapi | jdbc | large]…"""

import sys

import adbc
import dbapi
import jdbc
import large_results
from adbc.session import Session as AdbcSession
from cluster import Cluster, Suite
from dbapi.session import Session as DbapiSession

PARTS = ("adbc", "flightsql-dbapi", "jdbc", "large")


def check(suite, cluster, part):
    """Runs the checks of one driver against a cluster that all of them share."""
    if part == "adbc":
        with AdbcSession(cluster) as db:
            for module in adbc.MODULES:
                suite.check_all("adbc", module, db)
    elif part == "flightsql-dbapi":
        with DbapiSession(cluster) as db:
            for module in dbapi.MODULES:
                suite.check_all("flightsql-dbapi", module, db)
    elif part == "jdbc":
        jdbc.check_all(suite, cluster)


def main(parts):
    unknown = [part for part in parts if part not in PARTS]
    if unknown:
        sys.exit(f"no driver {unknown[0]}; there are: {' '.join(PARTS)}")
    suite = Suite("drivers")
    with Cluster() as cluster:
        for part in parts:
            check(suite, cluster, part)
    if "large" in parts:
        large_results.check_all(suite)
    suite.end()


if __name__ == "__main__":
    main(sys.argv[1:] or PARTS)
