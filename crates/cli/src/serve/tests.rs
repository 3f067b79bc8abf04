//! The server as a client sees it, and its metrics through a strict reader of their format.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use sluicegate::config::{Document, Secrets};
use sluicegate::{CancellationToken, Metrics};

use super::{Health, exposition, serve};

/// What a family is said to be, and its lines.
#[derive(Debug, Default)]
struct Read {
    kind: String,
    help: Option<String>,
    /// Value by labels.
    values: BTreeMap<BTreeMap<String, String>, f64>,
}

fn is_name(text: &str) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    !text.is_empty() && text.chars().all(good) && !text.starts_with(|c: char| c.is_ascii_digit())
}

/// Reads labels up to `}`; gives them and what follows.
fn read_labels(mut rest: &str) -> Result<(BTreeMap<String, String>, &str), String> {
    let mut labels = BTreeMap::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("no label")?;
        if !is_name(name) || name.contains(':') {
            return Err(format!("no label name: {name}"));
        }
        let (mut value, mut chars) = (String::new(), after.char_indices());
        let end = loop {
            match chars.next().ok_or("an open label")? {
                (at, '"') => break at + 1,
                (_, '\\') => value.push(match chars.next() {
                    Some((_, 'n')) => '\n',
                    Some((_, c @ ('\\' | '"'))) => c,
                    other => return Err(format!("a wrong escape: {other:?}")),
                }),
                (_, c) => value.push(c),
            }
        };
        if labels.insert(name.to_owned(), value).is_some() {
            return Err(format!("label {name} twice"));
        }
        rest = &after[end..];
        match rest.split_at_checked(1) {
            Some((",", more)) => rest = more,
            Some(("}", more)) => return Ok((labels, more)),
            _ => return Err(format!("after a label: {rest}")),
        }
    }
}

/// Reads the text format as strictly as `promtool check metrics` does.
fn read(text: &str) -> Result<BTreeMap<String, Read>, String> {
    let mut families: BTreeMap<String, Read> = BTreeMap::new();
    let mut current = String::new();
    if !text.ends_with('\n') {
        return Err("no newline at the end".into());
    }
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (what, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            let rest = words.next().unwrap_or("").to_owned();
            if !is_name(name) || rest.is_empty() {
                return Err(format!("a wrong comment: {line}"));
            }
            if current != name && families.contains_key(name) {
                return Err(format!("{name} comes twice"));
            }
            current = name.to_owned();
            let family = families.entry(current.clone()).or_default();
            match what {
                "HELP" if family.help.is_none() && family.kind.is_empty() => family.help = Some(rest),
                "TYPE" if family.kind.is_empty() && ["counter", "gauge"].contains(&rest.as_str()) => family.kind = rest,
                _ => return Err(format!("a wrong comment: {line}")),
            }
            continue;
        }
        let at = line.find(['{', ' ']).ok_or_else(|| format!("no value: {line}"))?;
        let (name, rest) = line.split_at(at);
        if name != current {
            return Err(format!("{name} stands among {current}"));
        }
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => read_labels(rest)?,
            None => (BTreeMap::new(), rest),
        };
        let value = rest.strip_prefix(' ').ok_or_else(|| format!("no space: {line}"))?;
        let value: f64 = match value {
            "NaN" => f64::NAN,
            "+Inf" => f64::INFINITY,
            "-Inf" => f64::NEG_INFINITY,
            value => value.parse().map_err(|_| format!("no number: {line}"))?,
        };
        let family = families.get_mut(name).ok_or("no TYPE")?;
        if family.kind == "counter" && !(name.ends_with("_total") && value >= 0.0) {
            return Err(format!("no counter: {line}"));
        }
        if family.values.insert(labels, value).is_some() {
            return Err(format!("twice: {line}"));
        }
    }
    Ok(families)
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn every_number_is_read_back_with_its_type_and_labels() {
    let metrics = Metrics::new();
    let awkward = [("partition", "a\"b\\c\nd"), ("source", "é, {x}=\"\"")];
    metrics.counter("source_rows", &awkward).add(7);
    metrics.gauge("source_rows_total", &awkward).set(f64::NAN);
    metrics.counter("component_busy_ns", &[]).add(1_500_000_000);
    metrics.gauge("source_rows_behind", &[]).set(-0.25);
    metrics.gauge("own gauge-1", &[("0 x", "y")]).set(f64::NEG_INFINITY);
    metrics.counter("own", &[]).add(1);
    let families = read(&exposition::text(&metrics.samples())).unwrap();

    let rows = &families["sluicegate_source_rows_total"];
    assert_eq!((rows.kind.as_str(), rows.help.as_deref()), ("counter", Some("Rows read from a source.")));
    assert_eq!(rows.values[&labels(&awkward)], 7.0);
    assert!(families["sluicegate_source_rows_expected"].values[&labels(&awkward)].is_nan());
    assert_eq!(families["sluicegate_component_busy_seconds_total"].values[&labels(&[])], 1.5);
    assert_eq!(families["sluicegate_source_rows_behind"].values[&labels(&[])], -0.25);
    assert_eq!(families["sluicegate_own_gauge_1"].values[&labels(&[("_0_x", "y")])], f64::NEG_INFINITY);
    assert_eq!(
        (families["sluicegate_own_total"].kind.as_str(), &families["sluicegate_own_total"].help),
        ("counter", &None)
    );
    let all: BTreeSet<&str> = families.values().map(|family| family.kind.as_str()).collect();
    assert_eq!(all, BTreeSet::from(["counter", "gauge"]));
}

