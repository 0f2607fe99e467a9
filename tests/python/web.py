"""Files on web servers: with ranges, without, and behind a token."""

import gzip
import http.server
import re
import threading
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow
import pyarrow.parquet as parquet

from cluster import Cluster, Suite, execute, query
from compare import assert_same, rows

TOKEN = "token-that-must-not-be-shown"


class Whole(http.server.SimpleHTTPRequestHandler):
    """Serves whole files, as the simplest servers do."""

    def log_message(self, *_):
        pass


class Guarded(Whole):
    """The same, for those who have the token."""

    def send_head(self):
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.send_error(401)
            return None
        return super().send_head()


class Ranged(Whole):
    """Serves ranges as well."""

    def do_GET(self):
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range") or "")
        path = Path(self.translate_path(self.path))
        if not asked or not path.is_file():
            return super().do_GET()
        data = path.read_bytes()
        first, last = asked.groups()
        start = int(first) if first else len(data) - int(last)
        end = min(int(last) + 1 if first and last else len(data), len(data))
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(data)}")
        self.send_header("Content-Length", str(end - start))
        self.send_header("Last-Modified", self.date_time_string(path.stat().st_mtime))
        self.end_headers()
        self.wfile.write(data[start:end])


@contextmanager
def serve(handler, directory):
    """A server of a directory; gives its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(directory)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def write(directory):
    """Files of three formats with the same 1000 rows."""
    table = pyarrow.table({"id": list(range(1000)), "name": [f"n{i}" for i in range(1000)]})
    parquet.write_table(table, directory / "rows.parquet", row_group_size=100)
    text = "id,name\n" + "".join(f"{i},n{i}\n" for i in range(1000))
    (directory / "rows.csv").write_text(text)
    (directory / "rows.csv.gz").write_bytes(gzip.compress(text.encode()))


def main():
    suite = Suite("web")
    with TemporaryDirectory(prefix="waterbuck-web-") as name, Cluster(executors=2) as cluster, \
            cluster.connect(splitting=True) as connection:
        directory = Path(name)
        write(directory)

        def read(url):
            for file in ["rows.parquet", "rows.csv", "rows.csv.gz"]:
                found = query(connection, f"SELECT count(*), sum(id), max(name) FROM '{url}/{file}'")
                assert_same(rows(found), [(1000, 499500, "n999")])

        def tabled(url):
            execute(connection, f"CREATE EXTERNAL TABLE web STORED AS PARQUET LOCATION '{url}/rows.parquet'")
            assert_same(rows(query(connection, "SELECT name FROM web WHERE id = 555")), [("n555",)])
            execute(connection, "SET max_metadata_age = '0s'")
            table = pyarrow.table({"id": [7], "name": ["another"]})
            parquet.write_table(table, directory / "rows.parquet")
            assert_same(rows(query(connection, "SELECT id, name FROM web")), [(7, "another")])
            execute(connection, "DROP TABLE web")
            write(directory)

        def missing(url):
            try:
                query(connection, f"SELECT * FROM '{url}/nowhere.parquet'")
            except Exception as error:  # noqa: BLE001: the driver has no common error class
                assert "nowhere.parquet" in str(error), error
            else:
                raise AssertionError("a file that is not there was read")

        def guarded(url):
            try:
                query(connection, f"SELECT count(*) FROM '{url}/rows.csv'")
            except Exception as error:  # noqa: BLE001: the driver has no common error class
                assert "rows.csv" in str(error), error
            else:
                raise AssertionError("a file was read without the token")
            execute(connection, f"CREATE SECRET web (TYPE http, TOKEN '{TOKEN}', SCOPE '{url}')")
            read(url)

        with serve(Ranged, directory) as url:
            suite.check("files are read in ranges", lambda: read(url))
            suite.check("a table follows its file", lambda: tabled(url))
            suite.check("a missing file is named", lambda: missing(url))
        with serve(Whole, directory) as url:
            suite.check("files are read from a server without ranges", lambda: read(url))
            suite.check("a table follows its file there as well", lambda: tabled(url))
        with serve(Guarded, directory) as url:
            suite.check("a token opens what is closed without", lambda: guarded(url))
    suite.end()


if __name__ == "__main__":
    main()
