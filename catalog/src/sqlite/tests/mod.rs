//! The promises of the store, each on a file of its own.

mod files;
mod fixture;
mod names;
mod opening;
mod others;
mod races;
mod widening;
