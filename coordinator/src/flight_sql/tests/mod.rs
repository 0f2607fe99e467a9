//! The door from outside: a real server on loopback, a fake backend behind it.

mod actions;
mod cancel;
mod damaged;
mod delivery;
mod fake;
mod harness;
mod ingest;
mod login;
mod metadata;
mod poll;
mod prepared;
mod query;
