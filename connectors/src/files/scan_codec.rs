//! Sends the scans of file tables to executors in messages that do not grow with the files.
//!
//! DataFusion's own form repeats paths and statistics per file and loses what it has no field for:
//! compression, kinds of Arrow files, limits beyond 32 bits. Here the plan travels without its
//! files, which follow in the compact form of `file_list`.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::physical_plan::{
    FileGroup, FileScanConfig, FileScanConfigBuilder, FileSource, JsonSource, ParquetSource,
};
use datafusion::datasource::source::DataSourceExec;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion_proto::physical_plan::{
    DefaultPhysicalExtensionCodec, PhysicalExtensionCodec, PhysicalPlanDecodeContext,
    PhysicalProtoConverterExtension,
};
use datafusion_proto::protobuf::PhysicalPlanNode;
use prost::Message;

use super::file_list::{pack, unpack};
use super::format::Format;
use super::options::FormatOptions;
use super::parquet_source::ParquetTableSource;
use super::regroup::without_files;
use super::row_source::RowSource;

/// Encodes and decodes the scans of [`FileTable`](super::FileTable); declines all other nodes.
#[derive(Debug)]
pub struct FileScanCodec {
    /// Serves functions and expressions inside filters and projections.
    expressions: Arc<dyn PhysicalExtensionCodec>,
}

impl Default for FileScanCodec {
    fn default() -> Self {
        Self {
            expressions: Arc::new(DefaultPhysicalExtensionCodec {}),
        }
    }
}

impl FileScanCodec {
    /// A codec that leaves functions and expressions inside scans to another one.
    pub fn new(expressions: Arc<dyn PhysicalExtensionCodec>) -> Self {
        Self { expressions }
    }
}

#[derive(Clone, PartialEq, prost::Message)]
struct ScanMessage {
    #[prost(string, tag = "1")]
    format: String,
    /// The options of the table.
    #[prost(map = "string, string", tag = "2")]
    options: HashMap<String, String>,
    /// The scan with empty file groups, as DataFusion writes it.
    #[prost(bytes = "vec", tag = "3")]
    plan: Vec<u8>,
    #[prost(uint64, optional, tag = "4")]
    limit: Option<u64>,
    #[prost(bool, tag = "5")]
    preserve_order: bool,
    #[prost(bytes = "vec", tag = "6")]
    files: Vec<u8>,
}

/// The file scan inside a plan node, if it is one of ours.
pub(super) fn our_scan(plan: &dyn ExecutionPlan) -> Option<&FileScanConfig> {
    let scan = plan.downcast_ref::<DataSourceExec>()?;
    let config = scan.data_source().downcast_ref::<FileScanConfig>()?;
    let source = config.file_source();
    (source.is::<ParquetTableSource>() || source.is::<RowSource>()).then_some(config)
}

