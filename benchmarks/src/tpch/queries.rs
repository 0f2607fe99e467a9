//! The 22 queries of TPC-H with the parameters of the specification's validation run.

/// One query of TPC-H.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Query {
    /// 1 to 22.
    pub number: u8,
    text: &'static str,
    /// Whether its `ORDER BY` leaves no two rows in doubt, so that answers are compared in order.
    pub ordered: bool,
}

impl Query {
    /// `q1` to `q22`.
    pub fn name(&self) -> String {
        format!("q{}", self.number)
    }

    /// The SQL text at a scale factor, on which the eleventh query depends.
    pub fn sql(&self, scale: f64) -> String {
        self.text
            .trim_end()
            .replace("${FRACTION}", &format!("{:.10}", 0.0001 / scale))
    }
}

macro_rules! query {
    ($number:literal, $file:literal, $ordered:literal) => {
        Query {
            number: $number,
            text: include_str!(concat!("queries/", $file, ".sql")),
            ordered: $ordered,
        }
    };
}

/// Every query, by number.
pub const QUERIES: [Query; 22] = [
    query!(1, "q01", true),
    query!(2, "q02", true),
    query!(3, "q03", false),
    query!(4, "q04", true),
    query!(5, "q05", false),
    query!(6, "q06", true),
    query!(7, "q07", true),
    query!(8, "q08", true),
    query!(9, "q09", true),
    query!(10, "q10", false),
    query!(11, "q11", false),
    query!(12, "q12", true),
    query!(13, "q13", true),
    query!(14, "q14", true),
    query!(15, "q15", true),
    query!(16, "q16", true),
    query!(17, "q17", true),
    query!(18, "q18", false),
    query!(19, "q19", true),
    query!(20, "q20", true),
    query!(21, "q21", true),
    query!(22, "q22", true),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_query_is_there_under_its_own_number() {
        let numbers: Vec<u8> = QUERIES.iter().map(|query| query.number).collect();
        assert_eq!(numbers, (1..=22).collect::<Vec<_>>());
        let texts: std::collections::HashSet<_> = QUERIES.iter().map(|query| query.text).collect();
        assert_eq!(texts.len(), 22);
    }

    #[test]
    fn the_eleventh_follows_the_scale() {
        assert!(QUERIES[10].sql(1.0).contains("* 0.0001000000\n"));
        assert!(QUERIES[10].sql(10.0).contains("* 0.0000100000\n"));
        assert!(QUERIES.iter().all(|query| !query.sql(0.3).contains("${")));
    }
}
