//! Which columns a schema means.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, make_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow_avro::reader::{Decoder, DecoderMode, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};

/// More rows than are ever decoded between two flushes.
const ROWS_MAX: usize = 1 << 30;

/// Reads data that were written by one schema as another.
pub(super) fn decoder(writer: &str, reader: &str) -> Result<Decoder, ArrowError> {
    let written_by = Fingerprint::Id(0);
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store.set(written_by, AvroSchema::new(writer.to_owned()))?;
    ReaderBuilder::new()
        .with_writer_schema_store(store)
        .with_active_fingerprint(written_by)
        .with_reader_schema(AvroSchema::new(reader.to_owned()))
        .with_decoder_mode(DecoderMode::UnframedDatum)
        .with_batch_size(ROWS_MAX)
        .build_decoder()
}

/// The columns that rows of a schema have; what is wrong with it, otherwise.
pub(super) fn of_schema(reader: &str) -> Result<SchemaRef, String> {
    let decoder = decoder(reader, reader).map_err(|error| format!("it is no Avro schema of a record: {error}"))?;
    let mut fields = Vec::new();
    for field in decoder.schema().fields() {
        let plain = plain(field.data_type()).ok_or_else(|| {
            format!("field `{}` is of a type that no column has ({})", field.name(), field.data_type())
        })?;
        fields.push(Field::new(field.name(), plain, field.is_nullable()));
    }
    if fields.is_empty() {
        return Err("the record has no field".to_owned());
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The type of the column that values of this type become: as for JSON, and dates and bytes besides.
fn plain(data_type: &DataType) -> Option<DataType> {
    match data_type {
        DataType::Utf8
        | DataType::Int32
        | DataType::Int64
        | DataType::Float32
        | DataType::Float64
        | DataType::Boolean
        | DataType::Binary
        | DataType::Date32 => Some(data_type.clone()),
        DataType::Timestamp(_, _) => Some(DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))),
        DataType::Dictionary(_, values) if **values == DataType::Utf8 => Some(DataType::Utf8),
        _ => None,
    }
}

/// Rows with the columns of [`of_schema`].
pub(super) fn conform(rows: &RecordBatch, to: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let columns = rows.columns().iter().zip(to.fields()).map(|(column, field)| match field.data_type() {
        DataType::Timestamp(unit, _) => {
            // Counts from 1970 in UTC, whatever the zone is called.
            let counts = cast(column, &DataType::Timestamp(*unit, zone_of(column)))?;
            Ok(make_array(counts.to_data().into_builder().data_type(field.data_type().clone()).build()?))
        }
        other => cast(column, other),
    });
    RecordBatch::try_new(to.clone(), columns.collect::<Result<Vec<ArrayRef>, ArrowError>>()?)
}

fn zone_of(column: &ArrayRef) -> Option<Arc<str>> {
    match column.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_no_column_can_hold_is_named() {
        let of = |field: &str| {
            of_schema(&format!(r#"{{"type":"record","name":"R","fields":[{{"name":"a","type":{field}}}]}}"#))
        };
        assert!(of(r#"{"type":"array","items":"long"}"#).unwrap_err().contains("field `a`"));
        assert!(of(r#"["int","string"]"#).unwrap_err().contains("field `a`"));
        assert!(of_schema("\"long\"").is_err() && of_schema("{").is_err());
        let time = of(r#"["null",{"type":"long","logicalType":"timestamp-millis"}]"#).unwrap();
        assert_eq!(
            *time.field(0),
            Field::new("a", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true)
        );
        let symbol = of(r#"{"type":"enum","name":"E","symbols":["A","B"]}"#).unwrap();
        assert_eq!(symbol.field(0).data_type(), &DataType::Utf8);
    }
}
