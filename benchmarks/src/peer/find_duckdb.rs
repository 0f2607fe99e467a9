//! Which DuckDB this machine has: the package of a Python, else the program `duckdb`.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::Path;
use std::process::Stdio;

use tokio::process::Command;
use waterbuck_engine::{Error, Result};

const PYTHON: &str = "python3";
const SHELL: &str = "duckdb";

/// A DuckDB that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DuckDb {
    pub(super) place: Place,
    version: String,
}

/// How a DuckDB is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A Python that can import it.
    Python(OsString),
    /// DuckDB's own shell.
    Shell(OsString),
}

impl DuckDb {
    /// Looks in `python`, else in the Python that `WATERBUCK_BENCH_PYTHON` names, else in
    /// `python3`; then for `duckdb` on the `PATH`.
    ///
    /// # Errors
    /// When neither is there.
    pub(crate) async fn find(python: Option<&Path>) -> Result<Self> {
        let python = python
            .map(|path| path.as_os_str().to_owned())
            .or_else(|| std::env::var_os("WATERBUCK_BENCH_PYTHON"))
            .unwrap_or_else(|| PYTHON.into());
        Self::find_in(&python, SHELL.as_ref()).await
    }

    async fn find_in(python: &OsStr, shell: &OsStr) -> Result<Self> {
        let import = ["-c", "import duckdb; print(duckdb.__version__)"];
        let no_package = match version(python, &import).await {
            Ok(version) => {
                let place = Place::Python(python.to_owned());
                return Ok(Self { place, version });
            }
            Err(reason) => reason,
        };
        let no_shell = match version(shell, &["--version"]).await {
            Ok(version) => {
                let place = Place::Shell(shell.to_owned());
                return Ok(Self { place, version });
            }
            Err(reason) => reason,
        };
        let (python, shell) = (python.to_string_lossy(), shell.to_string_lossy());
        Err(Error::unavailable(format!(
            "DuckDB is neither a package of \"{python}\" ({no_package}) nor the program \
             \"{shell}\" ({no_shell}): install one of them, or name the Python that has it with \
             --python or WATERBUCK_BENCH_PYTHON"
        )))
    }
}

impl fmt::Display for DuckDb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, program) = match &self.place {
            Place::Python(program) => ("package of", program),
            Place::Shell(program) => ("program", program),
        };
        let (version, program) = (&self.version, program.to_string_lossy());
        write!(f, "DuckDB {version}, {kind} \"{program}\"")
    }
}

/// What the program says of its version, or why it does not.
async fn version(program: &OsStr, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await.map_err(|error| error.to_string())?;
    let last_line = |text: &[u8]| {
        let text = String::from_utf8_lossy(text);
        text.trim().lines().last().unwrap_or_default().to_owned()
    };
    if output.status.success() {
        Ok(last_line(&output.stdout))
    } else {
        Err(last_line(&output.stderr))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn find(python: &str, shell: &str) -> Result<DuckDb> {
        DuckDb::find_in(python.as_ref(), shell.as_ref()).await
    }

    // `echo` takes any arguments, and `sh` cannot run the script that is meant for Python.

    #[tokio::test]
    async fn the_package_comes_before_the_program() {
        let found = find("echo", "echo").await.unwrap();
        assert_eq!(found.place, Place::Python("echo".into()));
        assert!(found.to_string().ends_with("package of \"echo\""));
    }

    #[tokio::test]
    async fn the_program_serves_where_no_python_has_the_package() {
        let found = find("sh", "echo").await.unwrap();
        assert_eq!(found.place, Place::Shell("echo".into()));
    }

    #[tokio::test]
    async fn without_either_the_error_says_why() {
        let error = find("/nowhere/python", "/nowhere/duckdb").await;
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("\"/nowhere/python\" (No such file"),
            "{error}"
        );
        assert!(
            error.contains("\"/nowhere/duckdb\" (No such file"),
            "{error}"
        );
        assert!(error.contains("--python"), "{error}");
    }
}
