"""What the server says of queries while they run, asked over a connection of its own."""

from cluster import query, wait_until

LIVE = ("planning", "queued", "running")
# A query that was cancelled must have ended everywhere within this time.
END_SECONDS = 1.0


def forever(tag):
    """A query that computes for hours before its only row; `tag` is the name of its column."""
    return (f"SELECT count(*) AS {tag} FROM generate_series(1, 3000000) AS a(i) "
            "JOIN generate_series(1, 3000000) AS b(j) ON i % 7 <> j % 11")


def endless(tag):
    """A query that gives rows for hours."""
    return f"SELECT i AS {tag} FROM generate_series(1, 1000000000000) AS t(i)"


class Watch:
    """Tells which queries run; they are known by a word in their text."""

    def __init__(self, cluster):
        self.connection = cluster.connect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def states(self, tag):
        """The states of all queries with `tag` in their text, this one left out."""
        found = query(self.connection, "SELECT sql, state FROM system.queries").to_pylist()
        return [row["state"] for row in found if tag in row["sql"]]

    def started(self, tag):
        """Waits until such a query runs."""
        wait_until(f"the query {tag} runs", lambda: "running" in self.states(tag))

    def ended(self, tag):
        """Waits until none of them lives, and checks that it was cancelled."""
        dead = lambda: not any(found in LIVE for found in self.states(tag))  # noqa: E731
        wait_until(f"the end of the query {tag}", dead, seconds=END_SECONDS)
        assert "cancelled" in self.states(tag), self.states(tag)
