//! Rows of four 64-bit integers, and what of them is checked when they were read.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::sum;
use arrow::datatypes::{Int64Type, SchemaRef};
use waterbuck_engine::{Error, Result};

use super::common::beside;
use crate::client::Source;

/// What one row takes in memory and on the wire.
pub(super) const ROW_BYTES: u64 = 32;

const COLUMNS: [&str; 4] = ["a", "b", "c", "d"];

/// The columns of the rows.
pub(super) fn schema() -> Result<SchemaRef> {
    Ok(batch(0..0)?.schema())
}

/// The rows of these numbers, `batch_rows` in each batch.
pub(super) fn batches(rows: Range<u64>, batch_rows: usize) -> Result<Vec<RecordBatch>> {
    let end = rows.end;
    rows.step_by(batch_rows)
        .map(|from| batch(from..end.min(from + batch_rows as u64)))
        .collect()
}

fn batch(rows: Range<u64>) -> Result<RecordBatch> {
    let column = |factor: u64| -> ArrayRef {
        let values = rows.clone().map(|row| row.wrapping_mul(factor) as i64);
        Arc::new(Int64Array::from_iter_values(values))
    };
    // Odd multipliers spread the bits, so that compression does not decide the result.
    let factors = [
        1,
        0x9E37_79B9_7F4A_7C15,
        0xC2B2_AE3D_27D4_EB4F,
        0x1656_67B1_9E37_79F9,
    ];
    RecordBatch::try_from_iter(COLUMNS.into_iter().zip(factors.map(column)))
        .map_err(|error| Error::internal("numbers make no batch").with_source(error))
}

/// How many rows were read, and the sum of their first column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Tally {
    rows: u64,
    sum: i64,
}

impl Tally {
    /// Reads streams beside one another.
    pub(super) async fn read(sources: Vec<Source>) -> Result<Self> {
        let read = sources.into_iter().map(|source| async move {
            let mut tally = Self::default();
            source.read(|batch| tally.add(Self::of(&batch))).await?;
            Ok::<_, Error>(tally)
        });
        let mut total = Self::default();
        for tally in beside(read).await? {
            total.add(tally);
        }
        Ok(total)
    }

    /// Fails unless these are the first `rows` numbers.
    pub(super) fn check(self, rows: u64) -> Result<()> {
        let sum = u128::from(rows) * u128::from(rows.saturating_sub(1)) / 2;
        let wanted = Self {
            rows,
            sum: sum as i64,
        };
        if self == wanted {
            return Ok(());
        }
        Err(Error::data(format!(
            "the result has {} rows of {rows}, and their sum is {} instead of {}",
            self.rows, self.sum, wanted.sum
        )))
    }

    fn of(batch: &RecordBatch) -> Self {
        let first = batch.column(0).as_primitive_opt::<Int64Type>();
        Self {
            rows: batch.num_rows() as u64,
            sum: first.and_then(sum::<Int64Type>).unwrap_or_default(),
        }
    }

    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_are_missing_or_wrong_are_noticed() {
        let mut tally = Tally::default();
        for batch in batches(0..1000, 64).unwrap() {
            tally.add(Tally::of(&batch));
        }
        tally.check(1000).unwrap();
        assert!(tally.check(1001).is_err());
        let wrong = Tally {
            sum: tally.sum + 1,
            ..tally
        };
        assert!(wrong.check(1000).is_err());
    }
}
