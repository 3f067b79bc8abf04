//! A broker comes up, survives being killed, and leaves nothing behind.

use std::net::TcpStream;

use sluicegate_broker::{Broker, Distribution};

#[test]
fn a_killed_broker_comes_back_on_the_same_port_and_ends_with_its_owner() {
    let mut broker = Broker::start().unwrap();
    let bootstrap = broker.bootstrap().to_owned();
    if broker.kill().is_err() {
        // Somebody else's broker: not ours to kill.
        return;
    }
    assert!(TcpStream::connect(&bootstrap).is_err());
    broker.restart().unwrap();
    assert_eq!(broker.bootstrap(), bootstrap);
    assert!(TcpStream::connect(&bootstrap).is_ok());
    drop(broker);
    assert!(TcpStream::connect(&bootstrap).is_err());
}

#[test]
fn a_folder_without_kafka_is_named_with_the_command_that_fetches_it() {
    let folder = tempfile::tempdir().unwrap();
    let error = Broker::start_in(&Distribution::at(folder.path()), &folder.path().join("run"), 0).err().unwrap();
    assert!(error.to_string().contains(&*folder.path().to_string_lossy()), "{error}");
}
