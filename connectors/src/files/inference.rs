//! Finds the columns of a location from all of its files.

use std::collections::BTreeMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use object_store::ObjectStore;
use parquet::file::metadata::PageIndexPolicy;
use tokio::task::JoinSet;
use waterbuck_engine::{Error, Result};

use super::file_facts::file_schema;
use super::footers::{FactsRequest, lost, named, shares};
use super::format::Format;
use super::listing::{FileFilter, RawFile, list};
use super::location::{Location, readable};
use super::options::FormatOptions;
use super::partition::{PartitionColumn, discover};
use super::sample;
use super::schema::{MergedColumns, Widening};

/// The columns found in the files of a location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InferredSchema {
    /// File columns, then partition columns.
    pub columns: SchemaRef,
    /// The names of the partition columns.
    pub partition_columns: Vec<String>,
}

/// See [`FileMetadata::infer`](super::metadata::FileMetadata::infer).
pub(super) async fn infer(
    store: &Arc<dyn ObjectStore>,
    format: Format,
    location: &Location,
    options: &BTreeMap<String, String>,
    partition_columns: Option<&[(String, Option<DataType>)]>,
) -> Result<InferredSchema> {
    let options = FormatOptions::parse(format, options)?;
    let filter = FileFilter {
        format,
        extension: options.extension.clone(),
    };
    let files = list(store, location, &filter).await?;
    if files.is_empty() {
        return Err(Error::not_found(format!(
            "location \"{location}\" holds no {format} files to learn the columns from; declare \
             the columns"
        )));
    }
    let partitions = partitions_of(&files, location, partition_columns)?;
    let mut columns = infer_file_columns(store, format, location, options, files).await?;
    // What the directory says wins over a column of the same name inside the file.
    columns.retain(|field| !partitions.iter().any(|p| p.name == *field.name()));
    columns.extend(
        partitions
            .iter()
            .map(|p| Field::new(&p.name, p.data_type.clone(), true)),
    );
    Ok(InferredSchema {
        columns: Arc::new(Schema::new(columns)),
        partition_columns: partitions.into_iter().map(|p| p.name).collect(),
    })
}

fn partitions_of(
    files: &[RawFile],
    location: &Location,
    declared: Option<&[(String, Option<DataType>)]>,
) -> Result<Vec<PartitionColumn>> {
    let named = files.iter().map(|file| {
        (
            file.relative(),
            readable(location.store_url(), &file.meta.location),
        )
    });
    let Some(declared) = declared else {
        return discover(named);
    };
    let discovered = match declared.iter().all(|(_, data_type)| data_type.is_some()) {
        true => Vec::new(),
        false => discover(named)?,
    };
    declared
        .iter()
        .map(|(name, data_type)| {
            let found = discovered
                .iter()
                .find(|c| c.name.eq_ignore_ascii_case(name));
            let data_type = data_type
                .clone()
                .or_else(|| found.map(|c| c.data_type.clone()));
            match data_type {
                Some(data_type) => Ok(PartitionColumn {
                    name: name.clone(),
                    data_type,
                }),
                None => Err(Error::data(format!(
                    "the files of location \"{location}\" do not lie in directories \"{name}=…\""
                ))),
            }
        })
        .collect()
}

async fn infer_file_columns(
    store: &Arc<dyn ObjectStore>,
    format: Format,
    location: &Location,
    options: FormatOptions,
    files: Vec<RawFile>,
) -> Result<Vec<Field>> {
    let widening = if format.is_text() {
        Widening::Guessed
    } else {
        Widening::Stored
    };
    let policy = PageIndexPolicy::Skip;
    let request = FactsRequest::new(store, location, options, None, policy);
    let mut tasks = JoinSet::new();
    for share in shares(files.into_iter().enumerate().collect()) {
        let request = request.clone();
        tasks.spawn(async move { distinct_columns(&request, format, share).await });
    }
    let mut distinct = Vec::new();
    while let Some(done) = tasks.join_next().await {
        distinct.extend(done.map_err(lost)??);
    }
    // The order of the columns is the order of the files, whichever task was first.
    distinct.sort_by_key(|(index, _, _, _)| *index);
    let mut merged = MergedColumns::new(widening);
    for (_, schema, file, times) in &distinct {
        merged.add_times(schema, file, *times)?;
    }
    Ok(merged.finish())
}

type Distinct = (usize, Schema, String, usize);

/// The different schemas of some files: where each was first seen and how often.
async fn distinct_columns(
    request: &FactsRequest,
    format: Format,
    files: Vec<(usize, RawFile)>,
) -> Result<Vec<Distinct>> {
    let mut distinct: Vec<Distinct> = Vec::new();
    for (index, file) in files {
        let meta = &file.meta;
        let schema = match format {
            Format::Parquet => match request.source.fetch(meta, request.policy).await {
                Ok(footer) => file_schema(&footer, &request.options).map(Arc::unwrap_or_clone),
                Err(error) => Err(error),
            },
            _ => sample::columns(&request.source.store, meta, format, &request.options).await,
        };
        let schema = schema.map_err(|error| named(error, &request.source.url, meta, format))?;
        match distinct
            .iter_mut()
            .find(|(_, known, _, _)| *known == schema)
        {
            Some((_, _, _, times)) => *times += 1,
            None => {
                let name = readable(&request.source.url, &meta.location);
                distinct.push((index, schema, name, 1));
            }
        }
    }
    Ok(distinct)
}
