//! The promises that cross a crate boundary, each checked on real processes.

mod attacks;
mod bad_input;
mod cancel;
mod ddl_races;
mod endpoints;
mod failover;
mod formats;
mod freshness;
mod login;
mod memory;
mod plans;
mod progress;
mod property;
mod restart;
mod rights;
mod slt;
mod tables;
mod tls;
