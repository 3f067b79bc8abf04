//! A store that speaks S3, as the environment describes it.

use std::str::FromStr as _;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, S3CopyIfNotExists};
use object_store::{ClientConfigKey, RetryConfig};

/// A call that fails in a way that may pass is tried again so often, and for so long, before it is an error: long enough for a
/// server that is started anew, short enough for whoever mistyped its address.
const RETRIES_MAX: usize = 12;
const RETRY_WITHIN: Duration = Duration::from_secs(30);

/// Variables that would name another bucket than the URL does.
const NOT_TAKEN: [&str; 2] = ["aws_bucket", "aws_bucket_name"];

/// The client of a bucket. Nothing is asked yet.
///
/// # Errors
/// What is wrong with the environment; values are not repeated unless the client does, which knows which of them are secret.
pub(crate) fn store(bucket: &str, environment: impl Iterator<Item = (String, String)>) -> Result<AmazonS3, String> {
    let settings: Vec<(AmazonS3ConfigKey, String)> = environment
        .filter_map(|(name, value)| {
            let name = name.to_ascii_lowercase();
            let taken = name.starts_with("aws_") && !NOT_TAKEN.contains(&name.as_str());
            let key = taken.then(|| AmazonS3ConfigKey::from_str(&name).ok()).flatten()?;
            Some((key, value))
        })
        .collect();
    check_endpoint(&settings)?;
    let retry = RetryConfig { max_retries: RETRIES_MAX, retry_timeout: RETRY_WITHIN, ..RetryConfig::default() };
    // What the environment says comes after, and wins.
    let builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_retry(retry)
        .with_copy_if_not_exists(S3CopyIfNotExists::Multipart);
    let builder = settings.into_iter().fold(builder, |builder, (key, value)| builder.with_config(key, value));
    builder.build().map_err(|error| error.to_string())
}

/// Refuses a server without TLS that is not known to be meant, of which the client alone would not say why it cannot be asked, and
/// one with credentials in its URL, which the client repeats in every error.
fn check_endpoint(settings: &[(AmazonS3ConfigKey, String)]) -> Result<(), String> {
    let is_http = |value: &str| value.trim().to_ascii_lowercase().starts_with("http://");
    let allows = |(key, value): &(AmazonS3ConfigKey, String)| {
        *key == AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp) && value.trim().eq_ignore_ascii_case("true")
    };
    let names_server =
        |key: &AmazonS3ConfigKey| matches!(key, AmazonS3ConfigKey::Endpoint | AmazonS3ConfigKey::S3Endpoint);
    let endpoints = || settings.iter().filter(|(key, _)| names_server(key)).map(|(_, value)| value);
    if endpoints().any(|value| value.contains('@')) {
        return Err("AWS_ENDPOINT_URL holds a user or a password; leave them out, and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            .to_owned());
    }
    if endpoints().any(|value| is_http(value)) && !settings.iter().any(allows) {
        return Err("AWS_ENDPOINT_URL names a server without TLS; set AWS_ALLOW_HTTP=true if that is meant".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(environment: &[(&str, &str)]) -> Result<AmazonS3, String> {
        store("meters", environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn the_bucket_is_that_of_the_url_and_the_secret_is_not_shown() {
        let keys = [
            ("AWS_ACCESS_KEY_ID", "tester"),
            ("AWS_SECRET_ACCESS_KEY", "hunter2"),
            ("AWS_BUCKET", "other"),
            ("HOME", "/"),
        ];
        let shown = format!("{} {0:?}", of(&keys).unwrap());
        assert!(shown.contains("meters") && !shown.contains("other"), "{shown}");
        assert!(!of(&keys).unwrap().to_string().contains("hunter2"));
    }

    #[test]
    fn a_server_without_tls_has_to_be_meant() {
        for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT", "aws_endpoint_url_s3"] {
            let server = (name, "HTTP://127.0.0.1:9000");
            assert!(of(&[server]).unwrap_err().contains("AWS_ALLOW_HTTP=true"), "{name}");
            assert!(of(&[server, ("AWS_ALLOW_HTTP", "false")]).is_err());
            assert!(of(&[server, ("AWS_ALLOW_HTTP", "true")]).is_ok());
        }
        assert!(of(&[("AWS_ENDPOINT_URL", "https://127.0.0.1:9000")]).is_ok());
    }

    #[test]
    fn a_server_with_credentials_in_its_url_is_refused_without_repeating_them() {
        for name in ["AWS_ENDPOINT_URL", "AWS_ENDPOINT", "aws_endpoint_url_s3"] {
            let refused = of(&[(name, "https://me:hunter2@127.0.0.1:9000")]).unwrap_err();
            assert!(refused.contains("AWS_SECRET_ACCESS_KEY") && !refused.contains("hunter2"), "{refused}");
        }
    }
}
