//! Shows one step of the tour: the query, its plan in brief, its result and its time.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use waterbuck_benchmarks::{Client, Outcome, Rows};
use waterbuck_engine::Result;

use super::brief_plan::brief;
use super::run::unwritten;
use super::tour::{DROP, Shown, Step};
use crate::output::{self, Format};

/// Of a result, what is shown.
const ROWS_SHOWN: usize = 12;

/// A session that is being shown.
pub(super) struct Guide<'a> {
    client: Client,
    out: &'a mut dyn Write,
}

impl<'a> Guide<'a> {
    pub(super) fn new(client: Client, out: &'a mut dyn Write) -> Self {
        Self { client, out }
    }

    /// Runs a step and writes what there is to see.
    pub(super) async fn show(&mut self, number: usize, step: &Step) -> Result<()> {
        let plan = match step.query() {
            Some(query) => Some(self.plan(query).await?),
            None => None,
        };
        if step.sql.starts_with("CREATE TABLE") {
            self.client.run(DROP).await?;
        }
        writeln!(
            self.out,
            "\n── {number}. {} ──\n\n{};\n",
            step.title, step.sql
        )
        .map_err(unwritten)?;
        let start = Instant::now();
        let outcome = self.client.run(&step.sql).await?;
        let time = start.elapsed();
        if let Some(plan) = plan {
            for line in brief(&plan) {
                writeln!(self.out, "  {line}").map_err(unwritten)?;
            }
            writeln!(self.out).map_err(unwritten)?;
        }
        match outcome {
            Outcome::Rows(rows) if step.shown == Shown::Summary => self.summary(&rows, time),
            Outcome::Rows(rows) => self.rows(&rows, time),
            Outcome::Updated(rows) => {
                let what = rows.map_or_else(
                    || "done".to_owned(),
                    |n| format!("{} rows", output::count(n)),
                );
                self.closing(&what, time)
            }
        }
        .map_err(unwritten)
    }

    /// The distributed plan as the server draws it.
    async fn plan(&mut self, sql: &str) -> Result<String> {
        let rows = self.client.query(&format!("EXPLAIN {sql}")).await?;
        Ok(row(&rows, "distributed_plan"))
    }

    fn rows(&mut self, rows: &Rows, time: Duration) -> io::Result<()> {
        let mut writer = Format::Table.writer();
        writer.begin(self.out, &rows.schema)?;
        let mut left = ROWS_SHOWN;
        for batch in &rows.batches {
            let shown = batch.slice(0, batch.num_rows().min(left));
            left -= shown.num_rows();
            writer.write(self.out, &shown)?;
        }
        writer.finish(self.out)?;
        let count = rows.count();
        let what = match count {
            1 => "1 row".to_owned(),
            count if count > ROWS_SHOWN => format!("{count} rows, {ROWS_SHOWN} of them shown"),
            count => format!("{count} rows"),
        };
        self.closing(&what, time)
    }

    fn summary(&mut self, rows: &Rows, time: Duration) -> io::Result<()> {
        for line in row(rows, "summary").lines() {
            writeln!(self.out, "  {line}")?;
        }
        writeln!(self.out)?;
        self.closing("the operators' own figures are left out here", time)
    }

    fn closing(&mut self, what: &str, time: Duration) -> io::Result<()> {
        writeln!(self.out, "({what}, {})", output::duration(time))
    }
}

/// The text of one kind of row of an `EXPLAIN`.
fn row(rows: &Rows, kind: &str) -> String {
    let kinds = rows.texts("plan_type");
    let found = kinds
        .iter()
        .zip(rows.texts("plan"))
        .find(|(known, _)| *known == kind);
    found.map_or_else(String::new, |(_, text)| text)
}
