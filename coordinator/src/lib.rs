//! Control plane: sessions, statements, queries, membership, and the Flight SQL door.

pub mod flight_sql;
