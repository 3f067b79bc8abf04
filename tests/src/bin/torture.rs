//! `cargo xtask torture`: what the tests do to a live pipeline, at length, with a line for each.

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use sluicegate_testkit::kafka::Broker;
use sluicegate_tests::torture::{Length, Line, lines};

fn main() -> ExitCode {
    let (mut only, mut length, mut seed) = (Vec::new(), Length::Full, 1);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.len()) {
            ("--quick", _) => length = Length::Quick,
            ("--only", 1..) => only.extend(args.next()),
            ("--seed", 1..) => seed = args.next().and_then(|seed| seed.parse().ok()).unwrap_or(seed),
            _ => {
                eprintln!("usage: cargo xtask torture [--quick] [--seed N] [--only LINE]…");
                eprintln!("lines: {}", lines().iter().map(|line| line.name).collect::<Vec<_>>().join(", "));
                return ExitCode::from(2);
            }
        }
    }
    let mut broker = match Broker::start() {
        Ok(broker) => broker,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    let command = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join("sluice-under-test")));
    let command = command.unwrap_or_else(|| PathBuf::from("sluice-under-test")).display().to_string();
    let chosen = |line: &&Line| only.is_empty() || only.iter().any(|name| name == line.name);
    let (mut done, mut short) = (0, Vec::new());
    for line in lines().iter().filter(chosen) {
        let begun = Instant::now();
        print!("{:<14} {} … ", line.name, line.what);
        let _ = std::io::stdout().flush();
        let outcome = catch_unwind(AssertUnwindSafe(|| (line.run)(&command, &mut broker, length, seed)));
        let seconds = begun.elapsed().as_secs();
        done += 1;
        match outcome {
            Ok(found) => println!("held: {found} ({seconds} s)"),
            Err(_) => {
                println!("FELL SHORT ({seconds} s)");
                short.push(line.name);
            }
        }
    }
    let held = done - short.len();
    if short.is_empty() {
        println!("{held} of {done} lines held");
        return ExitCode::SUCCESS;
    }
    println!("{held} of {done} lines held; fell short: {}", short.join(", "));
    ExitCode::FAILURE
}
