//! Another engine reads what the catalog says: DuckDB attaches it and must give our answers.
//!
//! `duckdb_reads.py` holds the questions and the answers. It needs the Python packages of
//! `tests/python/requirements.txt`, which `scripts/test unit` installs.

#![expect(
    clippy::unwrap_used,
    reason = "helpers outside a test function fail the test as well"
)]

use std::fs::{File, create_dir_all};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int32Array, Int32Builder,
    ListArray, ListBuilder, MapBuilder, RecordBatch, StringArray, StringBuilder, StructArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use waterbuck_catalog::{
    CatalogStore, ColumnDef, ExternalTable, FileChange, FileColumnStats, ManagedTable, NewDataFile,
    NewTable, OnExisting, TableKind, TableName, ViewDef, open_sqlite,
};
use waterbuck_engine::sql::ViewSecurity;

#[tokio::test]
async fn duckdb_gives_our_answers() {
    let directory = tempfile::tempdir().unwrap();
    let catalog = directory.path().join("catalog.db");
    let store = open_sqlite(&catalog, directory.path().join("data").to_str().unwrap())
        .await
        .unwrap();
    all_types(store.as_ref()).await;
    partitioned(store.as_ref()).await;
    overwritten(store.as_ref()).await;
    not_for_others(store.as_ref()).await;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/duckdb_reads.py");
    // The store stays open meanwhile: a reader must not need the file for itself.
    let output = Command::new(python()).arg(script).arg(&catalog).output();
    let output = output.unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{out}{err}");
}

/// The interpreter of `scripts/test`.
fn python() -> PathBuf {
    let given = std::env::var_os("WATERBUCK_TEST_PYTHON");
    let usual = || {
        let home = std::env::var_os("HOME").unwrap();
        Path::new(&home).join(".cache/waterbuck-tests/venv/bin/python")
    };
    let python = given.map_or_else(usual, PathBuf::from);
    assert!(
        python.exists(),
        "{} is missing: run scripts/test unit once, it installs what the tests need",
        python.display()
    );
    python
}

