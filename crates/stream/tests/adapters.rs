//! What an adapter does with the elements of a stream, whatever its operator does.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::num::NonZeroUsize;

use futures::executor::block_on;
use futures::{StreamExt as _, stream};
use proptest::prelude::*;
use sluicegate_core::{
    Barrier, Batch, BoxError, CheckpointId, Element, Offset, Operator, Output, PartitionId, Purpose,
};
use sluicegate_core::{SnapshotReader, SnapshotWriter};
use sluicegate_stream::{ElementStreamExt as _, StreamError, Workers};

mod common;
use common::{Sum, batch, sums, values};

type Item = Result<Element, StreamError>;

/// What came out, in a form that can be compared.
#[derive(Debug, PartialEq, Clone)]
enum Seen {
    Row(i64),
    Barrier(u64),
    End,
    Error(String),
}

fn seen(items: Vec<Item>) -> Vec<Seen> {
    let see = |item: Item| match item {
        Ok(Element::Batch(batch)) => values(&batch).into_iter().map(Seen::Row).collect(),
        Ok(Element::Barrier(mark)) => vec![Seen::Barrier(mark.id().0)],
        Ok(_) => vec![Seen::End],
        Err(error) => vec![Seen::Error(error.to_string())],
    };
    items.into_iter().flat_map(see).collect()
}

/// Whole numbers from 0 in batches of the given sizes, with a barrier after each batch.
fn numbers(sizes: &[usize]) -> Vec<Item> {
    let partition = PartitionId::new("p");
    let mut next = 0;
    let mut items = Vec::new();
    for (index, size) in sizes.iter().enumerate() {
        let values = (next..next + *size as i64).collect();
        items.push(Ok(Element::Batch(batch(&partition, next, values))));
        items.push(Ok(Element::Barrier(Barrier::new(Purpose::Commit, CheckpointId(index as u64), Offset(0)))));
        next += *size as i64;
    }
    items
}

fn ended(mut items: Vec<Item>) -> Vec<Item> {
    items.push(Ok(Element::End));
    items
}

/// Passes rows on until it meets the number.
struct Refuse {
    number: i64,
    panic: bool,
}

impl Operator for Refuse {
    fn process(&mut self, input: Batch, out: &mut Output) -> Result<(), BoxError> {
        if values(&input).contains(&self.number) {
            assert!(!self.panic, "broke at {}", self.number);
            return Err("refused".into());
        }
        out.emit(input);
        Ok(())
    }
    fn snapshot(&self, _: &mut SnapshotWriter) -> Result<(), BoxError> {
        Ok(())
    }
    fn restore(&mut self, _: &SnapshotReader<'_>) -> Result<(), BoxError> {
        Ok(())
    }
}

fn workers() -> Workers {
    Workers::new(NonZeroUsize::MIN).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_cut_into_batches_and_the_thread_change_no_row(sizes in prop::collection::vec(1_usize..9, 0..20)) {
        let workers = workers();
        let inline = block_on(stream::iter(ended(numbers(&sizes))).operator(Sum::default()).collect::<Vec<_>>());
        let away = stream::iter(ended(numbers(&sizes))).operator_on(Sum::default(), &workers);
        let away = block_on(away.collect::<Vec<_>>());
        let rows: Vec<_> = sums(sizes.iter().sum()).into_iter().map(Seen::Row).collect();
        let inline = seen(inline);
        prop_assert_eq!(&inline, &seen(away));
        let only_rows: Vec<_> = inline.iter().filter(|seen| matches!(seen, Seen::Row(_))).cloned().collect();
        prop_assert_eq!(only_rows, rows);
        prop_assert_eq!(inline.last(), Some(&Seen::End));
        // The operator is one row late, so when the barrier after `n` rows passes, `n - 1` have come out.
        let mut rows_before = 0;
        for (index, size) in sizes.iter().enumerate() {
            rows_before += size;
            let at = inline.iter().position(|seen| *seen == Seen::Barrier(index as u64));
            prop_assert_eq!(at, Some(rows_before - 1 + index));
        }
    }
}

#[test]
fn a_stream_that_is_cut_off_does_not_end_its_operator() {
    let items = block_on(stream::iter(numbers(&[3])).operator(Sum::default()).collect());
    assert_eq!(seen(items), [Seen::Row(0), Seen::Row(1), Seen::Barrier(0)]);
    let workers = workers();
    let items = block_on(stream::iter(numbers(&[3])).operator_on(Sum::default(), &workers).collect());
    assert_eq!(seen(items), [Seen::Row(0), Seen::Row(1), Seen::Barrier(0)]);
}

#[test]
fn an_error_or_a_panic_is_the_last_item_and_names_the_operator() {
    let workers = workers();
    for (panic, message) in [
        (false, "operator `Refuse` on partition `p` failed"),
        (true, "operator `Refuse` on partition `p` panicked: broke at 2; this is a mistake in the component's code"),
    ] {
        let refuse = || Refuse { number: 2, panic };
        let expected = [Seen::Row(0), Seen::Barrier(0), Seen::Error(message.to_owned())];
        let items = stream::iter(ended(numbers(&[1, 3, 4]))).operator(refuse()).operator(Sum::default());
        // Behind it the sum is still one row late, and is never ended.
        assert_eq!(seen(block_on(items.collect())), expected[1..]);
        let items = stream::iter(ended(numbers(&[1, 3, 4]))).operator_on(refuse(), &workers);
        assert_eq!(seen(block_on(items.collect())), expected);
    }
}

#[test]
fn one_item_is_pulled_at_a_time() {
    let pulled = std::cell::Cell::new(0);
    let input = stream::iter(ended(numbers(&[2, 2, 2]))).inspect(|_| pulled.set(pulled.get() + 1));
    let mut chain = input.operator(Refuse { number: -1, panic: false }).operator(Refuse { number: -1, panic: false });
    assert_eq!(pulled.get(), 0);
    for n in 1..=7 {
        assert!(block_on(chain.next()).is_some());
        assert_eq!(pulled.get(), n);
    }
}

#[test]
fn an_operator_without_its_workers_says_so() {
    let workers = workers();
    let chain = stream::iter(ended(numbers(&[1]))).operator_on(Sum::default(), &workers);
    drop(workers);
    let items = seen(block_on(chain.collect()));
    assert_eq!(items, [Seen::Error("the worker threads were stopped before operator `Sum` was done".to_owned())]);
}