#[test]
fn a_number_of_another_type_under_a_known_name_is_left_out() {
    let metrics = Metrics::new();
    metrics.counter("own", &[]).add(1);
    metrics.gauge("own_total", &[]).set(-2.0);
    let families = read(&exposition::text(&metrics.samples())).unwrap();
    assert_eq!(families["sluicegate_own_total"].values.len(), 1);
}

/// The status line and the body of the answer to a plain request.
fn get(address: SocketAddr, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn a_client_gets_health_readiness_and_metrics() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (metrics, stop) = (Metrics::new(), CancellationToken::new());
    let health = Arc::new(Health::new("power", metrics.clone(), stop.clone()));
    let loopback = "127.0.0.1:0".parse().unwrap();
    let server = runtime.block_on(serve(loopback, health, Secrets::default())).unwrap();

    assert_eq!(get(server.address, "/readyz").0, "HTTP/1.1 503 Service Unavailable");
    metrics.gauge("shard_state", &[("partition", "trades-0"), ("source", "s")]).set(1.0);
    let (status, body) = get(server.address, "/readyz");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(body.contains("\"status\":\"ready\""), "{body}");
    stop.cancel();
    assert_eq!(get(server.address, "/readyz").0, "HTTP/1.1 503 Service Unavailable");

    metrics.counter("source_rows", &[("partition", "trades-0"), ("source", "s")]).add(5);
    let (status, body) = get(server.address, "/healthz");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert!(body.contains("\"source_rows\":5"), "{body}");
    let families = read(&get(server.address, "/metrics").1).unwrap();
    assert_eq!(families["sluicegate_source_rows_total"].values.values().sum::<f64>(), 5.0);
    assert_eq!(get(server.address, "/").0, "HTTP/1.1 404 Not Found");

    let taken = runtime.block_on(serve(server.address, Arc::new(Health::new("p", metrics, stop)), Secrets::default()));
    let failure = taken.map(|_| ()).unwrap_err();
    assert!(failure.message().unwrap_or_default().contains("choose another address"), "{failure:?}");
}

#[test]
fn no_secret_is_served_as_a_metric() {
    let text = "source.a.password = '${PASSWORD}'";
    let document = Document::parse_with_env("p.toml", text, Vec::new(), |_| Some("hunter2".into())).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let metrics = Metrics::new();
    metrics.counter("rejected_rows", &[("reason", "hunter2")]).add(1);
    let health = Arc::new(Health::new("p", metrics, CancellationToken::new()));
    let server = runtime.block_on(serve("127.0.0.1:0".parse().unwrap(), health, document.secrets())).unwrap();
    let (_, body) = get(server.address, "/metrics");
    assert!(body.contains("reason=\"${PASSWORD}\"") && !body.contains("hunter2"), "{body}");
    read(&body).unwrap();
}
