//! `sluice run` over sequences of symbols: plain files and raw payloads become one event per byte, character or token, whole and in order.
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::OnceLock;

use arrow::array::{Array as _, ArrayRef, AsArray as _, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int64Type, UInt8Type};
use sluicegate_testkit::kafka::Broker;
use sluicegate_tests::kafka::{committed, create, produce};
use sluicegate_tests::s3::Store;
use sluicegate_tests::{Workplace, kill_until_over, pipelines, read_folder};

const SLUICE: &str = env!("CARGO_BIN_EXE_sluice-under-test");

fn broker() -> &'static str {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(|| Broker::start().unwrap_or_else(|error| panic!("{error}"))).bootstrap()
}

fn column(records: &RecordBatch, name: &str) -> ArrayRef {
    records.column_by_name(name).unwrap_or_else(|| panic!("no column {name}")).clone()
}

fn texts(records: &RecordBatch, name: &str) -> Vec<Option<String>> {
    let texts = cast(&column(records, name), &DataType::Utf8).unwrap();
    texts.as_string::<i32>().iter().map(|text| text.map(str::to_owned)).collect()
}

fn bytes_of(records: &RecordBatch) -> Vec<u8> {
    let symbols = column(records, "symbol");
    symbols.as_primitive::<UInt8Type>().values().to_vec()
}

/// The symbols of each key, in order.
fn by_key(records: &RecordBatch) -> BTreeMap<String, Vec<String>> {
    let mut all = BTreeMap::<String, Vec<String>>::new();
    for (key, symbol) in texts(records, "key").into_iter().zip(texts(records, "symbol")) {
        all.entry(key.unwrap()).or_default().push(symbol.unwrap());
    }
    all
}

/// Beginnings of the bundled text, at these bytes, as two files.
fn write_books(place: &Workplace, first: usize, second: usize) -> Vec<u8> {
    let book = std::fs::read(pipelines().join("data/tinyshakespeare.txt")).unwrap();
    std::fs::create_dir_all(place.path("books")).unwrap();
    std::fs::write(place.path("books/1.txt"), &book[..first]).unwrap();
    std::fs::write(place.path("books/2.txt"), &book[first..first + second]).unwrap();
    book[..first + second].to_vec()
}

const BOOKS: &str = r#"
name = "books"
[checkpoint]
path = "checkpoints"
interval_ms = 20
[source.books]
type = "text"
path = "books"
piece_bytes_max = 300
key = "file"
[operator.letters]
type = "symbols"
input = "books"
column = "bytes"
unit = "byte"
[operator.forecast]
type = "forecast"
input = "letters"
targets = ["symbol"]
controls = ["ar"]
mixture = false
classes = { max = 30, order = 3 }
model = { kind = "lstm", hidden = 8, head = "categorical", backend = "libtorch" }
[sink.symbols]
type = "parquet"
input = "letters"
path = "letters"
[sink.forecasts]
type = "parquet"
input = "forecast"
path = "forecasts"
"#;

