//! What people try who should not get in, or not so far: each attack on real processes.

mod connections;
mod handles;
mod mutations;
mod names;
mod places;
mod secrets;
mod tokens;
