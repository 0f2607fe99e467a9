//! The embedded engine, through the shell: statements go to the standard input of `waterbuck sql`
//! one at a time, rows come back as tab-separated values, errors on standard error.

use std::{fs::File, io::Read, process::Stdio};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};
use tonic::Code;

use crate::{ClientError, waterbuck_binary};

/// What a statement gave in the shell: the names of the columns (none for a statement without a
/// result), the rows, and the rows it says it changed.
#[derive(Debug, Default)]
pub struct Printed {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The values as text, as in [`Answer::rows`](crate::Answer::rows).
    pub rows: Vec<Vec<String>>,
    /// The rows an update says it changed, if it says so.
    pub updated: Option<u64>,
}

/// A running shell with an engine and a catalog of its own, ended when dropped.
#[derive(Debug)]
pub struct Shell {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    errors: File,
    count: u64,
    _dir: TempDir,
}

impl Shell {
    /// Starts the shell without a URL.
    pub async fn start() -> std::io::Result<Self> {
        let dir = tempfile::tempdir()?;
        let errors = dir.path().join("errors");
        let mut command = Command::new(waterbuck_binary());
        command
            .arg("sql")
            .arg("--data-dir")
            .arg(dir.path().join("data"));
        command.args(["--format", "tsv", "--continue-on-error", "-f", "-"]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors)?);
        let mut child = command.kill_on_drop(true).spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else {
            return Err(std::io::Error::other("a piped stream is missing"));
        };
        let output = BufReader::new(output).lines();
        Ok(Self {
            child,
            input,
            output,
            errors: File::open(errors)?,
            count: 0,
            _dir: dir,
        })
    }

    /// Runs one statement to its end.
    pub async fn run(&mut self, sql: &str) -> Result<Printed, ClientError> {
        self.count += 1;
        let marker = format!("end of statement {}", self.count);
        // The count of changed rows is told only where people read.
        let (before, after) = if writes(sql) {
            ("\\format table\n", "\\format tsv\n")
        } else {
            ("", "")
        };
        let text = format!("{before}{sql}\n;\n{after}SELECT '{marker}' AS marker;\n");
        self.input
            .write_all(text.as_bytes())
            .await
            .map_err(broken)?;
        self.input.flush().await.map_err(broken)?;
        let lines = self.lines_until(&marker).await?;
        let said = self.said()?;
        if let Some(start) = said.find("error: ") {
            let end = said.find("\nin standard input, ").unwrap_or(said.len());
            let message = said[start + "error: ".len()..end].trim_end().to_owned();
            return Err(ClientError {
                code: Code::Unknown,
                message,
                sqlstate: None,
            });
        }
        Ok(printed(&lines, &said))
    }

    /// The lines before the marker's own header and row.
    async fn lines_until(&mut self, marker: &str) -> Result<Vec<String>, ClientError> {
        let mut lines = Vec::new();
        while let Some(line) = self.output.next_line().await.map_err(broken)? {
            if line == marker {
                lines.pop();
                return Ok(lines);
            }
            lines.push(line);
        }
        let status = self.child.wait().await.map_err(broken)?;
        Err(broken(format!(
            "the shell ended: {status}\n{}",
            self.said()?
        )))
    }

    /// What came on standard error since the last call.
    fn said(&mut self) -> Result<String, ClientError> {
        let mut text = String::new();
        self.errors.read_to_string(&mut text).map_err(broken)?;
        Ok(text)
    }
}

fn broken(error: impl std::fmt::Display) -> ClientError {
    ClientError {
        code: Code::Unknown,
        message: error.to_string(),
        sqlstate: None,
    }
}

fn writes(sql: &str) -> bool {
    let word = sql
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_uppercase();
    word == "INSERT" || word == "COPY"
}

fn printed(lines: &[String], said: &str) -> Printed {
    let updated = said.lines().find_map(|line| {
        let count = line.strip_prefix('(')?.split(" row").next()?;
        line.contains(" changed")
            .then(|| count.replace(' ', "").parse().ok())?
    });
    let Some((header, rows)) = lines.split_first() else {
        return Printed {
            updated,
            ..Printed::default()
        };
    };
    let columns = header.split('\t').map(unescaped).collect();
    let rows = rows
        .iter()
        .map(|line| line.split('\t').map(value).collect())
        .collect();
    Printed {
        columns,
        rows,
        updated,
    }
}

fn value(field: &str) -> String {
    match field {
        "\\N" => "NULL".to_owned(),
        "" => "(empty)".to_owned(),
        text => unescaped(text),
    }
}

fn unescaped(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut letters = field.chars();
    while let Some(letter) = letters.next() {
        let escaped = if letter == '\\' { letters.next() } else { None };
        text.push(match escaped {
            Some('t') => '\t',
            Some('n') => '\n',
            Some('r') => '\r',
            Some(other) => other,
            None => letter,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_back() {
        let lines = ["a\tb", "1\t\\N", "\tx\\ty\\\\"].map(str::to_owned);
        let printed = printed(&lines, "");
        assert_eq!(printed.columns, ["a", "b"]);
        assert_eq!(printed.rows, [["1", "NULL"], ["(empty)", "x\ty\\"]]);
    }

    #[test]
    fn changed_rows_are_counted() {
        assert_eq!(printed(&[], "(12 rows changed, 3 ms)\n").updated, Some(12));
        assert_eq!(printed(&[], "(1 row changed, 3 ms)\n").updated, Some(1));
        assert_eq!(printed(&[], "(done, 3 ms)\n").updated, None);
    }
}