fn strings(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn lists(values: &[&[i32]]) -> ListArray {
    let mut builder = ListBuilder::new(Int32Builder::new());
    for value in values {
        builder.append_value(value.iter().map(|v| Some(*v)));
    }
    builder.finish()
}

/// Two rows of every kind of type, nested ones too.
fn all_columns() -> Vec<(&'static str, ArrayRef)> {
    let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
    for (key, value) in [("k", 1), ("j", 2)] {
        maps.keys().append_value(key);
        maps.values().append_value(value);
        maps.append(true).unwrap();
    }
    let inner: ArrayRef = Arc::new(lists(&[&[1], &[2, 3]]));
    let names = strings(&[Some("x"), None]);
    let structs = StructArray::from(vec![
        (
            Arc::new(Field::new("n", names.data_type().clone(), true)),
            names,
        ),
        (
            Arc::new(Field::new("l", inner.data_type().clone(), true)),
            inner,
        ),
    ]);
    let decimals = Decimal128Array::from(vec![150, -225])
        .with_precision_and_scale(10, 2)
        .unwrap();
    let instants = TimestampMicrosecondArray::from(vec![0, 1_700_000_000_000_000]);
    vec![
        ("i", Arc::new(Int32Array::from(vec![1, 2]))),
        ("s", strings(&[Some("hello"), None])),
        ("d", Arc::new(decimals)),
        ("f", Arc::new(Float64Array::from(vec![f64::NAN, 1.5]))),
        ("b", Arc::new(BooleanArray::from(vec![true, false]))),
        ("day", Arc::new(Date32Array::from(vec![0, 19_723]))),
        ("ts", Arc::new(instants.clone())),
        ("tz", Arc::new(instants.with_timezone("UTC"))),
        ("l", Arc::new(lists(&[&[1, 2], &[]]))),
        ("m", Arc::new(maps.finish())),
        ("st", Arc::new(structs)),
    ]
}

async fn all_types(store: &dyn CatalogStore) {
    let columns = all_columns();
    let mut file = write(store, "t/f.parquet", &columns);
    let bounds = [
        ("i", "1", "2"),
        ("s", "hello", "hello"),
        ("d", "-2.25", "1.50"),
        ("b", "false", "true"),
        ("day", "1970-01-01", "2024-01-01"),
        ("ts", "1970-01-01T00:00:00", "2023-11-14T22:13:20"),
        ("tz", "1970-01-01T00:00:00Z", "2023-11-14T22:13:20Z"),
        ("l.list.element", "1", "2"),
    ];
    file.column_stats = bounds
        .map(|(column, min, max)| stats(column, min, max))
        .to_vec();
    file.column_stats[1].null_count = 1;
    create(store, "t", &columns, &[], vec![file]).await;
}

async fn partitioned(store: &dyn CatalogStore) {
    let table: Vec<(&str, ArrayRef)> = vec![
        ("a", Arc::new(Int32Array::from(vec![1]))),
        ("k", strings(&[Some("")])),
        ("n", Arc::new(Int32Array::from(vec![1]))),
    ];
    let id = create(store, "p", &table, &["k", "n"], vec![]).await;
    let null = "__HIVE_DEFAULT_PARTITION__";
    for (a, k, n) in [
        (1, Some("x"), Some("7")),
        (2, Some("a/b c"), None),
        (3, None, Some("8")),
    ] {
        let directory = k.unwrap_or(null).replace('/', "%2F").replace(' ', "%20");
        let path = format!("p/k={directory}/n={}/f.parquet", n.unwrap_or(null));
        let mut file = write(store, &path, &[("a", Arc::new(Int32Array::from(vec![a])))]);
        let text = |value: Option<&str>| value.map(str::to_owned);
        file.partition_values = vec![("k".to_owned(), text(k)), ("n".to_owned(), text(n))];
        file.column_stats = vec![stats("a", &a.to_string(), &a.to_string())];
        let base = store.current_snapshot().await.unwrap();
        store
            .commit_files(id, base, FileChange::Append, vec![file])
            .await
            .unwrap();
    }
}

/// The table's own bounds stay at 1..9 while only 5 is left, and one file has no statistics.
async fn overwritten(store: &dyn CatalogStore) {
    let column = |values: Vec<i32>| -> Vec<(&'static str, ArrayRef)> {
        let words = values.iter().map(|value| format!("w{value}"));
        let words: ArrayRef = Arc::new(StringArray::from_iter_values(words));
        vec![("a", Arc::new(Int32Array::from(values))), ("w", words)]
    };
    let id = create(store, "o", &column(vec![0]), &[], vec![]).await;
    for (name, values, change) in [
        ("one", vec![1, 9], FileChange::Append),
        ("two", vec![5], FileChange::Overwrite),
        ("three", vec![100], FileChange::Append),
        ("four", vec![], FileChange::Append),
    ] {
        let mut file = write(store, &format!("o/{name}.parquet"), &column(values.clone()));
        if let ([min, ..], [.., max], true) = (&values[..], &values[..], name != "three") {
            file.column_stats = vec![
                stats("a", &min.to_string(), &max.to_string()),
                stats("w", &format!("w{min}"), &format!("w{max}")),
            ];
        }
        let base = store.current_snapshot().await.unwrap();
        store
            .commit_files(id, base, change, vec![file])
            .await
            .unwrap();
    }
}

/// An external table that others must not see, a view they can read, a default they cannot parse.
async fn not_for_others(store: &dyn CatalogStore) {
    let columns = vec![ColumnDef::new("a", arrow::datatypes::DataType::Int32, true)];
    let external = TableKind::External(ExternalTable {
        format: "CSV".to_owned(),
        location: "/nowhere".to_owned(),
        partition_columns: vec![],
        options: [].into(),
        secret: None,
        explicit_columns: false,
    });
    let view = TableKind::View(ViewDef {
        sql: "SELECT a + 1 FROM p".to_owned(),
        column_aliases: vec!["next".to_owned()],
        security: ViewSecurity::Definer,
    });
    let path = format!("{}main/odd/", store.data_path());
    let odd = TableKind::Managed(ManagedTable {
        path,
        partition_columns: vec![],
    });
    let mut odd_columns = columns.clone();
    odd_columns[0].default = Some("@@ nobody parses this (".to_owned());
    for (name, kind, columns) in [
        ("e", external, columns.clone()),
        ("v", view, columns),
        ("odd", odd, odd_columns),
    ] {
        let name = TableName::new("main", name);
        let comment = Some("a comment".to_owned());
        let table = NewTable {
            name,
            kind,
            columns,
            comment,
            owner: None,
        };
        store
            .create_table(table, OnExisting::Fail)
            .await
            .unwrap()
            .unwrap();
    }
    let from = TableName::new("main", "odd");
    store.create_schema("side", false, None).await.unwrap();
    store
        .rename_table(&from, None, &TableName::new("side", "odd"))
        .await
        .unwrap();
}

async fn create(
    store: &dyn CatalogStore,
    name: &str,
    columns: &[(&str, ArrayRef)],
    partition_columns: &[&str],
    files: Vec<NewDataFile>,
) -> i64 {
    let path = format!("{}main/{name}/", store.data_path());
    let partition_columns = partition_columns
        .iter()
        .map(|&column| column.to_owned())
        .collect();
    let columns = columns
        .iter()
        .map(|(name, a)| ColumnDef::new(*name, a.data_type().clone(), true))
        .collect();
    let table = NewTable {
        name: TableName::new("main", name),
        kind: TableKind::Managed(ManagedTable {
            path,
            partition_columns,
        }),
        columns,
        comment: None,
        owner: None,
    };
    let created = store
        .create_table_with_files(table, OnExisting::Fail, files)
        .await;
    created.unwrap().unwrap().id
}

/// Writes a Parquet file below the directory of `main`.
fn write(store: &dyn CatalogStore, path: &str, columns: &[(&str, ArrayRef)]) -> NewDataFile {
    let path = format!("{}main/{path}", store.data_path());
    create_dir_all(Path::new(&path).parent().unwrap()).unwrap();
    let fields: Vec<Field> = columns
        .iter()
        .map(|(name, array)| Field::new(*name, array.data_type().clone(), true))
        .collect();
    let arrays = columns.iter().map(|(_, array)| Arc::clone(array)).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
    let properties = WriterProperties::builder().set_coerce_types(true).build();
    let file = File::create(&path).unwrap();
    let mut writer = ArrowWriter::try_new(file, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let footer = &bytes[bytes.len() - 8..bytes.len() - 4];
    let footer_bytes = u64::from(u32::from_le_bytes(footer.try_into().unwrap()));
    NewDataFile {
        path,
        row_count: batch.num_rows() as u64,
        bytes: bytes.len() as u64,
        footer_bytes,
        partition_values: vec![],
        column_stats: vec![],
    }
}

fn stats(column: &str, min: &str, max: &str) -> FileColumnStats {
    FileColumnStats {
        column: column.to_owned(),
        value_count: 2,
        null_count: 0,
        min: Some(min.to_owned()),
        max: Some(max.to_owned()),
        contains_nan: None,
        bytes: 40,
    }
}
