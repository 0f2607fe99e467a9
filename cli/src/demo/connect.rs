//! How other programs connect to the cluster that the demo leaves up.

use std::io::Write;
use std::path::Path;

use waterbuck_benchmarks::{Cluster, USER};
use waterbuck_engine::Result;

use super::run::unwritten;

/// Writes the shell's, Python's and JDBC's way in.
pub(super) fn write_connections(
    out: &mut dyn Write,
    cluster: &Cluster,
    program: &Path,
) -> Result<()> {
    let (address, web, password) = (cluster.address(), cluster.web_address(), cluster.password());
    let program = program.display();
    writeln!(
        out,
        r#"
── The cluster is up: try it yourself ──

Shell:
  {program} sql grpc://{USER}:{password}@{address}

Python (pip install adbc-driver-flightsql pyarrow):
  from adbc_driver_flightsql import dbapi
  login = {{"username": "{USER}", "password": "{password}"}}
  with dbapi.connect("grpc://{address}", db_kwargs=login, autocommit=True) as connection:
      with connection.cursor() as cursor:
          cursor.execute("SELECT n_name FROM nation")
          print(cursor.fetch_arrow_table())

JDBC (org.apache.arrow:flight-sql-jdbc-driver):
  URL       jdbc:arrow-flight-sql://{address}/?useEncryption=false
  user      {USER}
  password  {password}

Web page:
  http://{web}

Ctrl-C stops the cluster."#
    )
    .map_err(unwritten)
}
