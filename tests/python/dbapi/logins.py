"""Who is let in."""

from expect import fails

from .session import Session, client_of


def a_wrong_password_is_refused(db):
    wrong = str(fails(lambda: client_of(db.cluster, password="wrong"), "Unauthenticated"))
    unknown = str(fails(lambda: client_of(db.cluster, user="dbapi_nobody", password="wrong"), "Unauthenticated"))
    assert wrong.split(". gRPC")[0] == unknown.split(". gRPC")[0], (wrong, unknown)


def a_token_is_taken_until_it_is_dropped(db):
    db.rows("CREATE USER dbapi_ann PASSWORD 'pw-of-ann'")
    token = db.table("CREATE TOKEN dbapi_etl FOR USER dbapi_ann EXPIRES '1d'")["token"].to_pylist()[0]
    with Session(db.cluster, token=token) as program:
        assert program.rows("SELECT current_user") == [["dbapi_ann"]]
    for forged in [token + "x", token[:-1], "", "None"]:
        fails(lambda forged=forged: Session(db.cluster, token=forged).rows("SELECT 7"), "token")
    db.rows("DROP TOKEN dbapi_etl FOR USER dbapi_ann")
    fails(lambda: Session(db.cluster, token=token).rows("SELECT 7"), "token")
    db.rows("DROP USER dbapi_ann")
