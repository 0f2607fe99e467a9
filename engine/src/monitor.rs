//! What a process tells those who watch it: whether it takes work, and figures of this moment.
//!
//! Figures are counts: no statement and no name of a user or a table is among them, because whoever
//! reaches the port may read them.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::cluster::VERSION;
use crate::session::NodeRuntime;

/// A figure of this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gauge {
    /// A word of its own in the process; in Prometheus it has `waterbuck_` in front.
    pub name: &'static str,
    /// What it is, in a sentence.
    pub help: &'static str,
    /// How much it is.
    pub reading: Reading,
}

/// How much a [`Gauge`] shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// One number.
    Total(u64),
    /// A number for each state.
    ByState(Vec<(&'static str, u64)>),
}

/// All that a process says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether it takes new work; it may be well and not take any.
    pub ready: bool,
    /// Its figures.
    pub gauges: Vec<Gauge>,
}

impl Report {
    /// The report as a JSON object.
    pub fn status(&self) -> Value {
        let mut status = Map::new();
        status.insert("version".to_owned(), VERSION.into());
        status.insert("ready".to_owned(), self.ready.into());
        for gauge in &self.gauges {
            let value = match &gauge.reading {
                Reading::Total(total) => json!(total),
                Reading::ByState(states) => {
                    let states = states.iter();
                    states
                        .map(|(state, count)| ((*state).to_owned(), json!(count)))
                        .collect::<Map<_, _>>()
                        .into()
                }
            };
            status.insert(gauge.name.to_owned(), value);
        }
        Value::Object(status)
    }

    /// The report in the text format of Prometheus.
    pub fn metrics(&self) -> String {
        let mut text = String::new();
        let ready = Gauge {
            name: "ready",
            help: "Whether the process takes new work.",
            reading: Reading::Total(self.ready.into()),
        };
        for gauge in std::iter::once(&ready).chain(&self.gauges) {
            write_gauge(&mut text, gauge);
        }
        text
    }
}

/// The figures of a node's memory, spill space and queries.
pub fn node_gauges(runtime: &NodeRuntime) -> Vec<Gauge> {
    let budget = runtime.budget();
    let gauge = |name, help, value| Gauge {
        name,
        help,
        reading: Reading::Total(value),
    };
    vec![
        gauge(
            "node_queries",
            "Queries with work on this process.",
            runtime.running_queries() as u64,
        ),
        gauge(
            "memory_used_bytes",
            "Bytes that operators have reserved.",
            budget.used() as u64,
        ),
        gauge(
            "memory_peak_bytes",
            "The most bytes that operators had reserved at once.",
            budget.peak() as u64,
        ),
        gauge(
            "memory_limit_bytes",
            "Bytes that operators may reserve.",
            budget.limit() as u64,
        ),
        gauge(
            "spilled_bytes",
            "Bytes in spill files.",
            runtime.spilled_bytes(),
        ),
    ]
}

fn write_gauge(text: &mut String, gauge: &Gauge) {
    let Gauge {
        name,
        help,
        reading,
    } = gauge;
    let _infallible = writeln!(
        text,
        "# HELP waterbuck_{name} {help}\n# TYPE waterbuck_{name} gauge"
    );
    match reading {
        Reading::Total(total) => {
            let _infallible = writeln!(text, "waterbuck_{name} {total}");
        }
        Reading::ByState(states) => {
            for (state, count) in states {
                let _infallible = writeln!(text, "waterbuck_{name}{{state=\"{state}\"}} {count}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::RuntimeConfig;

    fn report() -> Report {
        let gauge = |name, reading| Gauge {
            name,
            help: "Help.",
            reading,
        };
        Report {
            ready: false,
            gauges: vec![
                gauge(
                    "executors",
                    Reading::ByState(vec![("active", 2), ("lost", 1)]),
                ),
                gauge("spilled_bytes", Reading::Total(7)),
            ],
        }
    }

    #[test]
    fn prometheus_reads_a_help_a_type_and_samples() {
        let text = "\
# HELP waterbuck_ready Whether the process takes new work.
# TYPE waterbuck_ready gauge
waterbuck_ready 0
# HELP waterbuck_executors Help.
# TYPE waterbuck_executors gauge
waterbuck_executors{state=\"active\"} 2
waterbuck_executors{state=\"lost\"} 1
# HELP waterbuck_spilled_bytes Help.
# TYPE waterbuck_spilled_bytes gauge
waterbuck_spilled_bytes 7
";
        assert_eq!(report().metrics(), text);
    }

    #[test]
    fn the_status_has_the_same_figures() {
        let status = json!({
            "version": VERSION,
            "ready": false,
            "executors": {"active": 2, "lost": 1},
            "spilled_bytes": 7,
        });
        assert_eq!(report().status(), status);
    }

    #[test]
    fn the_budget_of_a_node_is_told() {
        let config = RuntimeConfig {
            memory_limit_bytes: 4096,
            spill_dir: None,
            spill_limit_bytes: 1,
        };
        let gauges = node_gauges(&NodeRuntime::new(&config).unwrap());
        let of = |name| gauges.iter().find(|gauge| gauge.name == name).unwrap();
        assert_eq!(of("memory_limit_bytes").reading, Reading::Total(4096));
        assert_eq!(of("memory_used_bytes").reading, Reading::Total(0));
    }
}
