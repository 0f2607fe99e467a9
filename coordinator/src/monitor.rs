//! A coordinator's figures for those who watch it.

use waterbuck_engine::monitor::{Gauge, Reading, node_gauges};

use crate::cluster::ExecutorState;
use crate::coordinator::Coordinator;

impl Coordinator {
    /// How many executors and queries there are, and what this process itself holds.
    pub fn gauges(&self) -> Vec<Gauge> {
        let executors = self.executors();
        let in_state = |state| {
            let known = executors.iter().filter(|known| known.state == state);
            known.count() as u64
        };
        let queries = self.queries().all();
        let ended = queries
            .iter()
            .filter(|query| query.view().state.is_final())
            .count();
        let running = queries.len() - ended;
        let mut gauges = vec![
            Gauge {
                name: "executors",
                help: "Known executors.",
                reading: Reading::ByState(vec![
                    ("active", in_state(ExecutorState::Active)),
                    ("draining", in_state(ExecutorState::Draining)),
                    ("lost", in_state(ExecutorState::Lost)),
                ]),
            },
            Gauge {
                name: "queries",
                help: "Queries in memory.",
                reading: Reading::ByState(vec![
                    ("running", running as u64),
                    ("ended", ended as u64),
                ]),
            },
        ];
        gauges.extend(node_gauges(self.runtime()));
        gauges
    }
}
