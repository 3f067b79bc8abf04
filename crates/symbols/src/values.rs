//! The values to take apart, whatever type their column has.

use arrow::array::{Array, ArrayRef, AsArray as _, BinaryArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;

/// Whether a column of this type can be taken apart.
pub(crate) fn can_be(data_type: &DataType) -> bool {
    match data_type {
        DataType::Dictionary(_, values) => can_be(values),
        other => matches!(
            other,
            DataType::Utf8
                | DataType::LargeUtf8
                | DataType::Utf8View
                | DataType::Binary
                | DataType::LargeBinary
                | DataType::BinaryView
        ),
    }
}

/// The bytes of each value; those of text are its UTF-8.
///
/// # Errors
/// When the column holds neither text nor bytes, or more of them than one array can hold.
pub(crate) fn bytes(column: &ArrayRef) -> Result<BinaryArray, ArrowError> {
    let plain = match column.data_type() {
        DataType::Dictionary(_, values) => cast(column, values)?,
        _ => column.clone(),
    };
    // Views and large values go by way of their own kind: there is no cast from one of text to bytes of another size.
    let plain = match plain.data_type() {
        DataType::Utf8View | DataType::LargeUtf8 => cast(&plain, &DataType::Utf8)?,
        _ => plain,
    };
    Ok(cast(&plain, &DataType::Binary)?.as_binary::<i32>().clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow::array::StringArray;

    #[test]
    fn text_and_bytes_of_every_type_are_the_same_bytes() {
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("aü"), None, Some("")]));
        let dictionary = |of: DataType| DataType::Dictionary(Box::new(DataType::Int32), Box::new(of));
        let types = [
            DataType::Utf8,
            DataType::LargeUtf8,
            DataType::Utf8View,
            DataType::Binary,
            DataType::LargeBinary,
            DataType::BinaryView,
            dictionary(DataType::Utf8),
            dictionary(DataType::Binary),
        ];
        for data_type in types {
            assert!(can_be(&data_type));
            let bytes = bytes(&cast(&text, &data_type).unwrap()).unwrap();
            assert_eq!(
                bytes.iter().collect::<Vec<_>>(),
                [Some("aü".as_bytes()), None, Some(b"".as_slice())],
                "{data_type}"
            );
        }
        assert!(!can_be(&DataType::Int64) && !can_be(&dictionary(DataType::Int64)));
    }
}
