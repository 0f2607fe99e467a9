//! The report of `waterbuck bench tpch`.

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::{Map, Value, json};
use waterbuck_engine::{Error, Result};

use super::tpch::OURS;
use crate::report::{
    ReportFormat, mebibytes, millis, ratio, write_columns, write_json, write_line,
};
use crate::statistics::{Samples, geometric_mean};
use crate::tpch::Query;

/// One query's measurements.
#[derive(Debug)]
pub(super) struct Measured {
    pub(super) query: Query,
    /// By engine, in seconds.
    pub(super) samples: BTreeMap<&'static str, Samples>,
    /// Failures and differing answers.
    pub(super) problems: Vec<String>,
}

/// A whole run.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) scale: f64,
    /// 0 is the all-in-one server.
    pub(super) executors: usize,
    /// The engines compared with, in the order they were asked for.
    pub(super) peers: Vec<&'static str>,
    pub(super) queries: Vec<Measured>,
    pub(super) peak_memory_bytes: Vec<(&'static str, u64)>,
}

impl Measured {
    pub(super) fn new(query: Query) -> Self {
        Self {
            query,
            samples: BTreeMap::new(),
            problems: vec![],
        }
    }

    fn median(&self, engine: &str) -> Option<f64> {
        self.samples.get(engine)?.median()
    }

    /// Our median over the peer's.
    fn ratio(&self, peer: &str) -> Option<f64> {
        Some(self.median(OURS)? / self.median(peer)?)
    }
}

impl Report {
    /// The error of a run in which an answer was wrong or missing.
    pub(super) fn verdict(&self) -> Result<()> {
        let wrong = self
            .queries
            .iter()
            .filter(|query| !query.problems.is_empty());
        let names: Vec<String> = wrong.map(|query| query.query.name()).collect();
        if names.is_empty() {
            return Ok(());
        }
        Err(Error::data(format!(
            "answers are wrong or missing: {}",
            names.join(", ")
        )))
    }

    fn geomean_ratio(&self, peer: &str) -> Option<f64> {
        let ratios: Vec<f64> = self
            .queries
            .iter()
            .filter_map(|query| query.ratio(peer))
            .collect();
        geometric_mean(&ratios)
    }

    /// The ratio of the sums, over the queries that both engines ran.
    fn total_ratio(&self, peer: &str) -> Option<f64> {
        let both = self
            .queries
            .iter()
            .filter_map(|query| Some((query.median(OURS)?, query.median(peer)?)));
        let (ours, theirs) = both.fold((0.0, 0.0), |sum, both| (sum.0 + both.0, sum.1 + both.1));
        (theirs > 0.0).then(|| ours / theirs)
    }
}

/// Writes the report.
pub(super) fn write_report(
    out: &mut dyn Write,
    report: &Report,
    format: ReportFormat,
) -> Result<()> {
    match format {
        ReportFormat::Json => write_json(out, &as_json(report)),
        ReportFormat::Table => write_table(out, report),
    }
}

fn as_json(report: &Report) -> Value {
    let queries: Vec<Value> = report.queries.iter().map(query_json).collect();
    let by_peer = |value: &dyn Fn(&str) -> Option<f64>| -> Map<String, Value> {
        report
            .peers
            .iter()
            .map(|peer| ((*peer).to_owned(), json!(value(peer))))
            .collect()
    };
    let memory = report.peak_memory_bytes.iter();
    let memory: Map<_, _> = memory
        .map(|(name, bytes)| ((*name).to_owned(), json!(bytes)))
        .collect();
    json!({
        "suite": "tpch",
        "scale": report.scale,
        "executors": report.executors,
        "queries": queries,
        "geomean_ratio": by_peer(&|peer| report.geomean_ratio(peer)),
        "total_ratio": by_peer(&|peer| report.total_ratio(peer)),
        "peak_memory_bytes": memory,
    })
}

fn query_json(query: &Measured) -> Value {
    let medians = query.samples.iter();
    let seconds: Map<_, _> = medians
        .map(|(engine, samples)| ((*engine).to_owned(), json!(samples.median())))
        .collect();
    let correct = query.problems.is_empty();
    json!({"name": query.query.name(), "seconds": seconds, "correct": correct})
}

