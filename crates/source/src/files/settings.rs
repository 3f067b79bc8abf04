//! The settings that all sources of files share.

use arrow::datatypes::{DataType, Schema};
use schemars::JsonSchema;
use serde::Deserialize;
use sluicegate_core::config::nearest;
use sluicegate_core::{ConfigError, Roles};

use crate::position::{Bound, Position};
use crate::time;

/// Rows of one batch, unless the settings say otherwise: enough to spread the cost of a batch, few enough to stay in cache.
const BATCH_ROWS_DEFAULT: usize = 8192;
/// A batch is held in memory as a whole; more rows than this gain nothing.
const BATCH_ROWS_MAX: usize = 1 << 20;

pub(crate) fn batch_rows_default() -> usize {
    BATCH_ROWS_DEFAULT
}

/// One path or several.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected a path or a list of paths")]
pub enum Paths {
    /// A file, directory or pattern.
    One(String),
    /// Several, in the order in which they are read.
    Many(Vec<String>),
}

impl Paths {
    /// The entries, in order.
    pub fn entries(&self) -> &[String] {
        match self {
            Self::One(path) => std::slice::from_ref(path),
            Self::Many(paths) => paths,
        }
    }
}

/// How files become partitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Partitions {
    /// All files are one partition. It is called after the first entry of `path`: a file without its last extension, a
    /// directory, or the folder before the first special character of a pattern; where that gives no name, the pipeline.
    #[default]
    One,
    /// Each file is a partition, called after the file without its last extension. Files of the same name get as many of
    /// their folders in front as tell them apart, such as `2023/prices` and `2024/prices`.
    PerFile,
}

/// Refuses an empty `path`.
pub(crate) fn check_paths(path: &Paths) -> Result<(), ConfigError> {
    if path.entries().is_empty() {
        return Err(ConfigError::new("path", "the list is empty").help("name a file, a directory or a pattern"));
    }
    if path.entries().iter().any(|path| path.trim().is_empty()) {
        return Err(ConfigError::new("path", "it is empty").help("name a file, a directory or a pattern"));
    }
    Ok(())
}

/// Refuses a number of rows that no batch can have.
pub(crate) fn check_batch_rows(rows: usize) -> Result<(), ConfigError> {
    if rows == 0 || rows > BATCH_ROWS_MAX {
        return Err(ConfigError::new("batch_rows", format!("{rows} is no number of rows for a batch"))
            .help(format!("give 1 to {BATCH_ROWS_MAX}; {BATCH_ROWS_DEFAULT} is the default")));
    }
    Ok(())
}

/// What `start` and `stop` mean, where there is an event time or not.
pub(crate) fn bounds(
    start: Option<&Position>,
    stop: Option<&Position>,
    has_time: bool,
) -> Result<(Option<Bound>, Option<Bound>), ConfigError> {
    let start = bound("start", start, has_time)?;
    let stop = bound("stop", stop, has_time)?;
    if let (Some(start), Some(stop)) = (start, stop)
        && !start.may_precede(stop)
    {
        return Err(ConfigError::new("stop", "it is not after `start`, so there would be nothing to read")
            .help("`start` is the first row read, `stop` the first one not read"));
    }
    Ok((start, stop))
}

fn bound(setting: &str, position: Option<&Position>, has_time: bool) -> Result<Option<Bound>, ConfigError> {
    match position {
        None => Ok(None),
        Some(Position::Offset(offset)) => i64::try_from(*offset)
            .map(|offset| Some(Bound::Offset(offset)))
            .map_err(|_| ConfigError::new(format!("{setting}.offset"), format!("{offset} is past every offset"))),
        Some(Position::Time(_)) if !has_time => {
            Err(ConfigError::new(setting, "it is a time, but no column with the event time is named")
                .help("name one: time = \"…\"; or give an offset: { offset = 0 }"))
        }
        Some(Position::Time(text)) => match time::parse(text) {
            Some(nanos) => Ok(Some(Bound::Time(nanos))),
            None => Err(ConfigError::new(format!("{setting}.time"), format!("`{text}` is not a time"))
                .help("write it as 2017-01-01T00:00:00Z or 2017-01-01")),
        },
    }
}

/// The roles of columns whose types the settings declare.
pub(crate) fn check_roles(schema: &Schema, time: Option<&str>, key: Option<&str>) -> Result<Roles, ConfigError> {
    let find = |setting: &str, name: &str| {
        schema.field_with_name(name).map_err(|_| {
            let error = ConfigError::new(setting, format!("there is no column `{name}` in `schema`"));
            match nearest(name, schema.fields().iter().map(|field| field.name().as_str())) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help("declare it there, with its type"),
            }
        })
    };
    if let Some(time) = time
        && !matches!(find("time", time)?.data_type(), DataType::Timestamp(_, _))
    {
        return Err(ConfigError::new("time", format!("column `{time}` holds no times"))
            .help("give it the type \"timestamp\" or, where it counts from 1970, \"timestamp-ms\" in `schema`"));
    }
    if let Some(key) = key {
        let found = find("key", key)?.data_type();
        if !matches!(found, DataType::Utf8 | DataType::Int64 | DataType::Int32 | DataType::Boolean) {
            let message = format!("column `{key}` holds {found}, which cannot be a key");
            return Err(ConfigError::new("key", message).help("name a column of text, whole numbers or booleans"));
        }
    }
    Ok(Roles { time: time.map(str::to_owned), key: key.map(str::to_owned) })
}
