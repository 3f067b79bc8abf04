//! Which rows and columns come out.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, Int64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampMillisecondArray,
};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type, TimeUnit, TimestampMillisecondType};
use sluicegate_core::Roles;

use crate::support::{Folder, Rows, batch, log};

#[test]
fn rows_come_in_file_order_with_dense_offsets_over_files_and_row_groups() {
    let folder = Folder::new();
    folder.write("d/a.parquet", &log(0, 10), 3);
    folder.write("d/b.parquet", &log(10, 0), 3);
    folder.write("d/c.parquet", &log(10, 7), 100);
    let rows = folder.read("path = 'd'\nbatch_rows = 4");
    assert_eq!(rows.offsets, (0..17).collect::<Vec<_>>());
    assert_eq!(rows.records.columns(), log(0, 17).columns());
}

#[test]
fn a_batch_has_at_most_the_rows_asked_for() {
    let folder = Folder::new();
    folder.write("a.parquet", &log(0, 10), 3);
    let mut source = folder.connect("path = 'a.parquet'\nbatch_rows = 4").unwrap();
    let partition = source.partitions().unwrap().remove(0);
    let mut reader = source.open(&partition, None).unwrap();
    let mut lengths = Vec::new();
    while let Some(batch) = reader.next_batch().unwrap() {
        lengths.push((batch.len(), reader.progress().rows_done));
    }
    assert_eq!(lengths, [(4, 4), (4, 8), (2, 10)]);
    assert!(reader.next_batch().unwrap().is_none(), "the end is the end");
}

#[test]
fn only_the_columns_asked_for_come_with_time_and_key_in_file_order_and_with_their_roles() {
    let folder = Folder::new();
    folder.write("a.parquet", &log(0, 4), 4);
    let rows = folder.read("path = 'a.parquet'\ntime = 'ts'\nkey = 'meter'\ncolumns = ['id']");
    let schema = rows.records.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["ts", "meter", "id"]);
    assert_eq!(Roles::of(&schema), Roles { time: Some("ts".into()), key: Some("meter".into()) });
    assert_eq!(rows.records.column(2), log(0, 4).column(3));
}

#[test]
fn files_with_their_columns_in_another_order_are_read_by_name() {
    let folder = Folder::new();
    folder.write("d/a.parquet", &log(0, 3), 3);
    folder.write("d/b.parquet", &log(3, 3).project(&[3, 1, 2, 0]).unwrap(), 3);
    assert_eq!(folder.read("path = 'd'").records.columns(), log(0, 6).columns());
}

#[test]
fn a_column_that_may_be_null_in_a_later_file_may_be_null_in_all() {
    let folder = Folder::new();
    let required: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    folder.write("d/a.parquet", &RecordBatch::try_from_iter([("x", required)]).unwrap(), 2);
    folder.write("d/b.parquet", &batch([("x", Arc::new(Int64Array::from(vec![None, Some(4)])))]), 2);
    let rows = folder.read("path = 'd'");
    assert!(rows.records.schema().field(0).is_nullable());
    assert_eq!(
        rows.records.column(0).as_primitive::<Int64Type>(),
        &Int64Array::from(vec![Some(1), Some(2), None, Some(4)])
    );
}

#[test]
fn an_integer_time_is_handed_on_as_a_timestamp_in_utc() {
    let folder = Folder::new();
    let millis = Int64Array::from(vec![Some(1_483_228_800_000), None, Some(-1)]);
    folder.write("a.parquet", &batch([("t", Arc::new(millis))]), 2);
    let rows = folder.read("path = 'a.parquet'\ntime = 't'\ntime_unit = 'ms'");
    let expected = TimestampMillisecondArray::from(vec![Some(1_483_228_800_000), None, Some(-1)]).with_timezone("UTC");
    assert_eq!(rows.records.column(0).as_primitive::<TimestampMillisecondType>(), &expected);
    let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    assert_eq!(rows.records.schema().field(0).data_type(), &utc);
}

#[test]
fn dictionaries_stay_dictionaries_also_where_row_groups_hold_other_words() {
    let folder = Folder::new();
    let words: DictionaryArray<Int32Type> = ["a", "b", "c", "a", "d", "e"].into_iter().collect();
    folder.write("a.parquet", &batch([("model", Arc::new(words.clone()))]), 2);
    let rows = folder.read("path = 'a.parquet'\nkey = 'model'\nbatch_rows = 5");
    assert_eq!(rows.records.schema().field(0).data_type(), words.data_type());
    let read = rows.records.column(0).as_dictionary::<Int32Type>();
    let read: Vec<_> = read.downcast_dict::<StringArray>().unwrap().into_iter().collect();
    assert_eq!(read, ["a", "b", "c", "a", "d", "e"].map(Some));
}

#[test]
fn nested_columns_pass_through() {
    let folder = Folder::new();
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([
        Some(vec![Some(1), None]),
        None,
        Some(vec![]),
        Some(vec![Some(7)]),
    ]);
    let inner: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3, 4]));
    let pair = StructArray::from(vec![(Arc::new(Field::new("x", DataType::Int64, true)), inner)]);
    let written = batch([
        ("list", Arc::new(list)),
        ("pair", Arc::new(pair)),
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3, 4]))),
    ]);
    folder.write("a.parquet", &written, 3);
    assert_eq!(folder.read("path = 'a.parquet'").records.columns(), written.columns());
    assert_eq!(folder.read("path = 'a.parquet'\ncolumns = ['pair']").records.column(0), written.column(1));
}

#[test]
fn a_file_that_changed_under_a_run_is_refused_and_stays_refused() {
    let folder = Folder::new();
    folder.write("d/a.parquet", &log(0, 4), 4);
    folder.write("d/b.parquet", &log(4, 4), 4);
    let mut source = folder.connect("path = 'd'").unwrap();
    let partition = source.partitions().unwrap().remove(0);
    let mut reader = source.open(&partition, None).unwrap();
    reader.next_batch().unwrap().unwrap();
    folder.write("d/b.parquet", &log(4, 5), 4);
    let error = reader.next_batch().unwrap_err().to_string();
    assert!(error.contains("b.parquet has changed") && error.contains("4 rows and now has 5"), "{error}");
    assert!(reader.next_batch().is_err());
    assert_eq!(reader.progress().rows_done, 4);
}

#[test]
fn a_partition_that_is_not_there_is_refused_with_those_there_are() {
    let folder = Folder::new();
    folder.write("power.parquet", &log(0, 1), 1);
    let mut source = folder.connect("path = 'power.parquet'").unwrap();
    let error = Rows::read(source.as_mut(), &sluicegate_core::PartitionId::new("x"), None).unwrap_err();
    assert_eq!(error.to_string(), "there is no partition `x`; there is `power`");
}
