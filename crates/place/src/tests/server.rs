//! A server that speaks as much of S3 as one file needs, and loses answers.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use object_store::path::Path;

use crate::{Place, s3};

/// What becomes of a request to write a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Put {
    /// It is done, and the connection closed without an answer.
    DoneAndCutOff,
    /// It is done, and nothing is heard until the client gives up.
    DoneAndSilent,
    /// It is not done, and nothing is heard until the client gives up.
    Silent,
}

/// A place in a bucket of a server that deals so with the first requests to write, and as it should with all later ones.
pub(super) fn place(puts: &[Put]) -> Place {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let puts: VecDeque<Put> = puts.iter().copied().collect();
    // Ends with the tests.
    std::thread::spawn(move || serve(&listener, puts));
    let environment = [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_ACCESS_KEY_ID", "tester"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_TIMEOUT", "500ms"),
    ];
    let store = s3::store("b", environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Place::of(Arc::new(store.unwrap()), Path::default(), "s3://b".into()).unwrap()
}

fn serve(listener: &TcpListener, mut puts: VecDeque<Put>) {
    let mut files: HashMap<String, Vec<u8>> = HashMap::new();
    // Connections that are left open without an answer.
    let mut silent = Vec::new();
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let (method, path, body) = request(&stream);
        let (status, content) = match method.as_str() {
            "PUT" => {
                let fate = puts.pop_front();
                let is_new = !files.contains_key(&path);
                if is_new && !matches!(fate, Some(Put::Silent)) {
                    files.insert(path, body);
                }
                match fate {
                    Some(Put::DoneAndCutOff) => continue,
                    Some(Put::DoneAndSilent | Put::Silent) => {
                        silent.push(stream);
                        continue;
                    }
                    None if is_new => ("200 OK", Vec::new()),
                    None => ("412 Precondition Failed", Vec::new()),
                }
            }
            _ => match files.get(&path) {
                Some(found) => ("200 OK", found.clone()),
                None => ("404 Not Found", Vec::new()),
            },
        };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"1\"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nConnection: close\r\n\r\n",
            content.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&content).unwrap();
    }
}

/// Method, path and body of a request.
fn request(stream: &TcpStream) -> (String, String, Vec<u8>) {
    let mut lines = BufReader::new(stream);
    let mut line = || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    };
    let first = line();
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let mut len = 0;
    loop {
        let header = line().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            len = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; len];
    lines.read_exact(&mut body).unwrap();
    (method, path, body)
}
