//! The operator's way to the executors.

use std::sync::Arc;

use datafusion::execution::TaskContext;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coalesce_partitions::CoalescePartitionsExec;
use datafusion_proto::bytes::{
    physical_plan_from_bytes_with_extension_codec, physical_plan_to_bytes_with_extension_codec,
};
use datafusion_proto::physical_plan::{DefaultPhysicalProtoConverter, PhysicalExtensionCodec};

use super::super::{WriteFilesCodec, WriteFilesExec};
use super::setup::{Table, rows};

#[test]
fn a_plan_arrives_as_it_was_sent() {
    let mut target = Table::new().partitioned(&["k"]);
    target
        .options
        .insert("compression".to_owned(), "snappy".to_owned());
    target.staging = false;
    target.target_file_bytes = 77;
    let empty = datafusion::physical_plan::empty::EmptyExec::new(rows(&[]).schema());
    let plan = WriteFilesExec::try_new(Arc::new(empty), Arc::new(target.clone())).unwrap();
    let plan: Arc<dyn ExecutionPlan> = Arc::new(CoalescePartitionsExec::new(Arc::new(plan)));
    let bytes = physical_plan_to_bytes_with_extension_codec(plan, &WriteFilesCodec).unwrap();
    let context = TaskContext::default();
    let decoded =
        physical_plan_from_bytes_with_extension_codec(&bytes, &context, &WriteFilesCodec).unwrap();
    let decoded = Arc::clone(decoded.children()[0]);
    let decoded = decoded.downcast_ref::<WriteFilesExec>().unwrap();
    assert_eq!(**decoded.target(), target);
    assert_eq!(decoded.schema(), WriteFilesExec::output_schema());
}

#[test]
fn other_operators_are_declined() {
    let empty = datafusion::physical_plan::empty::EmptyExec::new(rows(&[]).schema());
    let mut bytes = Vec::new();
    let converter = DefaultPhysicalProtoConverter {};
    WriteFilesCodec
        .try_encode(Arc::new(empty), &mut bytes, &converter)
        .unwrap_err();
    assert!(bytes.is_empty());
    let context = TaskContext::default();
    WriteFilesCodec
        .try_decode(b"other", &[], &context, &converter)
        .unwrap_err();
}
