//! DuckDB's own shell as a peer: one process, driven through its standard input.
//!
//! Its `.timer` knows milliseconds only, so times are taken from the clock inside: every statement
//! of its own begins a transaction, whose time `now()` is.
//!
//! ```text
//! SELECT epoch_us(now());   t0 ┐ what reading the clock takes
//! SELECT epoch_us(now());   t1 ┘┐ the query, and reading the clock once
//! …the query…                   │
//! SELECT epoch_us(now());   t2 ─┘       time = (t2 - t1) - (t1 - t0)
//! ```

use std::ffi::OsStr;
use std::path::Path;

use tokio::process::Command;
use waterbuck_engine::{Error, Result};

use super::process::PeerProcess;
use crate::answer::{Answer, Cell};
use crate::tpch::Table;

const NAME: &str = "duckdb";
/// Errors are told between the answers.
const SCRIPT: &str = r#"exec "$0" -batch -init /dev/null 2>&1"#;
const CLOCK: &str = "SELECT epoch_us(now());";
const END: &str = "waterbuck-bench-end";
/// Control characters that no value of the tables has.
const FIELD: char = '\u{1f}';
const ROW: char = '\u{1e}';
const NULL: &str = "\u{1d}";

/// A running DuckDB shell.
#[derive(Debug)]
pub(crate) struct DuckDbShell {
    pub(super) process: PeerProcess,
    /// The process that works, where what was started is a script around it.
    worker: Option<u32>,
}

impl DuckDbShell {
    /// Starts `program` with a view for every table of TPC-H in `data_dir`.
    pub(super) async fn start(program: &OsStr, data_dir: &Path, threads: usize) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT]).arg(program);
        Self::set_up(command, data_dir, threads).await
    }

    async fn set_up(command: Command, data_dir: &Path, threads: usize) -> Result<Self> {
        let process = PeerProcess::start(NAME, command)?;
        let mut shell = Self {
            process,
            worker: None,
        };
        shell.worker = shell.ask(".shell echo $PPID").await?.trim().parse().ok();
        let mut set_up = format!(
            "SET threads = {threads};\nSET enable_progress_bar = false;\n.headers off\n\
             .nullvalue \"{NULL}\"\n{}",
            listed()
        );
        for table in Table::ALL {
            let name = table.name();
            let files = data_dir.join(name).join("*.parquet");
            let files = files.to_string_lossy().replace('\'', "''");
            set_up.push_str(&format!(
                "\nCREATE VIEW {name} AS SELECT * FROM read_parquet('{files}');"
            ));
        }
        let said = shell.ask(&set_up).await?;
        if said.is_empty() {
            Ok(shell)
        } else {
            Err(failed(&said))
        }
    }

    /// Runs a query: its time in seconds and, where it was wanted, its answer.
    pub(super) async fn run(&mut self, sql: &str, answer: bool) -> Result<(f64, Answer)> {
        let sql = sql.trim_end().trim_end_matches(';');
        let listed = listed();
        let timed = format!("{CLOCK}\n{CLOCK}\n.mode trash\n{sql};\n{listed}\n{CLOCK}");
        let seconds = seconds(&self.ask(&timed).await?)?;
        if !answer {
            return Ok((seconds, Answer::default()));
        }
        let types = self.ask(&format!("DESCRIBE {sql};")).await?;
        let rows = self.ask(&format!("{sql};")).await?;
        Ok((seconds, read_answer(&types, &rows)?))
    }

    /// The process whose memory counts.
    pub(super) fn worker(&self) -> Option<u32> {
        self.worker.or_else(|| self.process.id())
    }

    /// Everything the shell says to `text`.
    async fn ask(&mut self, text: &str) -> Result<String> {
        self.process.send(format!("{text}\n.print {END}")).await?;
        let mut said = String::new();
        loop {
            said.push_str(&self.process.line().await?);
            // Rows do not end with a line break.
            if let Some(rest) = said.trim_end().strip_suffix(END) {
                return Ok(rest.to_owned());
            }
        }
    }
}

/// Makes the shell write values apart from one another; a change of mode forgets how.
fn listed() -> String {
    format!(".mode list\n.separator \"{FIELD}\" \"{ROW}\"")
}

/// The time between the readings of the clock, less what reading it takes.
fn seconds(said: &str) -> Result<f64> {
    let readings: Vec<&str> = said.trim_end_matches(ROW).split(ROW).collect();
    let parsed: Option<Vec<i64>> = readings.iter().map(|text| text.parse().ok()).collect();
    match (parsed.as_deref(), readings.as_slice()) {
        (Some([before, begin, end]), _) => {
            let micros = (end - begin) - (begin - before);
            Ok(micros.max(0) as f64 / 1e6)
        }
        // What went wrong is told before the last reading.
        (None, [_, _, said]) => Err(failed(said.trim_end_matches(|c: char| c.is_ascii_digit()))),
        _ => Err(failed(said)),
    }
}

