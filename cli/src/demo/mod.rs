//! `waterbuck demo`: sample data, a small cluster and a tour of queries.

mod brief_plan;
mod connect;
mod guide;
mod run;
mod tour;

pub(crate) use run::run;
