//! Reading on from an offset gives the rest of what reading everything gives.

use proptest::prelude::*;

use crate::support::{Folder, Rows, log};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn reading_on_at_any_offset_gives_the_rest_however_files_groups_and_batches_are_cut(
        files in prop::collection::vec((0usize..40, 1usize..50), 1..5),
        batch_rows in 1usize..60,
        resumed_batch_rows in 1usize..60,
    ) {
        let folder = Folder::new();
        let mut rows = 0;
        for (file, (len, group_rows)) in files.iter().enumerate() {
            folder.write(&format!("d/{file}.parquet"), &log(rows, *len), *group_rows);
            rows += len;
        }
        let whole = folder.read(&format!("path = 'd'\nbatch_rows = {batch_rows}"));
        prop_assert_eq!(&whole.offsets, &(0..rows as i64).collect::<Vec<_>>());
        let expected = log(0, rows);
        prop_assert_eq!(whole.records.columns(), expected.columns());

        let mut source = folder.connect(&format!("path = 'd'\nbatch_rows = {resumed_batch_rows}")).unwrap();
        let partition = source.partitions().unwrap().remove(0);
        for from in 0..=rows {
            let rest = Rows::read(source.as_mut(), &partition, Some(from as i64)).unwrap();
            prop_assert_eq!(rest, whole.slice(from, rows - from));
        }
    }
}
