//! The door from outside: a real server on loopback, a fake backend behind it.

mod actions;
mod cancel;
mod damaged;
mod fake;
mod harness;
mod login;
mod metadata;
mod prepared;
mod query;
mod wire;
