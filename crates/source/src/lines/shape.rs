//! How the bytes of a file become records, and records rows.

use std::collections::BTreeMap;
use std::path::Path;

use arrow::datatypes::SchemaRef;
use memchr::memchr;
use sluicegate_core::config::nearest;
use sluicegate_core::{ConfigError, Roles};
use sluicegate_formats::{CsvDecoder, Decoder, Dialect, FieldType, Format, FormatConfig};

use super::records::Records;
use crate::SourceError;
use crate::files::{InputFile, check_roles};

/// The declared columns with their types.
pub(super) type Declared = BTreeMap<String, FieldType>;

/// The records of a file, and what makes rows of them.
pub(super) type Opened = (Records, Box<dyn Decoder>);

/// What all files of a source have in common.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    pub(super) syntax: Syntax,
    pub(super) declared: Declared,
    pub(super) roles: Roles,
    pub(super) schema: SchemaRef,
}

/// How a file is written.
#[derive(Debug, Clone)]
pub(super) enum Syntax {
    /// A JSON object on each line.
    Jsonl,
    /// Separated values.
    Csv {
        dialect: Dialect,
        /// The columns in order, where the files have no header.
        names: Option<Vec<String>>,
        nulls: Vec<String>,
    },
}

impl Syntax {
    /// The place of the line feed that ends the first record of `bytes`, if they hold it.
    pub(super) fn end_of_record(&self, bytes: &[u8]) -> Option<usize> {
        match self {
            Self::Jsonl => memchr(b'\n', bytes),
            Self::Csv { dialect, .. } => dialect.end_of_record(bytes),
        }
    }

    /// Whether this is no record at all. A line of tabs may be one.
    pub(super) fn is_blank(&self, record: &[u8]) -> bool {
        match self {
            Self::Jsonl => record.iter().all(u8::is_ascii_whitespace),
            Self::Csv { .. } => record.is_empty(),
        }
    }

    /// What may be the reason for a record without an end.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::Jsonl => "each object has to be on a line of its own",
            Self::Csv { .. } => "is a quote not closed there? Where quotes mean nothing, set `quote = \"\"`",
        }
    }
}

impl Shape {
    /// Checks roles against what is declared.
    ///
    /// # Errors
    /// A [`ConfigError`] for `schema`, `time` or `key`.
    pub(super) fn new(
        syntax: Syntax,
        declared: Declared,
        time: Option<&str>,
        key: Option<&str>,
    ) -> Result<Self, ConfigError> {
        if declared.is_empty() {
            return Err(ConfigError::new("schema", "no column is declared")
                .help("declare those to read, with their types: schema = { ts = \"timestamp\", load = \"float64\" }"));
        }
        let format = FormatConfig::new(Format::Json, Some(declared.clone()));
        let schema = format.prepare(Path::new(""), None)?.columns();
        let roles = check_roles(&schema, time, key)?;
        let schema = roles.mark(&schema);
        Ok(Self { syntax, declared, roles, schema })
    }

    /// The same with the column of the event time alone.
    pub(super) fn of_time(&self) -> Option<Self> {
        let name = self.roles.time.clone()?;
        let field = *self.declared.get(&name)?;
        Self::new(self.syntax.clone(), Declared::from([(name.clone(), field)]), Some(&name), None).ok()
    }

    /// Opens a file: its records, from the first on, and a decoder of them. `None` when the file is empty.
    ///
    /// # Errors
    /// When it cannot be read, or its header lacks a column that is declared.
    pub(super) fn open(&self, file: &InputFile) -> Result<Option<Opened>, SourceError> {
        let path = &file.path;
        let mut records = Records::open(file, self.syntax.clone())?;
        let header = |message: String| SourceError::Header { path: path.clone(), message };
        match &self.syntax {
            Syntax::Jsonl => {
                let format = FormatConfig::new(Format::Json, Some(self.declared.clone()));
                let format = format.prepare(Path::new(""), None).map_err(|error| header(error.to_string()))?;
                Ok(Some((records, format.decoder())))
            }
            Syntax::Csv { dialect, names, nulls } => {
                let names = match names {
                    Some(names) => names.clone(),
                    None => {
                        let Some(first) = records.next()? else { return Ok(None) };
                        let fields = dialect.fields(first.bytes).map_err(|bad| header(bad.message))?;
                        let text =
                            |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| header("it is no UTF-8".to_owned()));
                        let names = fields.into_iter().map(|field| text(field.bytes.into_owned()));
                        names.collect::<Result<Vec<String>, _>>()?
                    }
                };
                self.check_names(path, &names)?;
                let decoder = CsvDecoder::new(*dialect, &self.declared, &names, nulls);
                let decoder = decoder.map_err(|column| header(format!("it has no column `{column}`")))?;
                Ok(Some((records, Box::new(decoder))))
            }
        }
    }

    /// Refuses a header that lacks a declared column, or has it twice.
    fn check_names(&self, path: &Path, names: &[String]) -> Result<(), SourceError> {
        for column in self.declared.keys() {
            match names.iter().filter(|name| *name == column).count() {
                1 => {}
                0 => {
                    let hint = match nearest(column, names.iter().map(String::as_str)) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => {
                            let all: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
                            format!("its header is {}", all.join(", "))
                        }
                    };
                    return Err(SourceError::MissingColumn { path: path.to_owned(), column: column.clone(), hint });
                }
                _ => return Err(SourceError::DuplicateHeader { path: path.to_owned(), column: column.clone() }),
            }
        }
        Ok(())
    }
}
