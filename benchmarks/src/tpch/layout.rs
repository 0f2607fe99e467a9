//! The eight tables and how their files are laid out on disk.

use std::path::{Path, PathBuf};

use tpchgen::generators::{
    CustomerGenerator, OrderGenerator, PartGenerator, PartSuppGenerator, SupplierGenerator,
};

/// Rows of one file at large scales.
const FILE_ROWS: u64 = 1_000_000;
/// Below this many rows a table is one file.
const SINGLE_FILE_ROWS: u64 = 10_000;
/// A table of more than one file has at least this many, so that there is work to share.
const FILES_MIN: u64 = 4;
/// Orders have one to seven lines, four on average.
const LINES_PER_ORDER: u64 = 4;

/// A table of TPC-H.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// 25 rows at every scale.
    Nation,
    /// 5 rows at every scale.
    Region,
    /// 200,000 rows times the scale.
    Part,
    /// 10,000 rows times the scale.
    Supplier,
    /// 800,000 rows times the scale.
    PartSupp,
    /// 150,000 rows times the scale.
    Customer,
    /// 1,500,000 rows times the scale.
    Orders,
    /// About 6,000,000 rows times the scale.
    LineItem,
}

impl Table {
    /// Every table, the largest first, so that generating them in parallel ends evenly.
    pub const ALL: [Self; 8] = [
        Self::LineItem,
        Self::Orders,
        Self::PartSupp,
        Self::Customer,
        Self::Part,
        Self::Supplier,
        Self::Nation,
        Self::Region,
    ];

    /// The name in SQL, which is also the name of the directory.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nation => "nation",
            Self::Region => "region",
            Self::Part => "part",
            Self::Supplier => "supplier",
            Self::PartSupp => "partsupp",
            Self::Customer => "customer",
            Self::Orders => "orders",
            Self::LineItem => "lineitem",
        }
    }

    /// The number of rows at a scale; of `lineitem` it is an estimate.
    pub fn rows(self, scale: f64) -> u64 {
        let rows = match self {
            Self::Nation => 25,
            Self::Region => 5,
            Self::Part => PartGenerator::calculate_row_count(scale, 1, 1),
            Self::Supplier => SupplierGenerator::calculate_row_count(scale, 1, 1),
            Self::PartSupp => PartSuppGenerator::calculate_row_count(scale, 1, 1),
            Self::Customer => CustomerGenerator::calculate_row_count(scale, 1, 1),
            Self::Orders | Self::LineItem => OrderGenerator::calculate_row_count(scale, 1, 1),
        };
        let rows = u64::try_from(rows).unwrap_or(0);
        if self == Self::LineItem {
            rows * LINES_PER_ORDER
        } else {
            rows
        }
    }

    /// The number of parts the table is generated in, which in the plain layout are its files.
    pub fn parts(self, scale: f64) -> i32 {
        let rows = self.rows(scale);
        let parts = if rows <= SINGLE_FILE_ROWS {
            1
        } else {
            rows.div_ceil(FILE_ROWS).max(FILES_MIN)
        };
        i32::try_from(parts).unwrap_or(i32::MAX)
    }
}

/// How a data set's files are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// `table/part-0.parquet`.
    Plain,
    /// As [`Layout::Plain`], but `lineitem` and `orders` have a directory for each year of their
    /// main date: `lineitem/l_shipyear=1994/part-0.parquet`. The year is in the path alone.
    Partitioned,
}

impl Layout {
    /// As it is written in the marker of a data set.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Partitioned => "partitioned",
        }
    }

    /// The date column whose year names the directories of a table, and the name of that year.
    pub(super) fn partitioning(self, table: Table) -> Option<(&'static str, &'static str)> {
        match (self, table) {
            (Self::Partitioned, Table::LineItem) => Some(("l_shipdate", "l_shipyear")),
            (Self::Partitioned, Table::Orders) => Some(("o_orderdate", "o_orderyear")),
            _ => None,
        }
    }
}

/// The file of one part of a table, in the directory of one year if there is such a thing.
pub(super) fn file(root: &Path, table: Table, year: Option<(&str, i32)>, part: i32) -> PathBuf {
    let mut dir = root.join(table.name());
    if let Some((column, year)) = year {
        dir.push(format!("{column}={year}"));
    }
    dir.join(format!("part-{}.parquet", part - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_tables_are_several_files() {
        assert_eq!(Table::LineItem.parts(1.0), 6);
        assert_eq!(Table::Orders.parts(1.0), 4);
        assert_eq!(Table::Supplier.parts(1.0), 1);
        assert_eq!(Table::LineItem.parts(10.0), 60);
    }

    #[test]
    fn years_are_in_the_path() {
        let path = file(
            Path::new("d"),
            Table::LineItem,
            Some(("l_shipyear", 1994)),
            1,
        );
        assert_eq!(path, Path::new("d/lineitem/l_shipyear=1994/part-0.parquet"));
    }
}
