//! x
#![allow(clippy::unwrap_used)]
#[path = "parquet/support.rs"]
#[allow(dead_code)]
mod support;
#[test]
fn dump() {
    for c in ["zstd", "snappy", "none"] {
        let f = support::bind(
            std::path::Path::new("/tmp/pqout"),
            &format!("path = '{c}'\nrow_group_rows=300\nfile_rows_max=700\ncompression='{c}'"),
            &support::rows(0, 0).schema(),
        )
        .unwrap();
        let mut s = support::open(f.as_ref(), "a/b").unwrap();
        support::write(s.as_mut(), 0, 1000, 64).unwrap();
        s.finish().unwrap();
    }
}
