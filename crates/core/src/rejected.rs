//! Records that could not become rows, or rows that may not go on: what a dead letter says.

use std::sync::{Arc, LazyLock};

use arrow::array::builder::{BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;

use crate::{Offset, PartitionId};

/// One record that goes to the dead letters instead of on through the pipeline.
///
/// It is counted, and it keeps its place: a position after it counts it as done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The source that the record came from, or the operator that refused its row.
    pub component: String,
    /// The partition that it is of.
    pub partition: PartitionId,
    /// Its offset there.
    pub offset: Offset,
    /// Why, in one or two words that can be grouped by, such as `undecodable`.
    pub reason: &'static str,
    /// Why, in full.
    pub message: String,
    /// When it was written or happened, in microseconds since 1970-01-01T00:00:00Z, where that is known.
    pub time_us: Option<i64>,
    /// The key's original bytes.
    pub key: Option<Vec<u8>>,
    /// The original bytes; of a row that an operator refused, the row as a JSON object, or the bytes of the one value at fault where
    /// JSON cannot hold them.
    pub payload: Option<Vec<u8>>,
    /// Headers, in order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

static SCHEMA: LazyLock<SchemaRef> = LazyLock::new(|| {
    let time = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        Field::new("component", DataType::Utf8, false),
        Field::new("partition", DataType::Utf8, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("reason", DataType::Utf8, false),
        Field::new("message", DataType::Utf8, false),
        Field::new("time", time, true),
        Field::new("key", DataType::Binary, true),
        Field::new("payload", DataType::Binary, true),
        Field::new("headers", DataType::List(Arc::new(Field::new("item", header_type(), true))), true),
    ]))
});

fn header_fields() -> Fields {
    Fields::from(vec![Field::new("name", DataType::Utf8, false), Field::new("value", DataType::Binary, true)])
}

fn header_type() -> DataType {
    DataType::Struct(header_fields())
}

impl Rejected {
    /// The columns of dead letters: `component`, `partition`, `offset`, `reason`, `message`, `time`, `key`, `payload` and
    /// `headers` (a list of `name` and `value`).
    pub fn schema() -> SchemaRef {
        SCHEMA.clone()
    }

    /// Dead letters as rows, in the order given.
    ///
    /// # Errors
    /// When they are too many or too large for one table.
    pub fn to_records(letters: &[Self]) -> Result<RecordBatch, ArrowError> {
        let text = |of: fn(&Self) -> &str| Arc::new(StringArray::from_iter_values(letters.iter().map(of))) as ArrayRef;
        let mut key = BinaryBuilder::new();
        let mut payload = BinaryBuilder::new();
        for letter in letters {
            key.append_option(letter.key.as_deref());
            payload.append_option(letter.payload.as_deref());
        }
        let times = TimestampMicrosecondArray::from_iter(letters.iter().map(|letter| letter.time_us));
        let offsets = Int64Array::from_iter_values(letters.iter().map(|letter| letter.offset.0));
        RecordBatch::try_new(
            Self::schema(),
            vec![
                text(|letter| &letter.component),
                text(|letter| letter.partition.as_str()),
                Arc::new(offsets),
                text(|letter| letter.reason),
                text(|letter| &letter.message),
                Arc::new(times.with_timezone("UTC")),
                Arc::new(key.finish()),
                Arc::new(payload.finish()),
                Self::header_column(letters.iter().map(|letter| letter.headers.as_slice())),
            ],
        )
    }

    /// The headers of some records as a column of the type that dead letters have: a list of `name` and `value` each.
    pub fn header_column<'a>(records: impl Iterator<Item = &'a [(String, Option<Vec<u8>>)]>) -> ArrayRef {
        let mut headers = ListBuilder::new(StructBuilder::from_fields(header_fields(), 0));
        for record in records {
            for (name, value) in record {
                let header = headers.values();
                if let Some(names) = header.field_builder::<StringBuilder>(0) {
                    names.append_value(name);
                }
                if let Some(values) = header.field_builder::<BinaryBuilder>(1) {
                    values.append_option(value.as_deref());
                }
                header.append(true);
            }
            headers.append(true);
        }
        Arc::new(headers.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_become_rows_with_their_original_bytes() {
        let letter = Rejected {
            component: "events".into(),
            partition: PartitionId::new("trades-0"),
            offset: Offset(7),
            reason: "undecodable",
            message: "no JSON".into(),
            time_us: Some(1),
            key: None,
            payload: Some(vec![0xff, 0]),
            headers: vec![("a".into(), None), ("b".into(), Some(vec![1]))],
        };
        let rows = Rejected::to_records(&[letter.clone(), Rejected { headers: Vec::new(), ..letter }]).unwrap();
        assert_eq!(rows.num_rows(), 2);
        let payload = arrow::array::AsArray::as_binary::<i32>(rows.column(7));
        assert_eq!(payload.value(0), [0xff, 0]);
        let headers = arrow::array::AsArray::as_list::<i32>(rows.column(8));
        assert_eq!((headers.value_length(0), headers.value_length(1)), (2, 0));
    }
}
