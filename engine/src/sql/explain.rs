//! `EXPLAIN` in DataFusion's syntax, with the distributed plan as what is shown by default.

use datafusion::common::format::{ExplainAnalyzeCategories, ExplainFormat, MetricType};

use super::statement::Statement;

/// Which plan is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExplainKind {
    /// The stages and what each of them does, in brief.
    #[default]
    Distributed,
    /// The logical plan after optimisation.
    Logical,
    /// The physical plan of one process, before it is cut into stages.
    Physical,
}

/// `EXPLAIN [ANALYZE] [VERBOSE] [LOGICAL | PHYSICAL | DISTRIBUTED] [FORMAT f] statement`, or the
/// same as a list: `EXPLAIN (ANALYZE, VERBOSE, TYPE LOGICAL, FORMAT TREE) statement`.
#[derive(Debug, Clone)]
pub struct Explain {
    /// Run it and show what it took.
    pub analyze: bool,
    /// Everything, including the plan after each rule.
    pub verbose: bool,
    /// Which plan.
    pub kind: ExplainKind,
    /// One of DataFusion's formats, when one was asked for; `kind` does not matter then.
    pub format: Option<ExplainFormat>,
    /// `LEVEL`: how many metrics `ANALYZE` shows.
    pub analyze_level: Option<MetricType>,
    /// `METRICS`: which metrics `ANALYZE` shows.
    pub analyze_categories: Option<ExplainAnalyzeCategories>,
    /// `COSTS`: show the statistics each operator expects.
    pub show_statistics: Option<bool>,
    /// What to explain.
    pub statement: Box<Statement>,
}
