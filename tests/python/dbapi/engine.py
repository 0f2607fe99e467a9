"""The SQLAlchemy dialect, on which Superset works."""

from contextlib import contextmanager

import flightsql.sqlalchemy  # noqa: F401: registers the dialect
import sqlalchemy

from cluster import PASSWORD
from expect import fails


@contextmanager
def _engine(db, **features):
    switches = "".join(f"&feature-{name.replace('_', '-')}={value}" for name, value in features.items())
    engine = sqlalchemy.create_engine(
        f"datafusion+flightsql://admin:{PASSWORD}@{db.cluster.address}?insecure=true{switches}")
    try:
        yield engine
    finally:
        engine.dispose()


def text_is_run(db):
    with _engine(db) as engine, engine.connect() as connection:
        rows = connection.execute(sqlalchemy.text("SELECT n, s FROM (VALUES (1, 'a'), (2, 'b')) AS t(n, s) ORDER BY n"))
        assert [tuple(row) for row in rows] == [(1, "a"), (2, "b")]
        fails(lambda: connection.execute(sqlalchemy.text("SELECT m FROM (VALUES (1)) AS t(n)")), '"m"')


def tables_are_reflected_and_queried(db):
    db.rows("CREATE TABLE dbapi_reflected AS SELECT * FROM (VALUES (1, 'it''s', 1.5), (2, 'b', 2.5)) AS t(n, s, f)")
    with _engine(db) as engine:
        inspector = sqlalchemy.inspect(engine)
        assert "main" in inspector.get_schema_names()
        assert "dbapi_reflected" in inspector.get_table_names("main")
        table = sqlalchemy.Table("dbapi_reflected", sqlalchemy.MetaData(), autoload_with=engine, schema="main")
        assert [column.name for column in table.columns] == ["n", "s", "f"]
        with engine.connect() as connection:
            found = connection.execute(sqlalchemy.select(table.c.n).where(table.c.s == "it's")).fetchall()
            assert [tuple(row) for row in found] == [(1,)], found
            summed = sqlalchemy.select(sqlalchemy.func.sum(table.c.f)).where(table.c.n > 0)
            assert connection.execute(summed).scalar() == 4.0


def bound_values_are_sent_as_parameters(db):
    with _engine(db, sqlalchemy_prepared_statements="on") as engine, engine.connect() as connection:
        sql = sqlalchemy.text("SELECT n FROM (VALUES (1, 'a'), (2, 'it''s')) AS t(n, s) WHERE s = :s AND n > :n")
        assert connection.execute(sql, {"s": "it's", "n": 1}).scalar() == 2
