//! One cell as bytes.

use std::borrow::Cow;

use arrow::array::{Array, AsArray, downcast_dictionary_array};
use arrow::datatypes::DataType;

use crate::console::json::write_value;
use crate::console::value::{Value, value};

/// The cell in row `row`: text and bytes as they are, anything else as the console shows it in JSON; `None` where it is missing.
pub(super) fn bytes(array: &dyn Array, row: usize) -> Option<Cow<'_, [u8]>> {
    if array.is_null(row) {
        return None;
    }
    let bytes = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).as_bytes(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).as_bytes(),
        DataType::Utf8View => array.as_string_view().value(row).as_bytes(),
        DataType::Binary => array.as_binary::<i32>().value(row),
        DataType::LargeBinary => array.as_binary::<i64>().value(row),
        DataType::BinaryView => array.as_binary_view().value(row),
        DataType::FixedSizeBinary(_) => array.as_fixed_size_binary().value(row),
        _ => {
            return downcast_dictionary_array!(
                array => array.key(row).and_then(|key| bytes(array.values(), key)),
                _ => Some(displayed(array, row)),
            );
        }
    };
    Some(Cow::Borrowed(bytes))
}

fn displayed(array: &dyn Array, row: usize) -> Cow<'_, [u8]> {
    match value(array, row) {
        Value::Text(text) => Cow::Owned(text.into_owned().into_bytes()),
        other => {
            let mut text = Vec::new();
            // Writing into memory does not fail.
            let _ = write_value(&other, &mut text);
            Cow::Owned(text)
        }
    }
}

/// The cell as text; `None` where it is missing or no text.
pub(super) fn text(array: &dyn Array, row: usize) -> Option<String> {
    bytes(array, row).and_then(|bytes| String::from_utf8(bytes.into_owned()).ok())
}
