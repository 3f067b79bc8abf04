//! Brokers that ask who one is: what they refuse is said with what to do, and no password is shown.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::sync::OnceLock;

use sluicegate_testkit::kafka::Broker;
use sluicegate_tests::kafka::{committed, create, produce};
use sluicegate_tests::{Ended, Workplace};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");

fn broker() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::start_guarded().unwrap_or_else(|error| panic!("{error}")))
}

/// Hands the topic `in` on to `out` as a user, whose password is in the environment.
fn run(user: &str, password: &str, source: &str, sink: &str) -> Ended {
    let place = Workplace::new(SLUICE);
    let client = |bootstrap: &str| {
        format!(
            "bootstrap_servers = \"{bootstrap}\"\nproperties = {{ \"security.protocol\" = \"sasl_plaintext\", \"sasl.mechanism\" = \"PLAIN\", \
             \"sasl.username\" = \"{user}\", \"sasl.password\" = \"${{BROKER_PASSWORD}}\" }}"
        )
    };
    let open = format!("bootstrap_servers = \"{}\"", broker().bootstrap());
    let of = |side: &str| if side == "guarded" { client(&broker().guarded().unwrap()) } else { open.clone() };
    place.write(
        "pipeline.toml",
        &format!(
            "name = \"access-{user}\"\n[checkpoint]\npath = \"checkpoints\"\n[source.a]\ntype = \"kafka\"\ntopics = \"in\"\nformat = \"text\"\n\
             stop = \"end\"\nretry_ms = 5000\n{}\n[sink.b]\ntype = \"kafka\"\ninput = \"a\"\ntopic = \"out\"\nvalue = \"value\"\n{}\n",
            of(source),
            of(sink)
        ),
    );
    let mut command = place.command(&["run", "pipeline.toml", "--quiet", "--log-level", "debug"]);
    let ended: Ended = command.env("BROKER_PASSWORD", password).output().unwrap().into();
    assert!(!format!("{ended:?}").contains(password), "{ended:?}");
    ended
}

#[test]
fn what_a_broker_refuses_is_said_without_the_password() {
    let open = broker().bootstrap();
    create(open, &[("in", 1), ("out", 1)]);
    produce(open, "in", 1, (0..5).map(|n| (String::new(), format!("row {n}").into_bytes())));

    let wrong = run("app", "not-the-password", "guarded", "guarded");
    assert_ne!(wrong.code, Some(0), "{wrong:?}");
    assert!(wrong.stderr.to_lowercase().contains("authentication"), "{}", wrong.stderr);

    let forbidden = run("guest", "guest-secret", "guarded", "guarded");
    assert_ne!(forbidden.code, Some(0), "{forbidden:?}");
    assert!(forbidden.stderr.to_lowercase().contains("authorization"), "{}", forbidden.stderr);
    assert!(committed(open, "out", 1).is_empty(), "nothing was written");

    let allowed = run("app", "app-secret", "guarded", "guarded");
    assert_eq!(allowed.code, Some(0), "{}", allowed.stderr);
    assert_eq!(committed(open, "out", 1)[&0].len(), 5);
}
