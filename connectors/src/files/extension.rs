//! What file tables add to every session, and what one query's tasks share of them on a node.

use std::sync::Arc;

use datafusion::execution::SessionStateBuilder;
use datafusion_distributed::DistributedExt;
use waterbuck_engine::session::Extension;

use super::scan_codec::FileScanCodec;
use super::scan_split::scale_up_file_scan;
use super::write::WriteFilesCodec;

/// Makes sessions able to split, send and read back scans and writes of files.
#[derive(Debug, Default)]
pub struct FilesExtension;

impl Extension for FilesExtension {
    fn configure(&self, builder: SessionStateBuilder) -> SessionStateBuilder {
        builder
            .with_distributed_user_codec_arc(Arc::new(FileScanCodec::default()))
            .with_distributed_user_codec_arc(Arc::new(WriteFilesCodec))
            .with_distributed_scale_up_leaf_node_handler(scale_up_file_scan)
    }
}