#[test]
fn killed_again_and_again_every_byte_of_the_files_is_an_event_once_and_forecast_alike() {
    let new = || {
        let place = Workplace::new(SLUICE);
        let whole = write_books(&place, 4000, 3000);
        place.write("books.toml", BOOKS);
        (place, whole)
    };
    let (plain, whole) = new();
    let run = plain.run(&["run", "books.toml"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    assert!(run.stdout.contains("bits") || run.stderr.contains("bits"), "{}{}", run.stdout, run.stderr);
    let (killed, _) = new();
    let waits_ms = (0..40).map(|round| 150 + round * 97 % 400);
    let kills = kill_until_over(|| killed.start_silently(&["run", "books.toml", "--quiet"]), waits_ms);
    assert!(kills >= 2, "only {kills} kills hit a running process");
    let last = killed.run(&["run", "books.toml", "--quiet"]);
    assert_eq!(last.code, Some(0), "{}", last.stderr);
    for folder in ["letters", "forecasts"] {
        assert!(read_folder(&killed.path(folder)) == read_folder(&plain.path(folder)), "{folder} differs");
    }
    let letters = read_folder(&killed.path("letters"));
    assert!(bytes_of(&letters) == whole, "the bytes differ");
    let files = texts(&letters, "file");
    let of_first = files.iter().filter(|file| file.as_deref() == Some("books/1.txt")).count();
    assert_eq!((of_first, files.len()), (4000, 7000));
}

#[test]
fn symbols_beyond_the_alphabet_fall_into_the_open_class() {
    let place = Workplace::new(SLUICE);
    let whole = write_books(&place, 3000, 100);
    place.write("books.toml", &BOOKS.replace("max = 30", "max = 5"));
    assert_eq!(place.run(&["run", "books.toml", "--quiet"]).code, Some(0));
    let forecasts = read_folder(&place.path("forecasts"));
    let models = texts(&forecasts, "model");
    let own = |name: &str| -> Vec<Option<String>> {
        let all = texts(&forecasts, name).into_iter().zip(&models);
        all.filter(|(_, model)| model.as_deref() == Some("ar")).map(|(text, _)| text).collect()
    };
    let observed: Vec<u8> =
        own("observed_class").iter().map(|class| class.as_ref().unwrap().parse().unwrap()).collect();
    assert!(observed == whole, "what was observed is what was read");
    let mut first: Vec<String> = Vec::new();
    for byte in whole.iter().map(u8::to_string) {
        if !first.contains(&byte) && first.len() < 5 {
            first.push(byte);
        }
    }
    let said: Vec<String> = own("class").into_iter().flatten().collect();
    assert!(said.iter().all(|class| class == "(other)" || first.contains(class)), "{first:?}");
    // All but five bytes are one class, and so the most probable one most of the time.
    let open = said.iter().filter(|class| *class == "(other)").count();
    assert!(open * 2 > said.len(), "{open} of {}", said.len());
    let bits = column(&forecasts, "nll_bits");
    assert!(bits.null_count() <= 4, "each file's first event is the only one without a score");
}

#[test]
fn a_file_that_grows_goes_on_with_what_was_appended() {
    let place = Workplace::new(SLUICE);
    let whole = write_books(&place, 1000, 2000);
    place.write("books.toml", BOOKS);
    std::fs::write(place.path("books/2.txt"), &whole[1000..1700]).unwrap();
    assert_eq!(place.run(&["run", "books.toml", "--quiet"]).code, Some(0));
    std::fs::write(place.path("books/2.txt"), &whole[1000..]).unwrap();
    let run = place.run(&["run", "books.toml", "--quiet"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let letters = read_folder(&place.path("letters"));
    assert!(bytes_of(&letters) == whole, "the bytes differ");
    let plain = Workplace::new(SLUICE);
    write_books(&plain, 1000, 2000);
    plain.write("books.toml", BOOKS);
    assert_eq!(plain.run(&["run", "books.toml", "--quiet"]).code, Some(0));
    // Pieces are cut elsewhere, but the events are the same, and so are their forecasts.
    assert!(read_folder(&place.path("forecasts")) == read_folder(&plain.path("forecasts")), "the forecasts differ");
}

#[test]
fn files_in_a_store_are_read_on_in_the_midst_of_one() {
    let place = Workplace::new(SLUICE);
    let whole = write_books(&place, 2500, 1500);
    let store = Store::start(&["shelf"]);
    place.write("books.toml", &BOOKS.replace("path = \"books\"", "path = \"s3://shelf/books/*.txt\""));
    let run = || {
        let mut run = place.command(&["run", "books.toml", "--quiet"]);
        let run = store.known_to(&mut run).output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    };
    let put = |file: &str| store.ask(&["put", place.path(file).to_str().unwrap(), &format!("shelf/{file}")]);
    std::fs::write(place.path("books/1.txt"), &whole[..1111]).unwrap();
    put("books/1.txt");
    run();
    std::fs::write(place.path("books/1.txt"), &whole[..2500]).unwrap();
    put("books/1.txt");
    put("books/2.txt");
    run();
    let letters = read_folder(&place.path("letters"));
    assert!(bytes_of(&letters) == whole, "the bytes differ");
    let files = texts(&letters, "file").into_iter().flatten().collect::<BTreeSet<_>>();
    assert_eq!(files.into_iter().collect::<Vec<_>>(), ["s3://shelf/books/1.txt", "s3://shelf/books/2.txt"]);
}

#[test]
fn the_bundled_pipeline_forecasts_the_bundled_text_and_others_read_it() {
    let place = Workplace::new(SLUICE);
    let (pipeline, out) = (pipelines().join("text.toml"), place.path("out"));
    let out_setting = format!("forecasts.path={}", out.display());
    let (pipeline, stop) = (pipeline.to_str().unwrap(), "books.stop={offset=5000}");
    let run = place.run(&["run", pipeline, "--set", stop, "--set", &out_setting]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let script = "
import sys, pyarrow.parquet as pq
rows = pq.read_table(sys.argv[1]).to_pylist()
own = [row for row in rows if row['model'] == 'forecast']
assert bytes(int(row['observed_class']) for row in own) == open(sys.argv[2], 'rb').read(5000)
assert [row['offset'] for row in own] == list(range(5000))
assert {row['key'] for row in own} == {'data/tinyshakespeare.txt'}
late = [row['nll_bits'] for row in own[4000:]]
print(sum(late) / len(late) < 5)
";
    let python = std::env::var_os("SLUICEGATE_PYTHON").unwrap();
    let mut python = Command::new(python);
    let read =
        python.args(["-c", script]).arg(&out).arg(pipelines().join("data/tinyshakespeare.txt")).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&read.stdout).trim(), "True", "{}", String::from_utf8_lossy(&read.stderr));
}

fn messages_pipeline(bootstrap: &str, topic: &str) -> String {
    format!(
        r#"
name = "{topic}"
[checkpoint]
path = "checkpoints"
interval_ms = 100
commit_interval_ms = 40
[source.messages]
type = "kafka"
bootstrap_servers = "{bootstrap}"
topics = "{topic}"
format = "bytes"
metadata = ["key"]
key = "key"
stop = "end"
[operator.letters]
type = "symbols"
input = "messages"
column = "value"
unit = "char"
end = true
[operator.forecast]
type = "forecast"
input = "letters"
targets = ["symbol"]
controls = []
mixture = false
model = {{ hidden = 4, head = "categorical" }}
[sink.symbols]
type = "parquet"
input = "letters"
path = "letters"
[sink.forecasts]
type = "parquet"
input = "forecast"
path = "forecasts"
[sink.topic]
type = "kafka"
input = "letters"
bootstrap_servers = "{bootstrap}"
topic = "{topic}.letters"
key = "key"
value = "symbol"
[sink.rejects]
type = "kafka"
input = "dead-letters"
bootstrap_servers = "{bootstrap}"
topic = "{topic}.rejects"
"#
    )
}

#[test]
fn raw_payloads_of_a_topic_become_characters_per_key_and_bad_utf8_a_dead_letter() {
    let broker = broker();
    create(broker, &[("chat", 1), ("chat.letters", 1), ("chat.rejects", 1)]);
    let message = |key: &str, value: &[u8]| (key.to_owned(), value.to_vec());
    produce(
        broker,
        "chat",
        1,
        [
            message("ann", "høy".as_bytes()),
            message("bob", b"no\xff"),
            message("bob", b"ok"),
            message("ann", b""),
            message("ann", "🦀".as_bytes()),
        ],
    );
    let place = Workplace::new(SLUICE);
    place.write("chat.toml", &messages_pipeline(broker, "chat"));
    let run = place.run(&["run", "chat.toml", "--quiet"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let letters = read_folder(&place.path("letters"));
    let found = by_key(&letters);
    assert_eq!(found["ann"], ["h", "ø", "y", "(end)", "(end)", "🦀", "(end)"]);
    assert_eq!(found["bob"], ["o", "k", "(end)"]);
    let offsets = column(&letters, "offset").as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(offsets, [0, 0, 0, 0, 2, 2, 2, 3, 4, 4], "each symbol says which record it is of");
    assert_eq!(read_folder(&place.path("forecasts")).num_rows(), letters.num_rows());
    let values = |topic: &str| -> Vec<Vec<u8>> {
        let records = committed(broker, topic, 1).remove(&0).unwrap_or_default();
        records.into_iter().map(|(_, value)| value.unwrap()).collect()
    };
    assert_eq!(values("chat.rejects"), [b"no\xff"], "a dead letter is the record that it was");
    let said = texts(&letters, "symbol").into_iter().map(|symbol| symbol.unwrap().into_bytes());
    assert_eq!(values("chat.letters"), said.collect::<Vec<_>>(), "one column is the whole value");

    // Another run goes on behind the last record, and numbers on.
    produce(broker, "chat", 1, [message("bob", b"!")]);
    let run = place.run(&["run", "chat.toml", "--quiet"]);
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    let forecasts = read_folder(&place.path("forecasts"));
    let events = column(&forecasts, "offset").as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(events, (0..12).collect::<Vec<i64>>());
    assert_eq!(by_key(&read_folder(&place.path("letters")))["bob"], ["o", "k", "(end)", "!", "(end)"]);
}
