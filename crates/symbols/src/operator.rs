//! From settings and columns to an operator per shard, and the operator itself.

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{Array as _, ArrayRef, AsArray as _, BinaryArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef, TimeUnit, TimestampMicrosecondType};
use sluicegate_core::{
    Batch, BoxError, ConfigError, Counter, Offset, Offsets, Operator, OperatorConfig, OperatorFactory, Output,
    PartitionId, PipelineContext, Rejected, ShardContext, SnapshotReader, SnapshotWriter,
};

use crate::alphabet::{Symbol, Unit};
use crate::config::{BadUtf8, EndSymbol, Plan, SymbolsConfig};
use crate::error::SymbolsError;
use crate::table::{self, Table};
use crate::values;

/// The settings, checked against the columns that come in.
struct Factory {
    plan: Plan,
    schema: SchemaRef,
}

impl OperatorConfig for SymbolsConfig {
    fn bind(self, input: &SchemaRef, _: &PipelineContext) -> Result<Box<dyn OperatorFactory>, ConfigError> {
        let plan = self.plan(input)?;
        let schema = table::schema(&plan, input);
        Ok(Box::new(Factory { plan, schema }))
    }
}

impl OperatorFactory for Factory {
    fn output_schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn identity(&self) -> Option<String> {
        let settings = settings(&self.plan);
        Some(settings.iter().map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join("; "))
    }

    fn build(&self, shard: &ShardContext) -> Result<Box<dyn Operator>, BoxError> {
        let labels = [("operator", shard.component.as_str()), ("partition", shard.partition.as_str())];
        Ok(Box::new(SymbolsOperator {
            partition: shard.partition.clone(),
            component: shard.component.clone(),
            plan: self.plan.clone(),
            schema: Arc::clone(&self.schema),
            next: 0,
            replaced: shard.metrics.counter("symbols_values_replaced", &labels),
        }))
    }
}

/// Settings under which rows that were numbered go on as what they were, each with its value in words.
fn settings(plan: &Plan) -> [(&'static str, String); 3] {
    [
        ("column", format!("`{}`", plan.column)),
        ("unit", format!("`{}`", plan.unit.as_str())),
        ("end", EndSymbol::shown(plan.end.as_ref())),
    ]
}

/// Takes the rows of one partition apart. See [`SymbolsConfig`].
struct SymbolsOperator {
    partition: PartitionId,
    component: String,
    plan: Plan,
    schema: SchemaRef,
    /// The offset of the next row that is emitted: all the state there is.
    next: i64,
    replaced: Counter,
}

/// What is taken apart, and what is kept of it.
struct Rows<'a> {
    batch: &'a Batch,
    values: BinaryArray,
    kept: Vec<ArrayRef>,
}

impl Rows<'_> {
    fn offset(&self, row: usize) -> i64 {
        self.batch.offsets().get(row).map_or(0, |offset| offset.0)
    }
}

