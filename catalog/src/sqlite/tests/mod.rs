//! The promises of the store, each on a file of its own.

mod files;
mod fixture;
mod names;
mod opening;
mod others;
mod policies;
mod races;
mod rights;
mod rights_model;
mod widening;
