//! How columns are encoded.
use arrow::datatypes::Schema;
use parquet::arrow::ArrowSchemaConverter;
use parquet::basic::{Compression, Encoding, Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};

/// How the columns of `schema` are written, whatever they hold.
///
/// # Errors
/// When a column has no place in Parquet.
pub(super) fn properties(
    schema: &Schema,
    compression: Compression,
    group_rows: usize,
) -> Result<WriterProperties, ParquetError> {
    let mut properties = WriterProperties::builder()
        .set_compression(compression)
        .set_write_batch_size(std::env::var("WB").ok().and_then(|v|v.parse().ok()).unwrap_or(1024)).set_offset_index_disabled(std::env::var("OI").is_ok())
        .set_data_page_row_count_limit(std::env::var("PR").ok().and_then(|v|v.parse().ok()).unwrap_or(20000))
        .set_max_row_group_row_count(Some(group_rows))
        .set_statistics_enabled(EnabledStatistics::Chunk);
    for column in ArrowSchemaConverter::new().convert(schema)?.columns() {
        let path = column.path().clone();
        properties = match column.physical_type() {
            Type::FLOAT | Type::DOUBLE => { let e=|k:&str|std::env::var(k).unwrap_or_default(); let properties = if e("FC")=="none" { properties.set_column_compression(path.clone(), Compression::UNCOMPRESSED) } else if e("FC")=="snappy" { properties.set_column_compression(path.clone(), Compression::SNAPPY) } else {properties}; properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_statistics_enabled(path.clone(), if e("ST")=="chunk" {EnabledStatistics::Chunk} else {EnabledStatistics::None})
                .set_column_encoding(path, if e("EN")=="plain" {Encoding::PLAIN} else {Encoding::BYTE_STREAM_SPLIT})}
            Type::INT64 => properties
                .set_column_dictionary_enabled(path.clone(), false)
                .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED),
            Type::BYTE_ARRAY if std::env::var("BA").is_ok() => properties.set_column_statistics_enabled(path, EnabledStatistics::None),
            _ => properties,
        };
    }
    Ok(properties.build())
}
