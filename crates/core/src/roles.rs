//! Which columns of a schema hold the event time and the key.

use std::collections::HashMap;

use arrow::datatypes::{Schema, SchemaRef};

/// In the metadata of a schema whose rows are samples of sound: how many there are a second.
pub const SAMPLE_RATE: &str = "sluicegate.sample-rate";

const TIME: &str = "sluicegate.time";
const KEY: &str = "sluicegate.key";

/// The columns with a special role, carried in the metadata of a schema from the source to whoever needs them.
///
/// ```
/// use std::sync::Arc;
/// use arrow::datatypes::{DataType, Field, Schema};
/// use sluicegate_core::Roles;
///
/// let schema = Arc::new(Schema::new(vec![Field::new("meter", DataType::Utf8, false)]));
/// let roles = Roles { key: Some("meter".into()), ..Roles::default() };
/// assert_eq!(Roles::of(&roles.mark(&schema)), roles);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// The column with the event time.
    pub time: Option<String>,
    /// The column with the key; `None` where all events of a partition belong together.
    pub key: Option<String>,
}

impl Roles {
    /// The roles that a schema's metadata names.
    pub fn of(schema: &Schema) -> Self {
        let get = |name: &str| schema.metadata().get(name).cloned();
        Self { time: get(TIME), key: get(KEY) }
    }

    /// The schema with these roles in its metadata, in place of any it had.
    pub fn mark(&self, schema: &Schema) -> SchemaRef {
        let mut metadata: HashMap<String, String> = schema.metadata().clone().into();
        for (name, value) in [(TIME, &self.time), (KEY, &self.key)] {
            match value {
                Some(value) => metadata.insert(name.to_owned(), value.clone()),
                None => metadata.remove(name),
            };
        }
        Schema::new_with_metadata(schema.fields().clone(), metadata).into()
    }
}
