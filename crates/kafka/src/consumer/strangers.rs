//! Members of a group that work for another pipeline.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer as _};

use super::badge::Badge;
use super::context::Context;

/// How long brokers may take to say who is in a group, and how often they are asked.
const ASK: Duration = Duration::from_secs(5);
const TRIES: usize = 3;
const PAUSE: Duration = Duration::from_millis(300);

/// Looks who is in the group, and says how many are; 0 where nobody can tell.
///
/// Members without a badge are let be: they may be of an earlier version. What they commit is told from ours by its note. Where
/// no answer is to be had, a warning says so: a broker that is away must not keep a service from starting.
///
/// # Errors
/// When a member works for another pipeline: both are named, with what to do.
pub(super) fn refuse(consumer: &BaseConsumer<Context>, group: &str, own: &Badge) -> Result<usize, String> {
    let mut said = String::new();
    for attempt in 0..TRIES {
        if attempt > 0 {
            std::thread::sleep(PAUSE);
        }
        match consumer.fetch_group_list(Some(group), ASK) {
            Ok(list) => {
                let mut members = list.groups().iter().flat_map(|group| group.members());
                let stranger = members.find_map(|member| {
                    let badge = Badge::of(member.client_id()).filter(|badge| badge != own)?;
                    Some((badge, member.client_host().trim_start_matches('/').to_owned()))
                });
                let count = list.groups().iter().map(|group| group.members().len()).sum();
                return stranger.map_or(Ok(count), |(badge, host)| Err(refusal(group, own, &badge, &host)));
            }
            Err(error) => said = error.to_string(),
        }
    }
    tracing::warn!("cannot see whether another pipeline uses the group `{group}`: {said}");
    Ok(0)
}

fn refusal(group: &str, own: &Badge, other: &Badge, host: &str) -> String {
    let who = if own.pipeline == other.pipeline {
        format!("{other} runs on {host}; this one has the name too, but the fingerprint {}", own.fingerprint)
    } else {
        format!("{other} runs on {host}; this is {own}")
    };
    format!(
        "another pipeline uses the consumer group `{group}`, and each would get a part of the partitions: {who}. Give one of \
         them another `name`, or another `group`; or, if this is to replace the other, stop that one first (one that was killed \
         leaves the group when its `session.timeout.ms` is over)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_both_pipelines_and_says_what_to_do() {
        let badge = |pipeline: &str, fingerprint: &str| Badge {
            pipeline: pipeline.to_owned(),
            fingerprint: fingerprint.to_owned(),
        };
        let said = refusal("g", &badge("live", "aa"), &badge("live", "bb"), "10.0.0.7");
        for part in
            ["group `g`", "fingerprint bb runs on 10.0.0.7", "fingerprint aa", "another `name`", "stop that one"]
        {
            assert!(said.contains(part), "no `{part}` in: {said}");
        }
        let said = refusal("g", &badge("live", "aa"), &badge("copy", "bb"), "10.0.0.7");
        assert!(said.contains("`copy` with the fingerprint bb") && said.contains("`live`"), "{said}");
    }
}
