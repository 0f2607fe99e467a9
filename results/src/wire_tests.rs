//! What the wire types do to data.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryViewArray, Decimal64Array, DictionaryArray, Int32Array,
    LargeListArray, ListViewArray, RecordBatch, StringViewArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Fields, Int32Type, Schema};

use crate::wire::{expanded_bytes, wire_batch, wire_schema};

#[test]
fn plain_columns_are_shared_not_copied() {
    let schema = Arc::new(Schema::new(vec![Field::new("a", DataType::Int32, true)]));
    assert!(Arc::ptr_eq(&schema, &wire_schema(Arc::clone(&schema))));
    let column = Arc::new(Int32Array::from(vec![1, 2])) as ArrayRef;
    let batch = RecordBatch::try_new(Arc::clone(&schema), vec![Arc::clone(&column)]).unwrap();
    let wire = wire_batch(&batch, &schema).unwrap();
    assert!(Arc::ptr_eq(wire.column(0), &column));
}

#[test]
fn views_dictionaries_and_list_views_become_plain_at_any_depth() {
    let views = Arc::new(StringViewArray::from(vec![
        Some("a long text out of line"),
        None,
    ]));
    let binaries = Arc::new(BinaryViewArray::from(vec![Some(&b"x"[..]), None]));
    let dictionary: DictionaryArray<Int32Type> = vec![Some("a"), None].into_iter().collect();
    let lists = ListViewArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None]);
    let large = LargeListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None]);
    let view_field = Arc::new(Field::new("item", DataType::Utf8View, true));
    let view_lists = cast(
        &(Arc::clone(&views) as ArrayRef),
        &DataType::List(view_field),
    )
    .unwrap();
    let narrow = Decimal64Array::from(vec![Some(150), None]).with_precision_and_scale(5, 2);
    let fields = Fields::from(vec![Field::new("s", DataType::Utf8View, true)]);
    let nested = StructArray::new(fields, vec![Arc::clone(&views) as ArrayRef], None);
    let columns: Vec<ArrayRef> = vec![
        views,
        binaries,
        Arc::new(dictionary),
        Arc::new(lists),
        Arc::new(large),
        view_lists,
        Arc::new(narrow.unwrap()),
        Arc::new(nested),
    ];
    let fields: Vec<_> = columns
        .iter()
        // Double names must survive.
        .map(|column| Field::new("x", column.data_type().clone(), true))
        .collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    let wire = wire_batch(&batch, &wire_schema(batch.schema())).unwrap();
    for (plain, before) in wire.columns().iter().zip(batch.columns()) {
        let type_text = plain.data_type().to_string();
        assert!(
            ["View", "Dictionary", "Large"]
                .iter()
                .all(|word| !type_text.contains(word)),
            "{type_text}"
        );
        let back = cast(plain, before.data_type()).unwrap();
        assert_eq!(back.to_data(), before.to_data(), "{type_text}");
    }
    assert_eq!(
        wire.column(0).as_string::<i32>().value(0),
        "a long text out of line"
    );
    assert_eq!(wire.column(6).data_type(), &DataType::Decimal128(5, 2));
    assert_eq!(wire.schema().field(1).name(), "x");
}

#[test]
fn what_views_grow_to_is_known_before_they_are_cast() {
    let text = "0123456789abcdef";
    let column = Arc::new(StringViewArray::from(vec![text; 10])) as ArrayRef;
    let batch = RecordBatch::try_from_iter([("s", column)]).unwrap();
    assert_eq!(expanded_bytes(&batch), 160);
    assert_eq!(expanded_bytes(&batch.slice(2, 3)), 48);
}
