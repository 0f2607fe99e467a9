//! One stream of several.

use arrow::datatypes::SchemaRef;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use futures::StreamExt;

/// The rows of all `partitions`, which are read beside one another, as they come. The first error
/// ends them; dropping the stream stops them all.
pub fn merged(
    schema: SchemaRef,
    partitions: Vec<SendableRecordBatchStream>,
) -> SendableRecordBatchStream {
    let mut builder = RecordBatchReceiverStreamBuilder::new(schema, partitions.len().max(1));
    for mut rows in partitions {
        let sender = builder.tx();
        builder.spawn(async move {
            while let Some(batch) = rows.next().await {
                if sender.send(batch).await.is_err() {
                    break;
                }
            }
            Ok(())
        });
    }
    builder.build()
}
