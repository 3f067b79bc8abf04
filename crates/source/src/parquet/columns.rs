//! Which columns are read, which of them have a role, and whether all files agree on them.

use std::path::PathBuf;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use sluicegate_core::config::nearest;
use sluicegate_core::{ConfigError, Roles};

use super::footer::Footer;
use crate::SourceError;
use crate::time::{self, TimeUnit};

/// What a reader of Parquet files puts beside a column; it says nothing of the rows, and files may differ in it.
const FIELD_ID: &str = "PARQUET:field_id";

/// What the settings ask for.
pub(super) struct Wanted {
    pub(super) time: Option<String>,
    pub(super) time_unit: Option<TimeUnit>,
    pub(super) key: Option<String>,
    pub(super) columns: Option<Vec<String>>,
}

/// The columns that are read.
pub(super) struct Columns {
    /// The file that set them.
    first: PathBuf,
    /// As they are in the files.
    stored: Vec<FieldRef>,
    /// Whether they are all that the files have.
    all: bool,
    roles: Roles,
    time_unit: Option<TimeUnit>,
}

impl Columns {
    /// Chooses what is wanted among the columns of the first file.
    ///
    /// # Errors
    /// When a column is missing or of a wrong type, with the setting that names it.
    pub(super) fn choose(wanted: &Wanted, file: &Footer) -> Result<Self, ConfigError> {
        let fields = file.metadata.schema().fields();
        let find = |setting: &str, column: &str| {
            let missing = || ConfigError::new(setting, missing(file, column).to_string());
            fields.iter().find(|field| field.name() == column).ok_or_else(missing)
        };
        if let Some(time) = &wanted.time {
            check_time(file, find("time", time)?, wanted.time_unit)?;
        }
        if let Some(key) = &wanted.key {
            check_key(file, find("key", key)?)?;
        }
        for column in wanted.columns.iter().flatten() {
            find("columns", column)?;
        }
        let chosen = |field: &FieldRef| {
            let is = |name: &String| name == field.name();
            wanted.columns.as_ref().is_none_or(|columns| columns.iter().any(is))
                || wanted.time.as_ref().is_some_and(is)
                || wanted.key.as_ref().is_some_and(is)
        };
        let stored: Vec<FieldRef> = fields.iter().filter(|field| chosen(field)).cloned().collect();
        if stored.is_empty() {
            return Err(match &wanted.columns {
                Some(_) => ConfigError::new("columns", "the list is empty, and neither `time` nor `key` is named")
                    .help("name a column, or leave `columns` out to read all"),
                None => ConfigError::new("path", format!("{} has no columns", file.path.display())),
            });
        }
        let columns = Self {
            first: file.path.clone(),
            stored,
            all: wanted.columns.is_none(),
            roles: Roles { time: wanted.time.clone(), key: wanted.key.clone() },
            time_unit: wanted.time_unit,
        };
        columns.check_unique(file).map_err(|error| ConfigError::new("columns", error.to_string()))?;
        Ok(columns)
    }

    /// Checks that another file has the same columns, as far as they are read. One that may be null in it may be null in all.
    ///
    /// # Errors
    /// [`SourceError::Mismatch`] with both files, the column and both types.
    pub(super) fn admit(&mut self, file: &Footer) -> Result<(), SourceError> {
        self.check_unique(file)?;
        let fields = file.metadata.schema().fields();
        let mismatch = |column: &str, expected: String, found: String| SourceError::Mismatch {
            first: self.first.clone(),
            second: file.path.clone(),
            column: column.to_owned(),
            expected,
            found,
        };
        let mut nullable = Vec::with_capacity(self.stored.len());
        for expected in &self.stored {
            let name = expected.name();
            let Some(found) = fields.iter().find(|field| field.name() == name) else {
                return Err(mismatch(name, expected.data_type().to_string(), "missing".to_owned()));
            };
            if found.data_type() != expected.data_type() {
                return Err(mismatch(name, expected.data_type().to_string(), found.data_type().to_string()));
            }
            nullable.push(found.is_nullable());
        }
        if self.all
            && let Some(extra) =
                fields.iter().find(|field| self.stored.iter().all(|known| known.name() != field.name()))
        {
            return Err(mismatch(extra.name(), "missing".to_owned(), extra.data_type().to_string()));
        }
        for (field, nullable) in self.stored.iter_mut().zip(nullable) {
            if nullable && !field.is_nullable() {
                *field = field.as_ref().clone().with_nullable(true).into();
            }
        }
        Ok(())
    }

