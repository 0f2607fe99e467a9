//! Every format is read back as it was written.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::util::pretty::pretty_format_batches;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::options::ArrowReadOptions;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::prelude::{
    AvroReadOptions, CsvReadOptions, JsonReadOptions, ParquetReadOptions, SessionContext,
};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::super::{WriteTarget, publish_append};
use super::setup::{Table, input, many, rows, run};
use crate::files::Format;

fn wide() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "i",
            Arc::new(Int64Array::from(vec![Some(1), None, Some(-3)])),
        ),
        (
            "f",
            Arc::new(Float64Array::from(vec![Some(1.5), Some(f64::NAN), None])),
        ),
        (
            "s",
            Arc::new(StringArray::from(vec![Some("a,\"b\"\nc"), Some("ü"), None])),
        ),
        (
            "d",
            Arc::new(Date32Array::from(vec![Some(0), Some(19_000), None])),
        ),
        (
            "t",
            Arc::new(TimestampMicrosecondArray::from(vec![
                Some(1_000_001),
                None,
                Some(0),
            ])),
        ),
        (
            "n",
            Arc::new(
                Decimal128Array::from(vec![Some(12_345), Some(-1), None])
                    .with_precision_and_scale(12, 2)
                    .unwrap(),
            ),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true)))
        .unwrap()
}

async fn written(table: &Table, format: Format, options: &[(&str, &str)]) -> WriteTarget {
    let batch = wide();
    let mut target = WriteTarget::new(&table.location, format, batch.schema());
    target.options = options
        .iter()
        .map(|(k, v)| (k.to_string(), v.to_string()))
        .collect();
    let plan: Arc<dyn ExecutionPlan> = MemorySourceConfig::try_new_exec(
        &[vec![batch.slice(0, 1), batch.slice(1, 2)]],
        batch.schema(),
        None,
    )
    .unwrap();
    let files = run(plan, &target).await.unwrap();
    publish_append(&table.store, &target, &files).await.unwrap();
    target
}

async fn read(table: &Table, format: Format, compression: FileCompressionType) -> String {
    let context = SessionContext::new();
    let path = table
        .directory
        .join(&table.files()[0])
        .display()
        .to_string();
    let extension = table.files()[0].split_once('.').unwrap().1.to_owned();
    let schema = wide().schema();
    let frame = match format {
        Format::Parquet => {
            context
                .read_parquet(path, ParquetReadOptions::default())
                .await
        }
        Format::Csv => {
            let options = CsvReadOptions::new()
                .schema(&schema)
                .file_extension(&extension)
                .newlines_in_values(true)
                .file_compression_type(compression);
            context.read_csv(path, options).await
        }
        Format::Json => {
            let options = JsonReadOptions::default()
                .schema(&schema)
                .file_extension(&extension)
                .file_compression_type(compression);
            context.read_json(path, options).await
        }
        Format::Avro => context.read_avro(path, AvroReadOptions::default()).await,
        Format::Arrow => context.read_arrow(path, ArrowReadOptions::default()).await,
    };
    pretty_format_batches(&frame.unwrap().collect().await.unwrap())
        .unwrap()
        .to_string()
}

#[tokio::test]
async fn every_format_reads_back() {
    let expected = pretty_format_batches(&[wide()]).unwrap().to_string();
    for format in [Format::Parquet, Format::Csv, Format::Avro, Format::Arrow] {
        let table = Table::new();
        written(&table, format, &[]).await;
        assert!(table.files()[0].ends_with(&format!(".{}", format.extension())));
        let got = read(&table, format, FileCompressionType::UNCOMPRESSED).await;
        assert_eq!(got, expected, "{format}");
    }
    // JSON has no NaN.
    let table = Table::new();
    written(&table, Format::Json, &[]).await;
    let got = read(&table, Format::Json, FileCompressionType::UNCOMPRESSED).await;
    assert_eq!(got, expected.replace("NaN", "   "));
}

#[tokio::test]
async fn text_is_compressed_as_asked() {
    let expected = pretty_format_batches(&[wide()]).unwrap().to_string();
    let kinds = [
        ("gzip", "csv.gz", FileCompressionType::GZIP),
        ("zstd", "csv.zst", FileCompressionType::ZSTD),
        ("bzip2", "csv.bz2", FileCompressionType::BZIP2),
        ("xz", "csv.xz", FileCompressionType::XZ),
    ];
    for (name, extension, compression) in kinds {
        let table = Table::new();
        written(&table, Format::Csv, &[("compression", name)]).await;
        assert!(table.files()[0].ends_with(extension), "{:?}", table.files());
        assert_eq!(
            read(&table, Format::Csv, compression).await,
            expected,
            "{name}"
        );
    }
}

