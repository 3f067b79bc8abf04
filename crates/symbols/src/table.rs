//! The output: symbols with the rows that they are of, in tables of bounded size.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Builder, RecordBatch, StringBuilder, UInt16Builder, UInt64Array};
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use sluicegate_core::Roles;

use crate::alphabet::Symbol;
use crate::config::Plan;
use crate::error::SymbolsError;

/// The columns that are made here.
pub(crate) const OWN_COLUMNS: [&str; 3] = ["offset", "position", "symbol"];

/// Rows of a table, at most: as many as spread what is fixed per batch, and no more than a forecast works on in one go.
pub(crate) const ROWS_MAX: usize = 4096;
/// Bytes of text in a table, beyond which no symbol is added: tokens may be long.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// The columns, in order: those that are kept, `offset`, `position`, `symbol`.
pub(crate) fn schema(plan: &Plan, input: &Schema) -> SchemaRef {
    let kept = plan.keep.iter().filter_map(|name| input.field_with_name(name).ok().cloned());
    let own = [
        Field::new("offset", DataType::Int64, false),
        Field::new("position", DataType::Int64, false),
        Field::new("symbol", plan.unit.data_type(plan.end.is_some()), false),
    ];
    let fields: Vec<Field> = kept.chain(own).collect();
    let Roles { time, key } = plan.roles.clone();
    Roles { time, key }.mark(&Schema::new(fields))
}

/// A table in the making. All symbols are numbers, or all are text.
#[derive(Default)]
pub(crate) struct Table {
    /// The row of the batch that each symbol is of.
    rows: Vec<u64>,
    offsets: Int64Builder,
    positions: Int64Builder,
    numbers: UInt16Builder,
    texts: StringBuilder,
}

impl Table {
    /// Adds a symbol: number `position` of the batch's row `row`, whose offset is `offset`.
    pub(crate) fn push(&mut self, (row, offset): (usize, i64), position: i64, symbol: Symbol<'_>) {
        self.rows.push(row as u64);
        self.offsets.append_value(offset);
        self.positions.append_value(position);
        match symbol {
            Symbol::Number(number) => self.numbers.append_value(number),
            Symbol::Text(text) => self.texts.append_value(text),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no symbol is to be added any more.
    pub(crate) fn is_full(&self) -> bool {
        self.rows.len() >= ROWS_MAX || self.texts.values_slice().len() >= TEXT_BYTES_MAX
    }

    /// The table, under `schema`, with what is kept of the rows of a batch; it is empty afterwards.
    pub(crate) fn take(&mut self, schema: &SchemaRef, kept: &[ArrayRef]) -> Result<RecordBatch, SymbolsError> {
        let rows = UInt64Array::from(std::mem::take(&mut self.rows));
        let kept = kept.iter().map(|column| take(column, &rows, None));
        let mut columns = kept.collect::<Result<Vec<ArrayRef>, _>>()?;
        let symbols: ArrayRef = match schema.field_with_name("symbol")?.data_type() {
            DataType::UInt16 => Arc::new(self.numbers.finish()),
            DataType::UInt8 => cast(&self.numbers.finish(), &DataType::UInt8)?,
            _ => Arc::new(self.texts.finish()),
        };
        columns.extend([Arc::new(self.offsets.finish()) as ArrayRef, Arc::new(self.positions.finish()), symbols]);
        Ok(RecordBatch::try_new(Arc::clone(schema), columns)?)
    }
}
