//! An object store that speaks S3 (moto, in Python), and looks at it by clients that are not ours.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::Ended;

/// What the store's user is called; it takes any.
const USER: &str = "tester";
/// What must never be seen anywhere.
pub const SECRET: &str = "wJalrXUtnFEMIsecret";

/// A store on a free port of 127.0.0.1. It ends with the value, and with this process.
pub struct Store {
    server: Child,
    url: String,
}

fn python() -> Command {
    let python = std::env::var_os("SLUICEGATE_PYTHON").expect("SLUICEGATE_PYTHON is set by .cargo/config.toml");
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/s3.py"));
    command
}

impl Store {
    /// Starts it, with a bucket of each name.
    pub fn start(buckets: &[&str]) -> Self {
        let mut server = python()
            .arg("serve")
            .args(buckets)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the Python that `cargo xtask test` makes");
        let mut url = String::new();
        let out = server.stdout.take().expect("its output");
        BufReader::new(out).read_line(&mut url).expect("a line");
        assert!(
            url.starts_with("http://127.0.0.1:"),
            "the store did not start: is moto in the Python of the tests? {url}"
        );
        Self { server, url: url.trim().to_owned() }
    }

    /// Lets a command reach the store.
    pub fn known_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ALLOW_HTTP", "true")
            .env("AWS_REGION", "us-east-1")
            .env("AWS_DEFAULT_REGION", "us-east-1")
            .env("AWS_ACCESS_KEY_ID", USER)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
    }

    /// One of the commands in `s3.py`; its output.
    pub fn ask(&self, args: &[&str]) -> String {
        let ended: Ended = self.known_to(&mut python()).args(args).output().expect("Python starts").into();
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stderr);
        ended.stdout
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
    }
}