#[tokio::test]
async fn binary_formats_take_their_codecs() {
    let expected = pretty_format_batches(&[wide()]).unwrap().to_string();
    let choices = [
        (Format::Parquet, "snappy"),
        (Format::Parquet, "ZSTD(5)"),
        (Format::Parquet, "none"),
        (Format::Avro, "deflate"),
        (Format::Avro, "none"),
        (Format::Arrow, "zstd"),
        (Format::Arrow, "none"),
    ];
    for (format, codec) in choices {
        let table = Table::new();
        written(&table, format, &[("compression", codec)]).await;
        let got = read(&table, format, FileCompressionType::UNCOMPRESSED).await;
        assert_eq!(got, expected, "{format} {codec}");
    }
}

#[tokio::test]
async fn csv_is_written_as_its_options_say() {
    let table = Table::new();
    let mut target = table.target(Format::Csv);
    for (name, value) in [
        ("header", "false"),
        ("delimiter", "|"),
        ("null_value", "\\N"),
    ] {
        target.options.insert(name.to_owned(), value.to_owned());
    }
    target.single_file = Some("out.csv".to_owned());
    let plan = input(&[vec![rows(&[(1, Some("a|b")), (2, None)])]]);
    let files = run(plan, &target).await.unwrap();
    publish_append(&table.store, &target, &files).await.unwrap();
    let text = std::fs::read_to_string(table.directory.join("out.csv")).unwrap();
    assert_eq!(text, "1|\"a|b\"\n2|\\N\n");
}

#[tokio::test]
async fn a_single_file_keeps_the_order_and_exists_even_when_empty() {
    let table = Table::new();
    let mut target = table.target(Format::Csv);
    target.single_file = Some("out.csv.gz".to_owned());
    let plan = input(&[vec![many(3, "a")], vec![many(2, "b")]]);
    let files = run(plan, &target).await.unwrap();
    assert_eq!((files.len(), files[0].rows), (1, 5));
    publish_append(&table.store, &target, &files).await.unwrap();
    let mut empty = table.target(Format::Csv);
    empty.single_file = Some("none.csv".to_owned());
    let files = run(input(&[vec![], vec![]]), &empty).await.unwrap();
    publish_append(&table.store, &empty, &files).await.unwrap();
    assert_eq!(table.files(), ["none.csv", "out.csv.gz"]);
    let text = std::fs::read_to_string(table.directory.join("none.csv")).unwrap();
    assert_eq!(text, "v,k\n");
}

#[tokio::test]
async fn parquet_files_carry_field_ids_zstd_and_the_page_index() {
    let table = Table::new();
    let id = |name: &str, id: &str| {
        Field::new(name, DataType::Int64, true)
            .with_metadata([(PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_owned())].into())
    };
    let schema = Arc::new(Schema::new(vec![id("a", "7"), id("b", "9")]));
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let batch =
        RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(&column), column]).unwrap();
    let target = WriteTarget::new(&table.location, Format::Parquet, Arc::clone(&schema));
    let plan = MemorySourceConfig::try_new_exec(&[vec![batch]], schema, None).unwrap();
    let files = run(plan, &target).await.unwrap();
    assert_eq!(files[0].column_stats[1].field_id, Some(9));
    let file = std::fs::File::open(table.directory.join(&files[0].path)).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let group = reader.metadata().row_group(0);
    assert_eq!(
        group
            .schema_descr()
            .column(1)
            .self_type()
            .get_basic_info()
            .id(),
        9
    );
    assert!(format!("{:?}", group.column(0).compression()).starts_with("ZSTD"));
    assert!(group.column(0).column_index_offset().is_some());
}

#[tokio::test]
async fn nan_is_reported_beside_the_bounds() {
    let table = Table::new();
    let batch = wide();
    let target = WriteTarget::new(&table.location, Format::Parquet, batch.schema());
    let schema = batch.schema();
    let plan = MemorySourceConfig::try_new_exec(&[vec![batch]], schema, None).unwrap();
    let files = run(plan, &target).await.unwrap();
    let f = &files[0].column_stats[1];
    assert_eq!(
        (f.contains_nan, f.min.as_deref(), f.max.as_deref()),
        (Some(true), Some("1.5"), Some("1.5"))
    );
    let n = &files[0].column_stats[5];
    assert_eq!(
        (n.min.as_deref(), n.max.as_deref()),
        (Some("-0.01"), Some("123.45"))
    );
}