impl SymbolsOperator {
    fn rows<'a>(&self, batch: &'a Batch) -> Result<Rows<'a>, SymbolsError> {
        let offset = batch.offsets().get(0).map_or(0, |offset| offset.0);
        let fault = |column: &str, reason: String| SymbolsError::Column { column: column.to_owned(), offset, reason };
        let find = |name: &String| {
            let column = batch.records().column_by_name(name).cloned();
            column.ok_or_else(|| fault(name, "is not in this batch".to_owned()))
        };
        let column = find(&self.plan.column)?;
        let values = values::bytes(&column).map_err(|error| fault(&self.plan.column, error.to_string()))?;
        let kept = self.plan.keep.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        Ok(Rows { batch, values, kept })
    }

    /// Adds the symbols of a row, and emits tables as they fill.
    fn take_apart(
        &mut self,
        rows: &Rows<'_>,
        row: usize,
        table: &mut Table,
        out: &mut Output,
    ) -> Result<(), SymbolsError> {
        let bytes = rows.values.value(row);
        let at = (row, rows.offset(row));
        let mut position = 0;
        let mut push = |operator: &mut Self, symbol: Symbol<'_>| {
            table.push(at, position, symbol);
            position += 1;
            if table.is_full() { operator.emit(table, rows, out) } else { Ok(()) }
        };
        match self.plan.unit {
            Unit::Byte => bytes.iter().try_for_each(|byte| push(self, Symbol::Number(u16::from(*byte))))?,
            unit => {
                let text = match std::str::from_utf8(bytes) {
                    Ok(text) => Cow::Borrowed(text),
                    Err(_) => {
                        self.replaced.add(1);
                        String::from_utf8_lossy(bytes)
                    }
                };
                unit.each_of_text(&text, |symbol| push(self, Symbol::Text(symbol)))?;
            }
        }
        match self.plan.end.clone() {
            Some(end) => push(self, end.symbol()),
            None => Ok(()),
        }
    }

    /// Emits the rows of a table, numbered on, and leaves it empty.
    fn emit(&mut self, table: &mut Table, rows: &Rows<'_>, out: &mut Output) -> Result<(), SymbolsError> {
        let offsets = Offsets::dense(Offset(self.next), table.len())?;
        self.next += table.len() as i64;
        out.emit(Batch::new(self.partition.clone(), offsets, table.take(&self.schema, &rows.kept)?)?);
        Ok(())
    }

    /// Why a value cannot be taken apart, if that is so.
    fn fault(&self, bytes: &[u8]) -> Option<String> {
        if self.plan.unit == Unit::Byte || self.plan.bad_utf8 == BadUtf8::Replace {
            return None;
        }
        let error = std::str::from_utf8(bytes).err()?;
        let place = error.valid_up_to();
        let found = bytes.get(place).map_or(0, |byte| *byte);
        Some(match error.error_len() {
            Some(_) => format!("it is no UTF-8 at byte {place} of {}, which is 0x{found:02x}", bytes.len()),
            None => {
                format!("it is cut short: the character that begins at byte {place} of {} does not end", bytes.len())
            }
        })
    }

    fn letter(&self, rows: &Rows<'_>, row: usize, reason: &str) -> Result<Rejected, SymbolsError> {
        let column_of = |role: &Option<String>| rows.batch.records().column_by_name(role.as_deref()?).cloned();
        let key = match column_of(&self.plan.roles.key) {
            Some(keys) => {
                let key = cast(&keys.slice(row, 1), &DataType::Utf8)?;
                key.as_string::<i32>().iter().next().flatten().map(|key| key.as_bytes().to_vec())
            }
            None => None,
        };
        let time_us = match column_of(&self.plan.roles.time) {
            Some(times) => {
                let time = cast(&times.slice(row, 1), &DataType::Timestamp(TimeUnit::Microsecond, None))?;
                time.as_primitive::<TimestampMicrosecondType>().iter().next().flatten()
            }
            None => None,
        };
        Ok(Rejected {
            component: self.component.clone(),
            partition: self.partition.clone(),
            offset: Offset(rows.offset(row)),
            reason: "not-utf8",
            message: format!("column `{}`: {reason}", self.plan.column),
            time_us,
            key,
            payload: Some(rows.values.value(row).to_vec()),
            headers: Vec::new(),
        })
    }
}

impl Operator for SymbolsOperator {
    fn process(&mut self, batch: Batch, out: &mut Output) -> Result<(), BoxError> {
        if *batch.partition() != self.partition {
            let (expected, found) = (self.partition.clone(), batch.partition().clone());
            return Err(SymbolsError::WrongPartition { expected, found }.into());
        }
        let rows = self.rows(&batch)?;
        let mut table = Table::default();
        for row in (0..batch.len()).filter(|row| rows.values.is_valid(*row)) {
            match self.fault(rows.values.value(row)) {
                None => self.take_apart(&rows, row, &mut table, out)?,
                Some(reason) if self.plan.bad_utf8 == BadUtf8::Fail => {
                    let (column, offset) = (self.plan.column.clone(), rows.offset(row));
                    return Err(SymbolsError::BadUtf8 { column, offset, reason }.into());
                }
                Some(reason) => out.reject(self.letter(&rows, row, &reason)?),
            }
        }
        if table.len() > 0 {
            self.emit(&mut table, &rows, out)?;
        }
        Ok(())
    }

    fn snapshot(&self, to: &mut SnapshotWriter) -> Result<(), BoxError> {
        let settings = settings(&self.plan);
        to.strings("settings.names", settings.iter().map(|(name, _)| *name))?;
        to.strings("settings.values", settings.iter().map(|(_, value)| value.as_str()))?;
        Ok(to.i64("rows", &[1], &[self.next])?)
    }

    fn restore(&mut self, from: &SnapshotReader<'_>) -> Result<(), BoxError> {
        let (names, values) = (from.strings("settings.names")?, from.strings("settings.values")?);
        for (setting, here) in settings(&self.plan) {
            let then = names.iter().zip(&values).find(|(name, _)| *name == setting).map(|(_, value)| value.as_str());
            if then != Some(here.as_str()) {
                let snapshot = then.unwrap_or("unknown").to_owned();
                return Err(SymbolsError::Settings { setting, snapshot, here }.into());
            }
        }
        self.next = from.i64("rows", &[1])?.first().copied().unwrap_or(0);
        Ok(())
    }
}
