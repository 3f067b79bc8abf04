//! Places without room: a file system of a few kilobytes, and a limit to the size of files.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The longest that a mount may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A small file system in memory over a folder, seen by the commands that are run in it and by nobody else. It goes when this is
/// dropped, with all that is in it.
pub struct SmallDisk {
    folder: PathBuf,
    /// A process that does nothing but keep the mount there.
    holder: Child,
    /// What leads a command into the mount.
    enter: Vec<String>,
}

impl SmallDisk {
    /// Mounts one of so many KiB over a folder that is there: as this user in a namespace of the user's own, or as root.
    ///
    /// # Errors
    /// When this machine lets nobody do so, and why.
    pub fn mount(folder: &Path, kib: u64) -> Result<Self, String> {
        let of_user = Self::mount_with(folder, kib, "-Urm", &["--preserve-credentials", "-U", "-m"]);
        let first = match of_user {
            Ok(disk) => return Ok(disk),
            Err(why) => why,
        };
        Self::mount_with(folder, kib, "-m", &["-m"]).map_err(|second| {
            format!("no small file system can be mounted here: as a user: {first}; as root: {second}")
        })
    }

    fn mount_with(folder: &Path, kib: u64, unshare: &str, enter: &[&str]) -> Result<Self, String> {
        let script =
            format!("mount -t tmpfs -o size={kib}k tmpfs \"$0\" && : > \"$0/.mounted\" && exec sleep infinity");
        let mut holder = Command::new("unshare")
            .args([unshare, "sh", "-c", &script])
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let (begun, seen) = (Instant::now(), seen_by(&holder, folder).join(".mounted"));
        while !seen.exists() {
            let over = holder.try_wait().map_err(|error| error.to_string())?.is_some();
            if over || begun.elapsed() > PATIENCE {
                let _ = holder.kill();
                let said = holder.wait_with_output().map_err(|error| error.to_string())?.stderr;
                return Err(String::from_utf8_lossy(&said).trim().to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let mut enter: Vec<String> = enter.iter().map(|&arg| arg.to_owned()).collect();
        enter.extend(["-t".to_owned(), holder.id().to_string()]);
        Ok(Self { folder: folder.to_owned(), holder, enter })
    }

    /// The same command, for which the folder is the small file system.
    pub fn command(&self, inner: &Command) -> Command {
        let mut command = Command::new("nsenter");
        // The folder that nsenter was started in is outside of the mount, though of the same name.
        let script = "cd \"$0\" && exec \"$@\"";
        command.args(&self.enter).args(["--", "sh", "-c", script]);
        command.arg(inner.get_current_dir().unwrap_or(Path::new("/")));
        wrap(command, inner)
    }

    /// Where this process sees what is on it.
    pub fn seen(&self) -> PathBuf {
        seen_by(&self.holder, &self.folder)
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        let zeros = vec![0; 4096];
        let mut filler = std::fs::File::create(self.seen().join(".filler")).expect("a file on the small disk");
        while std::io::Write::write(&mut filler, &zeros).is_ok_and(|written| written > 0) {}
    }

    /// Makes room again.
    pub fn free(&self) {
        std::fs::remove_file(self.seen().join(".filler")).expect("the file that filled the small disk");
    }

    /// Gives it another size.
    pub fn resize(&self, kib: u64) {
        let mut remount = Command::new("mount");
        remount.args(["-o", &format!("remount,size={kib}k")]).arg(&self.folder);
        assert!(self.command(&remount).status().expect("a shell").success(), "it cannot be given another size");
    }

    /// Ends it, and puts what is on it into the folder itself.
    pub fn keep(self) {
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(self.seen().join(".")).arg(&self.folder);
        assert!(copy.status().expect("cp").success(), "what is on the small disk cannot be copied");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Nothing to be done about one that is gone already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

fn seen_by(holder: &Child, folder: &Path) -> PathBuf {
    let root = format!("/proc/{}/root", holder.id());
    Path::new(&root).join(folder.strip_prefix("/").unwrap_or(folder))
}

/// The same command under a limit to the size of files it may write, in blocks of 512 bytes.
pub fn limited(inner: &Command, blocks: u64) -> Command {
    let mut command = Command::new("sh");
    // The signal that comes with the limit is ignored, so that writing fails instead, as on a full disk.
    command.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
    if let Some(folder) = inner.get_current_dir() {
        command.current_dir(folder);
    }
    wrap(command, inner)
}

/// Puts the program of `inner`, with its arguments and variables, behind those of `outer`.
fn wrap(mut outer: Command, inner: &Command) -> Command {
    outer.arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}