fn write_table(out: &mut dyn Write, report: &Report) -> Result<()> {
    let mut header = vec![
        "query".to_owned(),
        format!("{OURS} ms"),
        "min–max".to_owned(),
    ];
    for peer in &report.peers {
        header.extend([
            format!("{peer} ms"),
            "min–max".to_owned(),
            "ratio".to_owned(),
        ]);
    }
    header.push("answer".to_owned());
    let mut rows: Vec<Vec<String>> = report
        .queries
        .iter()
        .map(|query| query_row(query, &report.peers))
        .collect();
    rows.push(total_row(report));
    rows.push(geomean_row(report));
    write_columns(out, &header, &rows)?;
    write_line(out, "")?;
    for (engine, bytes) in &report.peak_memory_bytes {
        write_line(
            out,
            format_args!("peak memory of {engine}: {}", mebibytes(*bytes)),
        )?;
    }
    write_line(
        out,
        "times are medians; a ratio is our time over the other engine's",
    )
}

fn query_row(query: &Measured, peers: &[&'static str]) -> Vec<String> {
    let spread = |engine: &str| {
        let samples = query
            .samples
            .get(engine)
            .filter(|samples| !samples.is_empty());
        samples.map_or_else(String::new, |samples| {
            format!("{}–{}", millis(samples.min()), millis(samples.max()))
        })
    };
    let mut row = vec![query.query.name(), millis(query.median(OURS)), spread(OURS)];
    for peer in peers {
        row.extend([
            millis(query.median(peer)),
            spread(peer),
            ratio(query.ratio(peer)),
        ]);
    }
    row.push(
        if query.problems.is_empty() {
            "correct"
        } else {
            "WRONG"
        }
        .to_owned(),
    );
    row
}

fn total_row(report: &Report) -> Vec<String> {
    let total = |engine: &str| {
        let medians = report
            .queries
            .iter()
            .filter_map(|query| query.median(engine));
        millis(Some(medians.sum()))
    };
    let mut row = vec!["total".to_owned(), total(OURS), String::new()];
    for peer in &report.peers {
        row.extend([total(peer), String::new(), ratio(report.total_ratio(peer))]);
    }
    row
}

fn geomean_row(report: &Report) -> Vec<String> {
    let mut row = vec!["geometric mean".to_owned(), String::new(), String::new()];
    for peer in &report.peers {
        row.extend([
            String::new(),
            String::new(),
            ratio(report.geomean_ratio(peer)),
        ]);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tpch::QUERIES;

    fn report() -> Report {
        let measured = |number: usize, ours: f64, theirs: f64| {
            let mut measured = Measured::new(QUERIES[number - 1]);
            measured.samples.entry(OURS).or_default().add(ours);
            measured
                .samples
                .entry("datafusion")
                .or_default()
                .add(theirs);
            measured
        };
        Report {
            scale: 1.0,
            executors: 2,
            peers: vec!["datafusion"],
            queries: vec![measured(1, 1.0, 2.0), measured(18, 4.0, 2.0)],
            peak_memory_bytes: vec![(OURS, 2), ("datafusion", 1)],
        }
    }

    #[test]
    fn json_has_medians_and_ratios() {
        let json = as_json(&report());
        assert_eq!(json["queries"][1]["name"], "q18");
        assert_eq!(json["queries"][1]["seconds"]["waterbuck"], 4.0);
        assert_eq!(json["queries"][1]["correct"], true);
        assert_eq!(json["geomean_ratio"]["datafusion"], 1.0);
        assert_eq!(json["total_ratio"]["datafusion"], 1.25);
        assert_eq!(json["peak_memory_bytes"]["waterbuck"], 2);
    }

    #[test]
    fn a_wrong_answer_is_seen_and_fails_the_run() {
        let mut report = report();
        assert!(report.verdict().is_ok());
        report.queries[1].problems.push("differs".to_owned());
        let mut out = vec![];
        write_report(&mut out, &report, ReportFormat::Table).unwrap();
        assert!(String::from_utf8(out).unwrap().contains("WRONG"));
        assert!(report.verdict().unwrap_err().to_string().contains("q18"));
    }
}
