//! The rows of one part of a table, as the generator makes them.

use tpchgen::generators::{
    CustomerGenerator, LineItemGenerator, NationGenerator, OrderGenerator, PartGenerator,
    PartSuppGenerator, RegionGenerator, SupplierGenerator,
};
use tpchgen_arrow::{
    CustomerArrow, LineItemArrow, NationArrow, OrderArrow, PartArrow, PartSuppArrow,
    RecordBatchIterator, RegionArrow, SupplierArrow,
};

use super::Table;

/// Part `part` (counted from 1) of the `parts` in which a table is generated.
pub(super) fn rows(
    table: Table,
    scale: f64,
    part: i32,
    parts: i32,
) -> Box<dyn RecordBatchIterator> {
    match table {
        Table::Nation => Box::new(NationArrow::new(NationGenerator::new(scale, part, parts))),
        Table::Region => Box::new(RegionArrow::new(RegionGenerator::new(scale, part, parts))),
        Table::Part => Box::new(PartArrow::new(PartGenerator::new(scale, part, parts))),
        Table::Supplier => Box::new(SupplierArrow::new(SupplierGenerator::new(
            scale, part, parts,
        ))),
        Table::PartSupp => Box::new(PartSuppArrow::new(PartSuppGenerator::new(
            scale, part, parts,
        ))),
        Table::Customer => Box::new(CustomerArrow::new(CustomerGenerator::new(
            scale, part, parts,
        ))),
        Table::Orders => Box::new(OrderArrow::new(OrderGenerator::new(scale, part, parts))),
        Table::LineItem => Box::new(LineItemArrow::new(LineItemGenerator::new(
            scale, part, parts,
        ))),
    }
}
