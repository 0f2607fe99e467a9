//! An executor's figures for those who watch it.

use waterbuck_engine::cluster::NodeState;
use waterbuck_engine::monitor::{Gauge, Reading, Report, node_gauges};

use crate::heartbeat::HeartbeatSender;

impl HeartbeatSender {
    /// What monitors are told: an executor is ready until it drains.
    pub fn report(&self) -> Report {
        let tasks = Gauge {
            name: "node_tasks",
            help: "Tasks alive on this process.",
            reading: Reading::Total(self.node.tasks().count() as u64),
        };
        let mut gauges = vec![tasks];
        gauges.extend(node_gauges(self.node.runtime()));
        Report {
            ready: self.state() == NodeState::Active,
            gauges,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use datafusion::execution::object_store::{DefaultObjectStoreRegistry, ObjectStoreRegistry};
    use url::Url;
    use waterbuck_engine::cluster_access::ClusterAccess;
    use waterbuck_engine::session::{NodeRuntime, RuntimeConfig, SessionFactory, TaskOptions};

    use super::*;
    use crate::channels::ExchangeChannels;
    use crate::node::{ExecutorNode, NodeStores};

    struct NoStores;

    impl NodeStores for NoStores {
        fn for_query(&self, _options: &TaskOptions) -> Arc<dyn ObjectStoreRegistry> {
            Arc::new(DefaultObjectStoreRegistry::new())
        }
    }

    fn sender() -> Arc<HeartbeatSender> {
        let runtime = NodeRuntime::new(&RuntimeConfig {
            memory_limit_bytes: 4096,
            spill_dir: None,
            spill_limit_bytes: 1,
        });
        let node = ExecutorNode::new(
            runtime.unwrap(),
            SessionFactory::new(vec![]),
            Arc::new(NoStores),
            Arc::new(ExchangeChannels::default()),
            ClusterAccess::open(),
        );
        HeartbeatSender::new(node, &Url::parse("http://executor:1").unwrap(), None)
    }

    #[test]
    fn an_executor_is_ready_until_it_drains() {
        let sender = sender();
        assert!(sender.report().ready);
        sender.set_state(NodeState::Draining);
        assert!(!sender.report().ready);
        sender.set_state(NodeState::Leaving);
        assert!(!sender.report().ready);
    }

    #[test]
    fn tasks_and_memory_are_told() {
        let metrics = sender().report().metrics();
        assert!(metrics.contains("\nwaterbuck_node_tasks 0\n"), "{metrics}");
        let limit = "\nwaterbuck_memory_limit_bytes 4096\n";
        assert!(metrics.contains(limit), "{metrics}");
    }
}
