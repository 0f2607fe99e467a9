"""Who is let in."""

import adbc_driver_flightsql.dbapi as flight_sql

from compare import rows
from cluster import query
from expect import fails


def _refusal(connect):
    return str(fails(connect, "UNAUTHENTICATED"))


def a_wrong_password_is_refused(db):
    cluster = db.cluster
    db.run("CREATE USER adbc_known PASSWORD 'right'")
    wrong = _refusal(lambda: cluster.connect(user="adbc_known", password="wrong"))
    unknown = _refusal(lambda: cluster.connect(user="adbc_nobody", password="wrong"))
    assert wrong.replace("adbc_known", "adbc_nobody") == unknown, (wrong, unknown)
    _refusal(lambda: cluster.connect(user="adbc_known", password=""))
    _refusal(lambda: cluster.connect(user="", password="right"))
    with cluster.connect(user="adbc_known", password="right") as connection:
        assert rows(query(connection, "SELECT current_user")) == [("adbc_known",)]
    db.run("DROP USER adbc_known")


def nobody_comes_in_without_a_login(db):
    uri = f"grpc://{db.cluster.address}"
    fails(lambda: flight_sql.connect(uri, autocommit=True).execute("SELECT 1"), "UNAUTHENTICATED")


def a_password_may_hold_anything(db):
    password = "ü:💧 'quoted' \"twice\" \\ %"
    db.run(f"CREATE USER adbc_odd PASSWORD '{password.replace(chr(39), chr(39) * 2)}'")
    with db.cluster.connect(user="adbc_odd", password=password) as connection:
        assert rows(query(connection, "SELECT 7")) == [(7,)]
    db.run("DROP USER adbc_odd")


def a_token_is_taken_until_it_is_dropped(db):
    cluster = db.cluster
    db.run("CREATE USER adbc_ann PASSWORD 'pw-of-ann'")
    token = db.table("CREATE TOKEN adbc_etl FOR USER adbc_ann EXPIRES '1d'")["token"].to_pylist()[0]
    with cluster.connect_with_token(token) as program:
        assert rows(query(program, "SELECT current_user")) == [("adbc_ann",)]
        assert query(program, "SHOW TOKENS")["name"].to_pylist() == ["adbc_etl"]
    with cluster.connect(user="adbc_ann", password=token) as program:
        assert rows(query(program, "SELECT 7")) == [(7,)]
    for forged in [token + "x", token[:-1], "x", ""]:
        fails(lambda forged=forged: query(cluster.connect_with_token(forged), "SELECT 7"), "UNAUTHENTICATED")
    db.run("DROP TOKEN adbc_etl FOR USER adbc_ann")
    fails(lambda: query(cluster.connect_with_token(token), "SELECT 7"), "token")
    db.run("DROP USER adbc_ann")


def a_user_who_is_dropped_is_put_out(db):
    db.run("CREATE USER adbc_gone PASSWORD 'pw-of-gone'")
    with db.cluster.connect(user="adbc_gone", password="pw-of-gone") as connection:
        assert rows(query(connection, "SELECT 7")) == [(7,)]
        db.run("DROP USER adbc_gone")
        fails(lambda: query(connection, "SELECT 7"), "UNAUTHENTICATED")


def connections_have_their_own_settings(db):
    with db.cluster.connect() as one, db.cluster.connect() as other:
        before = query(other, "SHOW batch_size").to_pylist()
        with one.cursor() as cursor:
            cursor.execute("SET batch_size = 77")
        assert query(other, "SHOW batch_size").to_pylist() == before
        assert query(one, "SHOW batch_size").to_pylist() != before
