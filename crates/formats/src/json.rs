//! JSON objects, read straight into columns.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::column::{Cell, Column, fit, shown};
use crate::{BadRecord, DecodeError, Decoder, FieldType, Taken};

/// Reads one object per payload. A row is appended only when all of it has been read, so a bad one leaves nothing behind.
pub(crate) struct JsonDecoder {
    schema: SchemaRef,
    fields: Vec<(String, FieldType)>,
    columns: Vec<Column>,
    /// The row at hand.
    row: Vec<Cell>,
    len: usize,
}

impl JsonDecoder {
    pub(crate) fn new(schema: &BTreeMap<String, FieldType>) -> Self {
        let fields: Vec<(String, FieldType)> = schema.iter().map(|(name, field)| (name.clone(), *field)).collect();
        let of_schema = fields.iter().map(|(name, field)| Field::new(name, field.data_type(), true));
        Self {
            schema: Arc::new(Schema::new(of_schema.collect::<Vec<_>>())),
            columns: fields.iter().map(|(_, field)| Column::new(*field)).collect(),
            row: vec![Cell::Missing; fields.len()],
            fields,
            len: 0,
        }
    }
}

impl Decoder for JsonDecoder {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn push(&mut self, payload: Option<&[u8]>) -> Result<(), DecodeError> {
        let payload = payload.ok_or_else(BadRecord::empty)?;
        self.row.fill(Cell::Missing);
        let mut misfit = None;
        let mut input = serde_json::Deserializer::from_slice(payload);
        let object = Object { fields: &self.fields, row: &mut self.row, misfit: &mut misfit };
        let read = input.deserialize_map(object).and_then(|()| input.end());
        if let Some(message) = misfit {
            return Err(BadRecord::new("wrong-type", message).into());
        }
        read.map_err(|error| BadRecord::new("undecodable", format!("it is no JSON object: {error}")))?;
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

/// The members of one object.
struct Object<'a> {
    fields: &'a [(String, FieldType)],
    row: &'a mut [Cell],
    /// What does not fit its column.
    misfit: &'a mut Option<String>,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        // Members mostly come in one order, so the one after the last that was found is looked at first.
        let mut likely = 0;
        while let Some(place) = members.next_key_seed(Name { fields: self.fields, likely })? {
            let Some(place) = place else {
                members.next_value::<IgnoredAny>()?;
                continue;
            };
            likely = place + 1;
            let value = members.next_value_seed(Value)?;
            let (name, field) = &self.fields[place];
            let found = shown(&value);
            match fit(*field, value) {
                Ok(cell) => self.row[place] = cell,
                Err(expected) => {
                    let message = format!("`{name}` has to be {expected}, but is {found}");
                    *self.misfit = Some(message.clone());
                    return Err(A::Error::custom(message));
                }
            }
        }
        Ok(())
    }
}

/// The place of the column that a member is for.
struct Name<'a> {
    fields: &'a [(String, FieldType)],
    likely: usize,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Self::Value, D::Error> {
        input.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        if self.fields.get(self.likely).is_some_and(|(field, _)| field == name) {
            return Ok(Some(self.likely));
        }
        Ok(self.fields.iter().position(|(field, _)| field == name))
    }
}

/// A plain value; lists and objects are refused.
struct Value;

impl<'de> DeserializeSeed<'de> for Value {
    type Value = Cell;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Cell, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true, false or null")
    }

    fn visit_unit<E>(self) -> Result<Cell, E> {
        Ok(Cell::Missing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Cell, E> {
        Ok(Cell::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Cell, E> {
        Ok(Cell::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Cell, E> {
        // Beyond 63 bits it is still a number, if no whole one of ours.
        Ok(i64::try_from(value).map_or(Cell::Float(value as f64), Cell::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Cell, E> {
        Ok(Cell::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Cell, E> {
        Ok(Cell::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Cell, A::Error> {
        Err(A::Error::custom("a column cannot hold a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, _: A) -> Result<Cell, A::Error> {
        Err(A::Error::custom("a column cannot hold an object"))
    }
}
