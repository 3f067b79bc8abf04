//! Records of separated values (RFC 4180): where one ends, what its fields are, and the row that they make.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use memchr::{memchr, memchr2};

use crate::column::{Cell, Column, fit, shown};
use crate::{BadRecord, DecodeError, Decoder, FieldType, Taken};

/// Which characters have a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dialect {
    /// Between two fields.
    pub delimiter: u8,
    /// Around a field that holds a delimiter, a quote (written twice) or the end of a line; `None` where quotes mean nothing.
    pub quote: Option<u8>,
}

impl Default for Dialect {
    fn default() -> Self {
        Self { delimiter: b',', quote: Some(b'"') }
    }
}

/// One field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvField<'a> {
    /// What it says, without quotes around it.
    pub bytes: Cow<'a, [u8]>,
    /// Whether it had quotes around it.
    pub quoted: bool,
}

impl Dialect {
    /// Where the first record of `bytes` ends: the place of its last line feed. `None` where `bytes` do not hold its end.
    pub fn end_of_record(self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        loop {
            if self.quote.is_some_and(|quote| bytes.get(at) == Some(&quote)) {
                at = self.end_of_quoted(bytes, at)?;
            }
            at += memchr2(self.delimiter, b'\n', bytes.get(at..)?)?;
            if bytes.get(at) == Some(&b'\n') {
                return Some(at);
            }
            at += 1;
        }
    }

    /// The place after the quote that closes the one at `open`.
    fn end_of_quoted(self, bytes: &[u8], open: usize) -> Option<usize> {
        let quote = self.quote?;
        let mut at = open + 1;
        loop {
            at += memchr(quote, bytes.get(at..)?)? + 1;
            if bytes.get(at) != Some(&quote) {
                return Some(at);
            }
            at += 1;
        }
    }

    /// The fields of one record, without the end of its line.
    ///
    /// # Errors
    /// [`BadRecord`] for a quote that is not closed, or one that is followed by something else than a delimiter.
    pub fn fields(self, record: &[u8]) -> Result<Vec<CsvField<'_>>, BadRecord> {
        let mut fields = Vec::new();
        self.each(record, |field| fields.push(field))?;
        Ok(fields)
    }

    fn each<'a>(self, record: &'a [u8], mut take: impl FnMut(CsvField<'a>)) -> Result<(), BadRecord> {
        let mut rest = record;
        let mut number = 1;
        loop {
            let quoted = self.quote.filter(|quote| rest.first() == Some(quote));
            let (bytes, after) = match quoted {
                None => {
                    let end = memchr(self.delimiter, rest).unwrap_or(rest.len());
                    (Cow::Borrowed(&rest[..end]), &rest[end..])
                }
                Some(quote) => {
                    let end = self.end_of_quoted(rest, 0).ok_or_else(|| {
                        BadRecord::new(
                            "undecodable",
                            format!("the quote at the beginning of field {number} is not closed"),
                        )
                    })?;
                    let inner = &rest[1..end - 1];
                    let bytes =
                        if memchr(quote, inner).is_some() { unescaped(inner, quote).into() } else { inner.into() };
                    (bytes, &rest[end..])
                }
            };
            take(CsvField { bytes, quoted: quoted.is_some() });
            match after.split_first() {
                None => return Ok(()),
                Some((next, after)) if *next == self.delimiter => rest = after,
                Some(_) => {
                    let message = format!("field {number} goes on after its closing quote; write a quote in it twice");
                    return Err(BadRecord::new("undecodable", message));
                }
            }
            number += 1;
        }
    }
}

fn unescaped(inner: &[u8], quote: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(inner.len());
    let mut after_quote = false;
    for byte in inner {
        after_quote = *byte == quote && !after_quote;
        if !after_quote {
            bytes.push(*byte);
        }
    }
    bytes
}

/// Makes rows of records. Columns are in the order of their names.
pub struct CsvDecoder {
    dialect: Dialect,
    schema: SchemaRef,
    fields: Vec<(String, FieldType)>,
    columns: Vec<Column>,
    nulls: Vec<Vec<u8>>,
    /// For each field of a record the column that it is for.
    places: Vec<Option<usize>>,
    /// The row at hand.
    row: Vec<Cell>,
    len: usize,
}

