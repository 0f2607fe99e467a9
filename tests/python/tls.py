"""The real drivers over TLS, with and without certificates of their own."""

import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import adbc_driver_flightsql.dbapi as flight_sql
from adbc_driver_flightsql import DatabaseOptions

import jdbc
from cluster import PASSWORD, Cluster, Suite, query
from dbapi.session import Session
from expect import fails


class Authority:
    """An authority that signs certificates of 127.0.0.1, made by openssl."""

    def __init__(self, directory, name):
        self.directory = Path(directory)
        self.key = self.directory / f"{name}.key"
        self.file = self.directory / f"{name}.pem"
        self._openssl("req", "-x509", *self._new_key(self.key), "-out", self.file, "-subj", f"/CN={name}", "-days", "2")

    def sign(self, name):
        """A new certificate: the paths of itself and of its key."""
        key, request, certificate, extensions = (self.directory / f"{name}.{end}" for end in ("key", "csr", "pem", "ext"))
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        self._openssl("req", *self._new_key(key), "-out", request, "-subj", f"/CN={name}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.file, "-CAkey", self.key, "-CAcreateserial",
                      "-days", "2", "-extfile", extensions, "-out", certificate)
        return certificate, key

    @staticmethod
    def _new_key(path):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def with_adbc(cluster, authority, identity=None):
    """Asks for 41 + 1 through ADBC."""
    options = {
        "username": "admin",
        "password": PASSWORD,
        DatabaseOptions.TLS_ROOT_CERTS.value: authority.file.read_text(),
    }
    if identity:
        certificate, key = identity
        options[DatabaseOptions.MTLS_CERT_CHAIN.value] = certificate.read_text()
        options[DatabaseOptions.MTLS_PRIVATE_KEY.value] = key.read_text()
    with flight_sql.connect(f"grpc+tls://{cluster.address}", db_kwargs=options, autocommit=True) as connection:
        assert query(connection, "SELECT 41 + 1 AS n").to_pylist() == [{"n": 42}]


def with_jdbc(cluster, authority, identity=None):
    """Asks for 41 + 1 through JDBC."""
    outcome = jdbc.run("Tls", cluster.address, PASSWORD, authority.file, *(identity or ()))
    assert outcome.stdout.strip() == "42", (outcome.stdout + outcome.stderr)[-2000:]


def with_dbapi(cluster, authority, identity=None):
    """Asks for 41 + 1 through flightsql-dbapi."""
    options = {"tls_root_certs": authority.file.read_bytes()}
    if identity:
        certificate, key = identity
        options |= {"cert_chain": certificate.read_bytes(), "private_key": key.read_bytes()}
    with Session(cluster, insecure=False, **options) as db:
        assert db.rows("SELECT 41 + 1") == [[42]]


DRIVERS = (("adbc", with_adbc), ("jdbc", with_jdbc), ("flightsql-dbapi", with_dbapi))


def main():
    suite = Suite("tls")
    with TemporaryDirectory() as directory:
        ours, others = Authority(directory, "ours"), Authority(directory, "others")
        certificate, key = ours.sign("server")
        flags = [f"--tls-cert={certificate}", f"--tls-key={key}"]
        with Cluster(flags=flags) as cluster:
            for name, driver in DRIVERS:
                suite.check(f"{name}: TLS", lambda driver=driver: driver(cluster, ours))
                suite.check(f"{name}: another authority", lambda driver=driver: fails(lambda: driver(cluster, others)))
        with Cluster(flags=[*flags, f"--tls-client-ca={others.file}"]) as cluster:
            client, forged = others.sign("client"), ours.sign("forged")
            for name, driver in DRIVERS:
                suite.check(f"{name}: a certificate of its own", lambda driver=driver: driver(cluster, ours, client))
                suite.check(f"{name}: no certificate", lambda driver=driver: fails(lambda: driver(cluster, ours)))
                suite.check(f"{name}: a certificate of another authority",
                            lambda driver=driver: fails(lambda: driver(cluster, ours, forged)))
    suite.end()


if __name__ == "__main__":
    main()
