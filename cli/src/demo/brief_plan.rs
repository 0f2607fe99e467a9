//! A distributed plan in a few lines: each stage with its tasks and what they do.

/// Operators that only move rows along.
const PLUMBING: [&str; 6] = [
    "Projection",
    "Repartition",
    "CoalesceBatches",
    "CoalescePartitions",
    "Cooperative",
    "DistributedLeaf",
];

/// One line for each stage of a plan as `EXPLAIN` draws it, the one that runs first at the top.
pub(super) fn brief(plan: &str) -> Vec<String> {
    let mut stages = vec![Stage {
        title: "one task".to_owned(),
        ..Stage::default()
    }];
    for line in plan.lines() {
        if let Some((_, header)) = line.split_once("┌───── ") {
            stages.push(Stage::titled(header));
        } else if let Some(stage) = stages.last_mut() {
            stage.add(line);
        }
    }
    stages.iter().rev().filter_map(Stage::line).collect()
}

#[derive(Debug, Default)]
struct Stage {
    title: String,
    /// Top-down, each with the number of times it occurs.
    operators: Vec<(String, usize)>,
}

impl Stage {
    /// From `Stage 2 ── tasks=3, partitions=9`, or anything else for the coordinator's own part.
    fn titled(header: &str) -> Self {
        let mut parts = header.split(" ── ");
        let title = match parts
            .next()
            .and_then(|name| name.trim().strip_prefix("Stage "))
        {
            Some(number) => {
                let tasks = parts
                    .next()
                    .and_then(|text| text.trim().strip_prefix("tasks="));
                let tasks = tasks.and_then(|text| text.split(',').next()).unwrap_or("?");
                let plural = if tasks == "1" { "" } else { "s" };
                format!("stage {number}, {tasks} task{plural}")
            }
            None => "coordinator".to_owned(),
        };
        Self {
            title,
            operators: vec![],
        }
    }

    fn add(&mut self, line: &str) {
        let line = line.trim_start_matches([' ', '│']);
        if let Some((source, operator)) = line.split_once("] => ") {
            let kind = if operator.contains("Broadcast") {
                "broadcast"
            } else {
                "rows"
            };
            let stage = source.trim_start_matches('[').to_lowercase();
            self.count(format!("{kind} of {stage}"));
            return;
        }
        // The tasks of a leaf are listed one by one and differ only in their files.
        let line = match line.split_once(": ") {
            Some(("t0", operator)) => operator,
            Some((task, _)) if is_task(task) => return,
            _ => line,
        };
        let name = line.split([':', ' ', ',']).next().unwrap_or_default();
        if let Some(operator) = name.strip_suffix("Exec")
            && !PLUMBING.contains(&operator)
        {
            self.count(operator.to_owned());
        }
    }

    fn count(&mut self, operator: String) {
        match self
            .operators
            .iter_mut()
            .find(|(known, _)| *known == operator)
        {
            Some((_, times)) => *times += 1,
            None => self.operators.push((operator, 1)),
        }
    }

    fn line(&self) -> Option<String> {
        let operators: Vec<String> = self
            .operators
            .iter()
            .map(|(name, times)| {
                if *times == 1 {
                    name.clone()
                } else {
                    format!("{times} × {name}")
                }
            })
            .collect();
        (!operators.is_empty()).then(|| format!("{}: {}", self.title, operators.join(", ")))
    }
}

fn is_task(text: &str) -> bool {
    text.strip_prefix('t')
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_are_told_in_the_order_they_run() {
        let plan = "\
┌───── DistributedExec
│ SortPreservingMergeExec: [x@0 ASC]
│   [Stage 2] => NetworkCoalesceExec: output_partitions=4, input_tasks=2
└──────────────────────────────────────────────────
  ┌───── Stage 2 ── tasks=2, partitions=4
  │ SortExec: expr=[x@0 ASC]
  │   AggregateExec: mode=FinalPartitioned, gby=[x@0 as x], aggr=[]
  │     [Stage 1] => NetworkShuffleExec: output_partitions=2, input_tasks=3
  └──────────────────────────────────────────────────
    ┌───── Stage 1 ── tasks=3, partitions=9
    │ RepartitionExec: partitioning=Hash([x@0], 4), input_partitions=1
    │   AggregateExec: mode=Partial, gby=[x@0 as x], aggr=[]
    │     DistributedLeafExec:
    │       t0: DataSourceExec: file_groups={1 group: [[a.parquet]]}
    │       t1: DataSourceExec: file_groups={1 group: [[b.parquet]]}
    └──────────────────────────────────────────────────
";
        let lines = [
            "stage 1, 3 tasks: Aggregate, DataSource",
            "stage 2, 2 tasks: Sort, Aggregate, rows of stage 1",
            "coordinator: SortPreservingMerge, rows of stage 2",
        ];
        assert_eq!(brief(plan), lines);
    }

    #[test]
    fn a_plan_of_one_task_is_one_line() {
        let plan = "HashJoinExec: mode=CollectLeft\n  DataSourceExec: a\n  DataSourceExec: b\n";
        assert_eq!(brief(plan), ["one task: HashJoin, 2 × DataSource"]);
    }
}
