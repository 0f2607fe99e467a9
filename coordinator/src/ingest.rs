//! What an upload of rows asks for, in the words of no protocol.

/// Into which table the rows of an upload go, and what becomes of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingest {
    /// The catalog it lies in, where that is said.
    pub catalog: Option<String>,
    /// The schema it lies in; the session's own where that is not said.
    pub schema: Option<String>,
    /// Its name, as it is written: nothing is folded to lower case.
    pub table: String,
    /// Whether the table is made, with the columns of the upload, when there is none.
    pub create: bool,
    /// What is done when there is one.
    pub if_exists: IfExists,
}

/// What an upload does to a table that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// The upload is an error.
    Fail,
    /// Its rows are added.
    Append,
    /// A table with the columns and rows of the upload takes its place.
    Replace,
}