impl CsvDecoder {
    /// A decoder of records whose fields are called `names`, in order; those that `schema` does not declare are left out. A field
    /// without quotes that is one of `nulls` is a missing value.
    ///
    /// # Errors
    /// The declared column that `names` lack.
    pub fn new(
        dialect: Dialect,
        schema: &BTreeMap<String, FieldType>,
        names: &[String],
        nulls: &[String],
    ) -> Result<Self, String> {
        let fields: Vec<(String, FieldType)> = schema.iter().map(|(name, field)| (name.clone(), *field)).collect();
        if let Some((missing, _)) = fields.iter().find(|(name, _)| !names.contains(name)) {
            return Err(missing.clone());
        }
        let of_schema = fields.iter().map(|(name, field)| Field::new(name, field.data_type(), true));
        Ok(Self {
            dialect,
            schema: Arc::new(Schema::new(of_schema.collect::<Vec<_>>())),
            columns: fields.iter().map(|(_, field)| Column::new(*field)).collect(),
            nulls: nulls.iter().map(|null| null.as_bytes().to_vec()).collect(),
            places: names.iter().map(|name| fields.iter().position(|(field, _)| field == name)).collect(),
            row: vec![Cell::Missing; fields.len()],
            fields,
            len: 0,
        })
    }
}

impl Decoder for CsvDecoder {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn push(&mut self, payload: Option<&[u8]>) -> Result<(), DecodeError> {
        let record = payload.ok_or_else(BadRecord::empty)?;
        let Self { dialect, fields, nulls, places, row, .. } = self;
        let (mut count, mut misfit) = (0, None);
        dialect.each(record, |field| {
            let place = places.get(count).copied().flatten();
            count += 1;
            let Some((place, (name, of))) = place.and_then(|place| Some((place, fields.get(place)?))) else { return };
            let is_null = !field.quoted && nulls.iter().any(|null| *null == *field.bytes);
            let read = if is_null { Ok(Cell::Missing) } else { read(*of, &field.bytes, name) };
            match read {
                Ok(cell) => {
                    if let Some(to) = row.get_mut(place) {
                        *to = cell;
                    }
                }
                Err(bad) => misfit = misfit.take().or(Some(bad)),
            }
        })?;
        if count != places.len() {
            let message = format!("it has {count} fields, but there are {} columns", places.len());
            return Err(BadRecord::new("undecodable", message).into());
        }
        if let Some(bad) = misfit {
            return Err(bad.into());
        }
        for (column, cell) in self.columns.iter_mut().zip(&self.row) {
            column.append(cell);
        }
        self.len += 1;
        Ok(())
    }

    fn len(&self) -> usize {
        self.len
    }

    fn take(&mut self) -> Result<Taken, ArrowError> {
        self.len = 0;
        let columns = self.columns.iter_mut().map(Column::take).collect();
        Ok(RecordBatch::try_new(self.schema.clone(), columns)?.into())
    }
}

/// The value that a field holds.
fn read(of: FieldType, bytes: &[u8], name: &str) -> Result<Cell, BadRecord> {
    let text =
        std::str::from_utf8(bytes).map_err(|_| BadRecord::new("not-utf8", format!("`{name}` is not valid UTF-8")))?;
    let trimmed = text.trim();
    let cell = match of {
        FieldType::String | FieldType::Timestamp => None,
        FieldType::Float64 | FieldType::Float32 => trimmed.parse().ok().map(Cell::Float),
        FieldType::Boolean if trimmed.eq_ignore_ascii_case("true") => Some(Cell::Bool(true)),
        FieldType::Boolean if trimmed.eq_ignore_ascii_case("false") => Some(Cell::Bool(false)),
        FieldType::Boolean => None,
        _ => trimmed.parse().ok().map(Cell::Int),
    };
    let cell = cell.unwrap_or_else(|| Cell::Text(text.to_owned()));
    let found = shown(&cell);
    fit(of, cell)
        .map_err(|expected| BadRecord::new("wrong-type", format!("`{name}` has to be {expected}, but is {found}")))
}
