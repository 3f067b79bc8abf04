//! What readers see, and when.

use crate::support::{create_topic, name, visible};
use crate::{Run, at, batch, bind, context, rows, shard};
use sluicegate_core::Delivery;

#[test]
fn rows_of_a_file_become_visible_with_their_position_and_are_gone_on_from() {
    let topic = name("out");
    create_topic(&topic, 1);
    let settings = format!("topic = '{topic}'\nvalue = 'name'");
    let context = context();
    let input = rows(&[]).schema();
    let mut run = Run::start(&settings, &input, &context);
    assert_eq!(run.found, None);
    run.sink.write(&batch(0, rows(&["a", "b"]))).unwrap();
    run.commit(2);
    run.sink.write(&batch(2, rows(&["void"]))).unwrap();
    run.sink.flush().unwrap();
    assert_eq!(visible(&topic, 1), ["a", "b"]);
    // The process dies here, another comes.
    std::mem::forget(run);
    let mut run = Run::start(&settings, &input, &crate::PipelineContext::new(context.name.clone(), "."));
    assert_eq!(run.found, Some(at(2)));
    run.sink.write(&batch(2, rows(&["c"]))).unwrap();
    run.commit(3);
    assert_eq!(visible(&topic, 1), ["a", "b", "c"]);
}

#[test]
fn two_sinks_of_a_shard_share_one_transaction() {
    let (first, second) = (name("first"), name("second"));
    create_topic(&first, 1);
    create_topic(&second, 1);
    let context = context();
    let input = rows(&[]).schema();
    let one = bind(&format!("topic = '{first}'\nvalue = 'name'"), &input, &context.for_component("one")).unwrap();
    let two = bind(&format!("topic = '{second}'\nvalue = 'name'"), &input, &context.for_component("two")).unwrap();
    let mut ledger = one.ledger(&shard("one")).unwrap().unwrap();
    let (mut to_first, mut to_second) = (one.open(&shard("one")).unwrap(), two.open(&shard("two")).unwrap());
    ledger.take_over().unwrap();
    to_first.write(&batch(0, rows(&["a"]))).unwrap();
    to_second.write(&batch(0, rows(&["b"]))).unwrap();
    to_first.flush().unwrap();
    to_second.flush().unwrap();
    assert_eq!((visible(&first, 1).len(), visible(&second, 1).len()), (0, 0));
    ledger.commit(&at(1)).unwrap();
    assert_eq!((visible(&first, 1), visible(&second, 1)), (vec!["a".to_owned()], vec!["b".to_owned()]));
}

#[test]
fn at_least_once_is_visible_when_it_is_flushed_and_needs_no_ledger() {
    let topic = name("plain");
    create_topic(&topic, 1);
    let settings = format!("topic = '{topic}'\nvalue = 'name'\ndelivery = 'at-least-once'");
    let factory = bind(&settings, &rows(&[]).schema(), &context()).unwrap();
    assert_eq!(factory.delivery(), Delivery::AsWritten);
    assert!(factory.ledger(&shard("out")).unwrap().is_none());
    let mut sink = factory.open(&shard("out").keeps_checkpoints(false)).unwrap();
    sink.write(&batch(0, rows(&["a", "b"]))).unwrap();
    sink.flush().unwrap();
    assert_eq!(visible(&topic, 1), ["a", "b"]);
}
