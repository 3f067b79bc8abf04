//! Arrow IPC: each payload is a stream of its own, with the schema and one row.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, make_array, new_null_array};
use arrow::buffer::Buffer;
use arrow::compute::{CastOptions, can_cast_types, cast_with_options, concat_batches};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use sluicegate_core::BoxError;

use crate::{BadRecord, DecodeError, Decoder, Encoded, Encoder, FieldType, Taken};

/// Reads one row a payload; its columns are found by name.
pub(crate) struct IpcDecoder {
    columns: SchemaRef,
    rows: Vec<RecordBatch>,
}

impl IpcDecoder {
    pub(crate) fn new(schema: &BTreeMap<String, FieldType>) -> Self {
        let fields = schema.iter().map(|(name, field)| Field::new(name, field.data_type(), true));
        Self { columns: Arc::new(Schema::new(fields.collect::<Vec<_>>())), rows: Vec::new() }
    }

    fn read(&self, payload: &[u8]) -> Result<RecordBatch, BadRecord> {
        let undecodable = |message: String| BadRecord::new("undecodable", format!("it is no Arrow stream: {message}"));
        // Nothing is allocated by a length that the payload claims: this decoder waits for bytes that never come instead.
        let mut decoder = StreamDecoder::new();
        let mut left = Buffer::from(payload);
        let mut row = None;
        while !left.is_empty() {
            // A hostile payload may be one that Arrow panics at.
            let decoded = catch_unwind(AssertUnwindSafe(|| decoder.decode(&mut left)));
            let found = match decoded {
                Ok(found) => found.map_err(|error| undecodable(error.to_string()))?,
                Err(_) => return Err(undecodable("its parts contradict each other".to_owned())),
            };
            match (found, &row) {
                (None, _) => {}
                (Some(rows), None) if rows.num_rows() == 1 => row = Some(rows),
                (Some(rows), _) => {
                    return Err(undecodable(format!(
                        "it holds {} more rows than the one of a record",
                        rows.num_rows()
                    )));
                }
            }
        }
        decoder.finish().map_err(|error| undecodable(error.to_string()))?;
        let row = row.ok_or_else(|| undecodable("it ends before its first row".to_owned()))?;
        self.conform(&row)
    }

    fn conform(&self, row: &RecordBatch) -> Result<RecordBatch, BadRecord> {
        let columns = self.columns.fields().iter().map(|field| match row.column_by_name(field.name()) {
            None => Ok(new_null_array(field.data_type(), 1)),
            Some(column) => fit(column, field.data_type())
                .map_err(|message| BadRecord::new("wrong-type", format!("`{}` {message}", field.name()))),
        });
        let columns = columns.collect::<Result<Vec<ArrayRef>, BadRecord>>()?;
        RecordBatch::try_new(self.columns.clone(), columns)
            .map_err(|error| BadRecord::new("undecodable", error.to_string()))
    }
}

fn fit(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    let has = column.data_type();
    let wrong = || format!("holds {has}, which cannot become {to}");
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    match (has, to) {
        // A time without a zone is taken as UTC: the same count, under the name of the zone.
        (DataType::Timestamp(_, None) | DataType::Date32 | DataType::Date64, DataType::Timestamp(unit, Some(_))) => {
            let plain = cast_with_options(column, &DataType::Timestamp(*unit, None), &strict);
            let plain = plain.map_err(|error| error.to_string())?;
            let data = plain.to_data().into_builder().data_type(to.clone()).build();
            data.map(make_array).map_err(|error| error.to_string())
        }
        // Text is no number, however it looks.
        (DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View, to) if *to != DataType::Utf8 => Err(wrong()),
        (has, DataType::Utf8) if !is_text(has) => Err(wrong()),
        _ if !can_cast_types(has, to) => Err(wrong()),
        _ => cast_with_options(column, to, &strict).map_err(|error| error.to_string()),
    }
}

fn is_text(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => is_text(values),
        other => matches!(other, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View),
    }
}

impl Decoder for IpcDecoder {
    fn schema(&self) -> SchemaRef {
        self.columns.clone()
    }

    fn push(&mut self, payload: Option<&[u8]>) -> Result<(), DecodeError> {
        let row = self.read(payload.ok_or_else(BadRecord::empty)?)?;
        self.rows.push(row);
        Ok(())
    }

    fn len(&self) -> usize {
        self.rows.len()
    }

    fn take(&mut self) -> Result<Taken, ArrowError> {
        let rows = std::mem::take(&mut self.rows);
        Ok(concat_batches(&self.columns, &rows)?.into())
    }
}

/// Writes each row as a stream of its own.
pub(crate) struct IpcEncoder;

impl Encoder for IpcEncoder {
    fn encode(&mut self, rows: &RecordBatch) -> Result<Encoded, BoxError> {
        let (mut bytes, mut ends) = (Vec::new(), Vec::with_capacity(rows.num_rows()));
        for row in 0..rows.num_rows() {
            let mut writer = StreamWriter::try_new(&mut bytes, rows.schema_ref())?;
            writer.write(&rows.slice(row, 1))?;
            writer.finish()?;
            drop(writer);
            ends.push(bytes.len());
        }
        Ok(Encoded::new(bytes, ends))
    }
}
