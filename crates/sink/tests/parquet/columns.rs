//! How columns are written.

use std::fs::File;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, DictionaryArray, Float64Array, Int64Array, ListArray, StringArray, StructArray};
use arrow::datatypes::{DataType, Field, Int32Type, Int64Type};
use parquet::basic::Encoding;
use parquet::file::reader::{FileReader, SerializedFileReader};

use crate::support::{Folder, batch, bind, open, read, rows, table};

#[test]
fn dictionaries_come_back_as_dictionaries_also_where_batches_have_other_words() {
    let folder = Folder::new();
    let factory = folder.bind("row_group_rows = 3");
    let mut sink = open(factory.as_ref(), "p").unwrap();
    let words: [&[Option<&str>]; 3] = [&[Some("a"), Some("b")], &[Some("c"), None], &[Some("a"), Some("d"), Some("b")]];
    let mut first = 0;
    for words in words {
        let mut columns = rows(first, words.len()).columns().to_vec();
        columns[2] = Arc::new(words.iter().copied().collect::<DictionaryArray<Int32Type>>());
        let records = arrow::array::RecordBatch::try_new(rows(0, 0).schema(), columns).unwrap();
        sink.write(&batch(first, records)).unwrap();
        first += words.len();
    }
    sink.finish().unwrap();
    let file = folder.read("part-p-00000.parquet");
    let models = file.column(2).as_dictionary::<Int32Type>();
    let models: Vec<_> = models.downcast_dict::<StringArray>().unwrap().into_iter().collect();
    assert_eq!(models, words.concat());
}

#[test]
fn doubles_get_no_dictionary_and_words_get_one() {
    let folder = Folder::new();
    folder.run("", 100, 10);
    let file = SerializedFileReader::new(File::open(folder.out().join("part-p-00000.parquet")).unwrap()).unwrap();
    let columns = file.metadata().row_group(0).columns();
    let has = |column: usize, encoding| columns[column].encodings().any(|found| found == encoding);
    assert!(has(0, Encoding::DELTA_BINARY_PACKED) && has(1, Encoding::DELTA_BINARY_PACKED));
    assert!(has(2, Encoding::RLE_DICTIONARY));
    assert!(has(3, Encoding::BYTE_STREAM_SPLIT) && !has(3, Encoding::RLE_DICTIONARY));
    assert!(columns[1].statistics().is_some(), "times can be looked for");
}

#[test]
fn nested_columns_come_back() {
    let dir = tempfile::tempdir().unwrap();
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let inner: ArrayRef = Arc::new(Float64Array::from(vec![1.5, f64::NAN, 3.0]));
    let pair = StructArray::from(vec![(Arc::new(Field::new("x", DataType::Float64, true)), inner)]);
    let records = table([("list", Arc::new(list)), ("pair", Arc::new(pair))]);
    let factory = bind(dir.path(), "path = '.'", &records.schema()).unwrap();
    let mut sink = open(factory.as_ref(), "p").unwrap();
    sink.write(&batch(0, records.clone())).unwrap();
    sink.finish().unwrap();
    let read = read(&dir.path().join("part-p-00000.parquet"));
    assert_eq!(read.column(0), records.column(0));
    assert!(read.column(1).as_struct().column(0).as_primitive::<arrow::datatypes::Float64Type>().value(1).is_nan());
}

#[test]
fn rows_with_other_columns_are_refused_and_leave_no_file() {
    let folder = Folder::new();
    let factory = folder.bind("");
    let mut sink = open(factory.as_ref(), "p").unwrap();
    let other = table([("offset", Arc::new(Int64Array::from(vec![1])))]);
    let error = sink.write(&batch(0, other)).unwrap_err().to_string();
    assert!(error.contains("part-p-00000.parquet") && error.contains("mean Float64"), "{error}");
    assert!(folder.names().is_empty());
    assert!(sink.finish().is_err());
}
