//! What a path or URL in the settings means.

use std::path::{Path, PathBuf};

use crate::PlaceError;

/// Where something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// In the local file system.
    Local(PathBuf),
    /// In a bucket of an object store that speaks S3.
    S3 {
        /// The name of the bucket.
        bucket: String,
        /// What follows it, without a `/` in front or at the end; empty for the bucket itself.
        key: String,
    },
}

/// Whether a path in the settings is a URL rather than a local path.
pub fn is_url(path: &str) -> bool {
    scheme(path).is_some()
}

fn scheme(path: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = path.split_once("://")?;
    // One letter would be a drive.
    let named = scheme.len() > 1 && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    named.then_some((scheme, rest))
}

impl Address {
    /// What `path` means: an `s3://` or `file://` URL, or a local path, which starts at `base_dir` when it is relative.
    ///
    /// Nothing in a key is decoded: `%20`, `*` and `?` stand for themselves.
    ///
    /// ```
    /// use std::path::Path;
    /// use sluicegate_place::Address;
    ///
    /// let history = Address::parse("s3://meters/2024/*.parquet", Path::new("/pipelines"))?;
    /// assert_eq!(history, Address::S3 { bucket: "meters".into(), key: "2024/*.parquet".into() });
    /// assert!(Address::parse("s3://me:secret@meters/2024", Path::new("")).is_err());
    /// # Ok::<(), sluicegate_place::PlaceError>(())
    /// ```
    ///
    /// # Errors
    /// [`PlaceError::Credentials`] and [`PlaceError::Url`].
    pub fn parse(path: &str, base_dir: &Path) -> Result<Self, PlaceError> {
        let Some((scheme, rest)) = scheme(path) else { return Ok(Self::Local(base_dir.join(path))) };
        let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
        let signed = ["x-amz-", "awsaccesskeyid="].iter().any(|mark| rest.to_ascii_lowercase().contains(mark));
        if authority.contains('@') || signed {
            return Err(PlaceError::Credentials);
        }
        let refused = |message: &str| PlaceError::Url { url: path.to_owned(), message: message.to_owned() };
        match scheme.to_ascii_lowercase().as_str() {
            "s3" | "s3a" if authority.is_empty() => Err(refused("it names no bucket; write s3://BUCKET/FOLDER")),
            "s3" | "s3a" if authority.contains([':', '?', '#']) => {
                Err(refused("a bucket has no port; name the server by AWS_ENDPOINT_URL in the environment"))
            }
            "s3" | "s3a" => {
                let key = key.trim_matches('/');
                if key.split('/').any(|part| part.is_empty() && !key.is_empty() || part == "." || part == "..") {
                    return Err(refused("its folders must have names, other than `.` and `..`"));
                }
                Ok(Self::S3 { bucket: authority.to_owned(), key: key.to_owned() })
            }
            "file" => {
                // Names may hold a `?`, which in a URL would begin something else.
                let parsed = url::Url::parse(&path.replace('?', "%3F")).ok();
                let local = parsed.and_then(|url| url.to_file_path().ok());
                local.map(Self::Local).ok_or_else(|| refused("write file:///FOLDER, with three slashes"))
            }
            _ => Err(refused("s3:// and file:// URLs are known, and local paths")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Result<Address, String> {
        Address::parse(path, Path::new("/base")).map_err(|error| error.to_string())
    }

    #[test]
    fn paths_and_urls_are_told_apart() {
        assert_eq!(parse("out/power"), Ok(Address::Local("/base/out/power".into())));
        assert_eq!(parse("/out"), Ok(Address::Local("/out".into())));
        assert_eq!(parse("file:///a/b%20c/*.x?"), Ok(Address::Local("/a/b c/*.x?".into())));
        let s3 = |bucket: &str, key: &str| Ok(Address::S3 { bucket: bucket.into(), key: key.into() });
        assert_eq!(parse("s3://b"), s3("b", ""));
        assert_eq!(parse("S3://b/x/"), s3("b", "x"));
        assert_eq!(parse("s3a://b/x/[ab]?%20.parquet"), s3("b", "x/[ab]?%20.parquet"));
        assert!(!is_url("c://x") && !is_url("a b://x") && is_url("https://x"));
    }

    #[test]
    fn credentials_are_refused_without_repeating_them() {
        for url in
            ["s3://me:hunter2@b/x", "https://me:hunter2@h/x", "s3://b/x?X-Amz-Signature=hunter2", "s3://hunter2@b"]
        {
            let refused = parse(url).unwrap_err();
            assert!(refused.contains("environment") && !refused.contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn urls_that_lead_nowhere_say_what_to_write() {
        let cases = [
            ("s3:///x", "names no bucket"),
            ("s3://b:9000/x", "AWS_ENDPOINT_URL"),
            ("s3://b/a//c", "must have names"),
            ("s3://b/../c", "must have names"),
            ("gs://b/x", "s3:// and file:// URLs are known"),
            ("file://host/x", "three slashes"),
        ];
        for (url, message) in cases {
            let refused = parse(url).unwrap_err();
            assert!(refused.contains(message) && refused.contains(url), "{refused}");
        }
    }
}