    /// The columns as they are handed on, with their roles.
    pub(super) fn schema(&self) -> SchemaRef {
        let fields: Vec<Field> = self
            .stored
            .iter()
            .map(|field| {
                let mut field = field.as_ref().clone();
                field.metadata_mut().remove(FIELD_ID);
                match self.unit_of(field.name()) {
                    Some(unit) => field.with_data_type(unit.data_type()),
                    None => field,
                }
            })
            .collect();
        self.roles.mark(&Schema::new(fields))
    }

    /// What is to be read of a file.
    pub(super) fn projection(&self, file: &Footer) -> ProjectionMask {
        project(file, |name| self.stored.iter().any(|field| field.name() == name))
    }

    /// What is to be read of a file to know the event times only.
    pub(super) fn time_projection(&self, file: &Footer) -> ProjectionMask {
        project(file, |name| self.roles.time.as_deref() == Some(name))
    }

    /// The column with the event time, as it is handed on.
    pub(super) fn time(&self) -> Option<FieldRef> {
        let name = self.roles.time.as_deref()?;
        self.schema().fields().iter().find(|field| field.name() == name).cloned()
    }

    /// Rows of a file as they are handed on.
    ///
    /// # Errors
    /// When they are not what the file said they would be.
    pub(super) fn arrange(&self, schema: &SchemaRef, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = self.stored.iter().map(|field| {
            let name = field.name();
            let column = rows.column_by_name(name);
            let column = column.ok_or_else(|| ArrowError::SchemaError(format!("column `{name}` was not read")))?;
            self.time_as_handed_on(name, column)
        });
        RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
    }

    pub(super) fn time_as_handed_on(&self, name: &str, column: &ArrayRef) -> Result<ArrayRef, ArrowError> {
        match self.unit_of(name) {
            Some(unit) => unit
                .mark(column)
                .ok_or_else(|| ArrowError::SchemaError(format!("column `{name}` is {} now", column.data_type()))),
            None => Ok(column.clone()),
        }
    }

    fn unit_of(&self, column: &str) -> Option<TimeUnit> {
        self.time_unit.filter(|_| self.roles.time.as_deref() == Some(column))
    }

    fn check_unique(&self, file: &Footer) -> Result<(), SourceError> {
        for field in &self.stored {
            let alike = file.metadata.schema().fields().iter().filter(|other| other.name() == field.name()).count();
            if alike > 1 {
                return Err(SourceError::DuplicateColumn { path: file.path.clone(), column: field.name().clone() });
            }
        }
        Ok(())
    }
}

fn project(file: &Footer, read: impl Fn(&str) -> bool) -> ProjectionMask {
    let fields = file.metadata.schema().fields().iter().enumerate();
    let roots = fields.filter(|(_, field)| read(field.name())).map(|(root, _)| root);
    ProjectionMask::roots(file.metadata.parquet_schema(), roots)
}

fn missing(file: &Footer, column: &str) -> SourceError {
    let names = || file.metadata.schema().fields().iter().map(|field| field.name().as_str());
    let hint = match nearest(column, names()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")),
    };
    SourceError::MissingColumn { path: file.path.clone(), column: column.to_owned(), hint }
}

fn wrong_type(file: &Footer, field: &Field, setting: &str, expected: &str) -> ConfigError {
    let error = SourceError::WrongType {
        path: file.path.clone(),
        column: field.name().clone(),
        expected: expected.to_owned(),
        found: field.data_type().to_string(),
    };
    ConfigError::new(setting, error.to_string())
}

fn check_time(file: &Footer, field: &Field, unit: Option<TimeUnit>) -> Result<(), ConfigError> {
    match (field.data_type(), unit) {
        (DataType::Int64, Some(_)) => Ok(()),
        (DataType::Int64, None) => Err(wrong_type(
            file,
            field,
            "time",
            "a timestamp or a date; where it counts from 1970, say in what: time_unit = \"s\", \"ms\", \"us\" or \"ns\"",
        )),
        (other, None) if time::is_time(other) => Ok(()),
        (other, Some(_)) if time::is_time(other) => {
            let message = format!("column `{}` has the type {other}, which has a unit of its own", field.name());
            Err(ConfigError::new("time_unit", message).help("leave it out"))
        }
        _ => Err(wrong_type(file, field, "time", "a timestamp, a date, or an Int64 with `time_unit`")),
    }
}

fn check_key(file: &Footer, field: &Field) -> Result<(), ConfigError> {
    let is_text = |data_type: &DataType| matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    match field.data_type() {
        DataType::Boolean => Ok(()),
        DataType::Dictionary(_, values) if is_text(values) => Ok(()),
        other if is_text(other) || other.is_integer() => Ok(()),
        _ => Err(wrong_type(file, field, "key", "text, a dictionary of text, an integer or a boolean")),
    }
}
