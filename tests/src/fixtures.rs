//! Files that tests read: small tables whose contents are plain arithmetic, so that every answer
//! can be worked out by hand.

use std::{fs, path::Path, sync::Arc};

use arrow::{
    array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray},
    csv::WriterBuilder,
};
use parquet::{arrow::ArrowWriter, file::properties::WriterProperties};

/// Rows `from .. to` of a table `id, bucket, amount, label`: `bucket = id % 10`,
/// `amount = id / 2`, `label = "label-<id % 100>"`.
pub fn lineorder_batch(from: i64, to: i64) -> RecordBatch {
    let ids = Int64Array::from_iter_values(from..to);
    let buckets = Int64Array::from_iter_values((from..to).map(|id| id % 10));
    let halves = (from..to).map(|id| f64::from(i32::try_from(id).unwrap_or(i32::MAX)) / 2.0);
    let amounts = Float64Array::from_iter_values(halves);
    let labels = StringArray::from_iter_values((from..to).map(|id| format!("label-{}", id % 100)));
    let columns: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(ids)),
        ("bucket", Arc::new(buckets)),
        ("amount", Arc::new(amounts)),
        ("label", Arc::new(labels)),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Writes a Parquet file in row groups of at most `row_group_rows`, its directories included.
pub fn write_parquet(path: &Path, batch: &RecordBatch, row_group_rows: usize) {
    let bytes = parquet_bytes(batch, row_group_rows);
    write(path, &bytes.expect("the batch can be written"));
}

fn parquet_bytes(batch: &RecordBatch, rows: usize) -> parquet::errors::Result<Vec<u8>> {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(rows))
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(batch)?;
    writer.into_inner()
}

/// Writes a CSV file with a header, its directories included.
pub fn write_csv(path: &Path, batch: &RecordBatch) {
    let mut writer = WriterBuilder::new().with_header(true).build(Vec::new());
    writer.write(batch).expect("the batch can be written");
    write(path, &writer.into_inner());
}

/// Written aside and renamed, as a careful program would: a query never sees half a file.
fn write(path: &Path, bytes: &[u8]) {
    let folder = path.parent().expect("a file is in a directory");
    fs::create_dir_all(folder).expect("the directory can be made");
    let aside = path.with_extension("part");
    let aside = folder.join(format!(
        "_{}",
        aside.file_name().unwrap_or_default().display()
    ));
    fs::write(&aside, bytes).expect("the file can be written");
    fs::rename(&aside, path).expect("the file can be renamed");
}

/// Writes an Avro container file of records `{id: long, name: null or string}`, its directories
/// included. The format is simple enough to be written out: a header with the schema, then one
/// block of rows between two copies of a marker.
pub fn write_avro(path: &Path, rows: &[(i64, Option<&str>)]) {
    const MARKER: [u8; 16] = *b"sixteen byte end";
    const SCHEMA: &str = r#"{"type":"record","name":"r","fields":[
        {"name":"id","type":"long"},{"name":"name","type":["null","string"]}]}"#;
    let mut file = b"Obj\x01".to_vec();
    avro_long(&mut file, 2);
    for (key, value) in [("avro.schema", SCHEMA), ("avro.codec", "null")] {
        avro_text(&mut file, key);
        avro_text(&mut file, value);
    }
    avro_long(&mut file, 0);
    file.extend(MARKER);
    let mut block = Vec::new();
    for (id, name) in rows {
        avro_long(&mut block, *id);
        avro_long(&mut block, i64::from(name.is_some()));
        if let Some(name) = name {
            avro_text(&mut block, name);
        }
    }
    avro_long(&mut file, i64::try_from(rows.len()).unwrap_or(i64::MAX));
    avro_long(&mut file, i64::try_from(block.len()).unwrap_or(i64::MAX));
    file.extend(block);
    file.extend(MARKER);
    write(path, &file);
}

/// Zigzag, then seven bits a byte, the lowest first.
fn avro_long(bytes: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
    while rest >= 0x80 {
        bytes.push(u8::try_from(rest & 0x7F).unwrap_or(0) | 0x80);
        rest >>= 7;
    }
    bytes.push(u8::try_from(rest).unwrap_or(0));
}

fn avro_text(bytes: &mut Vec<u8>, text: &str) {
    avro_long(bytes, i64::try_from(text.len()).unwrap_or(i64::MAX));
    bytes.extend(text.as_bytes());
}