impl PhysicalExtensionCodec for FileScanCodec {
    fn try_encode(
        &self,
        node: Arc<dyn ExecutionPlan>,
        buf: &mut Vec<u8>,
        proto_converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<()> {
        let Some(config) = our_scan(node.as_ref()) else {
            return Err(DataFusionError::NotImplemented(format!(
                "{} is not a scan of a file table",
                node.name()
            )));
        };
        let (format, options, source) = portable_source(config)?;
        let no_files = vec![FileGroup::new(Vec::new()); config.file_groups.len()];
        let portable = without_files(config)
            .with_source(source)
            .with_limit(None)
            .with_file_groups(no_files)
            .build();
        let plan: Arc<dyn ExecutionPlan> = DataSourceExec::from_data_source(portable);
        let plan = proto_converter.execution_plan_to_proto(&plan, self.expressions.as_ref())?;
        let message = ScanMessage {
            format: format.name().to_string(),
            options: options.into_iter().collect(),
            plan: plan.encode_to_vec(),
            limit: config.limit.map(|limit| limit as u64),
            preserve_order: config.preserve_order,
            files: pack(&config.file_groups)?,
        };
        message
            .encode(buf)
            .map_err(|error| DataFusionError::External(Box::new(error)))
    }

    fn try_decode(
        &self,
        buf: &[u8],
        _inputs: &[Arc<dyn ExecutionPlan>],
        ctx: &TaskContext,
        proto_converter: &dyn PhysicalProtoConverterExtension,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let damaged = |what: &dyn std::fmt::Display| {
            DataFusionError::Internal(format!("a file scan arrived damaged: {what}"))
        };
        let message = ScanMessage::decode(buf).map_err(|error| damaged(&error))?;
        let plan =
            PhysicalPlanNode::decode(message.plan.as_slice()).map_err(|error| damaged(&error))?;
        let decode_ctx = PhysicalPlanDecodeContext::new(ctx, self.expressions.as_ref());
        let plan = proto_converter.proto_to_execution_plan(&plan, &decode_ctx)?;
        let config = plan
            .downcast_ref::<DataSourceExec>()
            .and_then(|scan| scan.data_source().downcast_ref::<FileScanConfig>())
            .ok_or_else(|| damaged(&"it holds no scan"))?;
        let format: Format = message.format.parse()?;
        let options: BTreeMap<String, String> = message.options.into_iter().collect();
        let options = FormatOptions::parse(format, &options)?;
        let source = our_source(config, format, options, ctx)?;
        let limit = message.limit.map(usize::try_from).transpose();
        let rebuilt = FileScanConfigBuilder::from(config.clone())
            .with_source(source)
            .with_file_groups(unpack(&message.files)?)
            .with_limit(limit.map_err(|error| damaged(&error))?)
            .with_preserve_order(message.preserve_order)
            .build();
        Ok(DataSourceExec::from_data_source(rebuilt))
    }
}

type Portable = (Format, BTreeMap<String, String>, Arc<dyn FileSource>);

/// A source DataFusion can write down, with the same columns, projection and filter.
///
/// For row formats any such source will do, as the real one is made anew from the options.
fn portable_source(config: &FileScanConfig) -> Result<Portable> {
    let source = config.file_source();
    if let Some(parquet) = source.downcast_ref::<ParquetTableSource>() {
        return Ok((
            Format::Parquet,
            BTreeMap::new(),
            Arc::clone(parquet.inner()),
        ));
    }
    let rows = source.downcast_ref::<RowSource>().ok_or_else(|| {
        DataFusionError::Internal("a file scan lost its source while it was sent".into())
    })?;
    let carrier: Arc<dyn FileSource> = Arc::new(JsonSource::new(rows.table_schema().clone()));
    let carrier = match rows.projection() {
        Some(projection) => carrier
            .try_pushdown_projection(projection)?
            .unwrap_or(carrier),
        None => carrier,
    };
    Ok((rows.format, rows.options.given.clone(), carrier))
}

fn our_source(
    config: &FileScanConfig,
    format: Format,
    options: FormatOptions,
    ctx: &TaskContext,
) -> Result<Arc<dyn FileSource>> {
    let source = config.file_source();
    if format == Format::Parquet {
        let parquet = source.downcast_ref::<ParquetSource>().ok_or_else(|| {
            DataFusionError::Internal("a Parquet scan arrived without a Parquet source".into())
        })?;
        let footers = ctx.runtime_env().cache_manager.get_file_metadata_cache();
        let hint = parquet.table_parquet_options().global.metadata_size_hint;
        let mut parquet = parquet.clone();
        if let Some(hint) = hint {
            parquet = parquet.with_metadata_size_hint(hint);
        }
        return Ok(Arc::new(ParquetTableSource::new(parquet, Some(footers))));
    }
    let rows = RowSource::new(format, Arc::new(options), source.table_schema().clone());
    Ok(Arc::new(match source.projection() {
        Some(projection) => rows.with_projection(projection),
        None => rows,
    }))
}
