//! Rows as JSON lines: one object per row, its members in the order of the columns.

use std::io::{self, Write};

use arrow::array::{Array, RecordBatch};
use serde_json::to_writer;

use super::value::{Value, value};

/// Appends row `row` as one line.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write_row(rows: &RecordBatch, columns: &[usize], row: usize, out: &mut Vec<u8>) -> io::Result<()> {
    let schema = rows.schema_ref();
    let members = columns.iter().map(|column| (schema.field(*column).name(), rows.column(*column).as_ref()));
    write_object(members, row, out)?;
    out.push(b'\n');
    Ok(())
}

/// Appends one value.
///
/// # Errors
/// Those of `out`.
pub(crate) fn write_value(value: &Value<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(value) => write!(out, "{value}")?,
        Value::Int(value) => write!(out, "{value}")?,
        Value::UInt(value) => write!(out, "{value}")?,
        // A number that is not finite has no place in JSON; serde_json writes `null`.
        Value::Float32(value) => to_writer(out, value)?,
        Value::Float64(value) => to_writer(out, value)?,
        Value::Text(value) => to_writer(out, value)?,
        Value::List(elements) => write_list(elements.as_ref(), out)?,
        Value::Struct(array, row) => {
            let members = array.fields().iter().zip(array.columns());
            write_object(members.map(|(field, column)| (field.name(), column.as_ref())), *row, out)?;
        }
    }
    Ok(())
}

fn write_list(elements: &dyn Array, out: &mut Vec<u8>) -> io::Result<()> {
    out.push(b'[');
    for element in 0..elements.len() {
        if element > 0 {
            out.push(b',');
        }
        write_value(&value(elements, element), out)?;
    }
    out.push(b']');
    Ok(())
}

fn write_object<'a>(
    members: impl Iterator<Item = (&'a String, &'a dyn Array)>,
    row: usize,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    out.push(b'{');
    for (place, (name, column)) in members.enumerate() {
        if place > 0 {
            out.push(b',');
        }
        to_writer(&mut *out, name)?;
        out.push(b':');
        write_value(&value(column, row), out)?;
    }
    out.push(b'}');
    Ok(())
}