/// The rows of a result, whose types `DESCRIBE` has told.
fn read_answer(described: &str, said: &str) -> Result<Answer> {
    let columns: Option<Vec<bool>> = rows(described)
        .map(|fields| fields.get(1).map(|kind| ["DOUBLE", "FLOAT"].contains(kind)))
        .collect();
    let Some(is_float) = columns.filter(|columns| !columns.is_empty()) else {
        return Err(failed(described));
    };
    if !said.is_empty() && !said.ends_with(ROW) {
        return Err(failed(said));
    }
    let read = |fields: Vec<&str>| {
        if fields.len() != is_float.len() {
            return Err(failed(said));
        }
        let cells = fields.iter().zip(&is_float);
        cells
            .map(|(text, is_float)| cell(text, *is_float))
            .collect()
    };
    let rows = rows(said).map(read).collect::<Result<Vec<_>>>()?;
    Ok(Answer { rows })
}

fn rows(said: &str) -> impl Iterator<Item = Vec<&str>> {
    said.split_terminator(ROW)
        .map(|row| row.split(FIELD).collect())
}

fn cell(text: &str, is_float: bool) -> Result<Cell> {
    match text {
        NULL => Ok(Cell::Null),
        number if is_float => {
            let parsed = number.parse().map(Cell::Float);
            parsed.map_err(|error| failed(number).with_source(error))
        }
        text => Ok(Cell::Text(text.to_owned())),
    }
}

fn failed(said: &str) -> Error {
    Error::invalid(format!("peer \"{NAME}\" failed: {}", said.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_the_clock_is_not_counted() {
        assert_eq!(seconds("1000\u{1e}1200\u{1e}3400\u{1e}").unwrap(), 0.002);
        assert_eq!(seconds("1000\u{1e}1200\u{1e}1300\u{1e}").unwrap(), 0.0);
    }

    #[test]
    fn what_goes_wrong_is_told_without_the_clock() {
        let said = "1000\u{1e}1200\u{1e}Catalog Error: no table t1\n\n3400\u{1e}";
        assert_eq!(
            seconds(said).unwrap_err().to_string(),
            "peer \"duckdb\" failed: Catalog Error: no table t1"
        );
        assert!(seconds("").is_err());
    }

    #[test]
    fn values_are_exact_texts_floats_or_null() {
        let types = "a\u{1f}DOUBLE\u{1f}YES\u{1e}b\u{1f}DECIMAL(15,2)\u{1f}YES\u{1e}";
        let rows = "1.5\u{1f}1.50\u{1e}\u{1d}\u{1f}a\nb\u{1e}";
        let answer = read_answer(types, rows).unwrap();
        let text = |text: &str| Cell::Text(text.to_owned());
        assert_eq!(
            answer.rows,
            [[Cell::Float(1.5), text("1.50")], [Cell::Null, text("a\nb")]]
        );
        assert_eq!(read_answer(types, "").unwrap(), Answer::default());
    }

    #[test]
    fn an_error_is_no_answer() {
        let types = "a\u{1f}DOUBLE\u{1f}YES\u{1e}";
        for (types, rows) in [
            ("Parser Error", ""),
            ("", ""),
            (types, "Out of Memory Error"),
            (types, "1\u{1f}2\u{1e}"),
            ("a\u{1f}VARCHAR\u{1e}", "x\u{1e}Out of Memory Error"),
        ] {
            assert!(read_answer(types, rows).is_err(), "{types} {rows}");
        }
    }

    /// A shell that says its id and answers every query alike.
    const FAKE: &str = r#"
while read -r line; do
    case "$line" in
        ".shell echo"*) echo $$ ;;
        ".print "*) echo "${line#.print }" ;;
        "SELECT epoch_us"*) at=$((at + 1000)); printf '%s\036' "$at" ;;
        "DESCRIBE "*) printf 'n\037BIGINT\037YES\036' ;;
        ".mode trash") read -r line; [ "$line" != "SELECT 2;" ] || echo "Parser Error: 2" ;;
        "SELECT 1;") printf '1\036' ;;
    esac
done
"#;

    #[tokio::test]
    async fn a_shell_is_asked_for_time_and_answer() {
        let mut command = Command::new("sh");
        command.args(["-c", FAKE]);
        let shell = DuckDbShell::set_up(command, Path::new("/data"), 2).await;
        let mut shell = shell.unwrap();
        assert_eq!(shell.worker(), shell.process.id());
        let (seconds, answer) = shell.run("SELECT 1;\n", true).await.unwrap();
        assert_eq!(seconds, 0.0);
        assert_eq!(answer.rows, [[Cell::Text("1".to_owned())]]);
        let error = shell.run("SELECT 2", false).await.unwrap_err().to_string();
        assert!(error.ends_with("failed: Parser Error: 2"), "{error}");
        assert!(shell.run("SELECT 1", false).await.is_ok());
    }
}
