//! Payloads that are one value as they are.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use crate::{BadRecord, DecodeError, Decoder, Taken};

/// Text or bytes.
pub(crate) struct PlainDecoder {
    schema: SchemaRef,
    rows: Rows,
    len: usize,
}

enum Rows {
    Text(StringBuilder),
    Bytes(BinaryBuilder),
}

impl PlainDecoder {
    pub(crate) fn text() -> Self {
        Self::new(DataType::Utf8, Rows::Text(StringBuilder::new()))
    }

    pub(crate) fn bytes() -> Self {
        Self::new(DataType::Binary, Rows::Bytes(BinaryBuilder::new()))
    }

    fn new(data_type: DataType, rows: Rows) -> Self {
        Self { schema: Arc::new(Schema::new(vec![Field::new("value", data_type, false)])), rows, len: 0 }
    }
}

impl Decoder for PlainDecoder {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn push(&mut self, payload: Option<&[u8]>) -> Result<(), DecodeError> {
        let payload = payload.ok_or_else(BadRecord::empty)?;
        match &mut self.rows {
            Rows::Text(rows) => {
                let text = std::str::from_utf8(payload)
                    .map_err(|error| BadRecord::new("not-utf8", format!("it is no UTF-8 text: {error}")))?;
                rows.append_value(text);
            }
            Rows::Bytes(rows) => rows.append_value(payload),
        }
        self.len += 1;
        Ok(())
    }

    fn len(&self) -> usize {
        self.len
    }

    fn take(&mut self) -> Result<Taken, ArrowError> {
        self.len = 0;
        let column: ArrayRef = match &mut self.rows {
            Rows::Text(rows) => Arc::new(rows.finish()),
            Rows::Bytes(rows) => Arc::new(rows.finish()),
        };
        Ok(RecordBatch::try_new(self.schema.clone(), vec![column])?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_none_is_refused_and_leaves_its_neighbours_alone() {
        let mut decoder = PlainDecoder::text();
        decoder.push(Some(b"a")).unwrap();
        let reason = |pushed: Result<(), DecodeError>| match pushed {
            Err(DecodeError::Bad(bad)) => bad.reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(decoder.push(Some(&[0xff]))), "not-utf8");
        assert_eq!(reason(decoder.push(None)), "empty");
        decoder.push(Some("ü".as_bytes())).unwrap();
        let rows = decoder.take().unwrap().rows;
        let column = arrow::array::AsArray::as_string::<i32>(rows.column(0));
        assert_eq!(column.iter().flatten().collect::<Vec<_>>(), ["a", "ü"]);
        assert!(decoder.is_empty());
    }
}
