//! libtorch for the CPU, cut out of wheels from PyPI.
//!
//! PyPI's Linux wheel of torch is the CUDA build. Its `libtorch_cpu.so` works alone but for two small CUDA libraries that
//! the loader asks for, which have wheels of their own. tch needs exactly this release of torch: [`WHEELS`] and the
//! version of tch in the root `Cargo.toml` change together.

use std::env;
use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::failure::{Done, Failure};
use crate::tools::{self, Tool};
use crate::wheel::{Part, Wheel};
use crate::workspace::Workspace;

const WHEELS: &[Wheel] = &[
    Wheel {
        package: "torch",
        version: TORCH,
        platform: "manylinux_2_28_x86_64",
        sha256: "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
        parts: &[
            Part { from: "torch/include/", to: "include/" },
            Part { from: "torch/lib/libtorch_cpu.so", to: "lib/libtorch_cpu.so" },
            Part { from: "torch/lib/libc10.so", to: "lib/libc10.so" },
            Part { from: "torch/lib/libgomp.so.1", to: "lib/libgomp.so.1" },
        ],
    },
    Wheel {
        package: "nvidia-cuda-runtime",
        version: "13.0.96",
        platform: "manylinux2014_x86_64",
        sha256: "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548",
        parts: &[Part { from: "nvidia/cu13/lib/libcudart.so.13", to: "lib/libcudart.so.13" }],
    },
    Wheel {
        package: "nvidia-cuda-cupti",
        version: "13.0.85",
        platform: "manylinux_2_25_x86_64",
        sha256: "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8",
        parts: &[Part { from: "nvidia/cu13/lib/libcupti.so.13", to: "lib/libcupti.so.13" }],
    },
];

const TORCH: &str = "2.13.0";

/// What those wheels run on.
const SUPPORTED: bool = cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"));

/// Written last, with the pins that were installed: a folder without it is not ours to trust.
const STAMP: &str = "sluicegate-stamp";

/// Makes sure that there is a libtorch to build with: the user's own where there is one, ours otherwise.
///
/// Costs next to nothing when nothing is left to do.
pub(crate) fn set_up(workspace: &Workspace) -> Done {
    let folder = workspace.fetched("libtorch");
    match Choice::of(env::var_os("LIBTORCH").map(PathBuf::from), env::var_os("LIBTORCH_USE_PYTORCH").is_some(), &folder)
    {
        Choice::PyTorch => println!("libtorch: that of your PyTorch, since LIBTORCH_USE_PYTORCH is set"),
        Choice::Own(own) => {
            check_own(&own)?;
            println!("libtorch: your own, in {}, since LIBTORCH is set", own.display());
        }
        Choice::Ours if is_installed(&folder, WHEELS) => println!("libtorch {TORCH}: {}", folder.display()),
        Choice::Ours if !SUPPORTED => return Err(unsupported()),
        Choice::Ours => {
            tools::require(&[Tool::Compiler, Tool::Python, Tool::Pip])?;
            install(&folder, WHEELS)?;
            println!("libtorch {TORCH}: {}", folder.display());
        }
    }
    tools::require(&[Tool::Compiler])
}

/// Whose libtorch the build is going to use.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    Ours,
    Own(PathBuf),
    PyTorch,
}

impl Choice {
    /// Decides as torch-sys does. `.cargo/config.toml` sets LIBTORCH to `ours` for everything that cargo runs, unless the
    /// user has set it.
    fn of(libtorch: Option<PathBuf>, use_pytorch: bool, ours: &Path) -> Self {
        match libtorch {
            _ if use_pytorch => Self::PyTorch,
            Some(folder) if !is_same(&folder, ours) => Self::Own(folder),
            _ => Self::Ours,
        }
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

fn check_own(folder: &Path) -> Done {
    let library = format!("lib/{DLL_PREFIX}torch_cpu{DLL_SUFFIX}");
    match ["include", &library].into_iter().find(|part| !folder.join(part).exists()) {
        None => Ok(()),
        Some(absent) => Err(Failure::new(format!(
            "LIBTORCH is set to {}, where there is no {absent}; set it to the folder of libtorch {TORCH} that holds \
             `include` and `lib`, or unset it to use one that this command fetches",
            folder.display()
        ))),
    }
}

fn unsupported() -> Failure {
    Failure::new(format!(
        "libtorch can be fetched for Linux with glibc on x86_64 only, and this is {} on {}; unpack libtorch {TORCH} from \
         the PyTorch project yourself, set LIBTORCH to its folder (the one with `include` and `lib`), and run the same \
         command again",
        env::consts::OS,
        env::consts::ARCH
    ))
}

fn stamp(wheels: &[Wheel]) -> String {
    wheels.iter().map(|wheel| wheel.pin() + "\n").collect()
}

fn is_installed(folder: &Path, wheels: &[Wheel]) -> bool {
    let parts = wheels.iter().flat_map(|wheel| wheel.parts);
    fs::read_to_string(folder.join(STAMP)).is_ok_and(|found| found == stamp(wheels))
        && parts.map(|part| folder.join(part.to)).all(|path| path.exists())
}

/// Fetches everything beside `folder` and then puts it there in one step.
fn install(folder: &Path, wheels: &[Wheel]) -> Done {
    let parent = folder.parent().unwrap_or(folder);
    fs::create_dir_all(parent).map_err(Failure::io("create", parent))?;
    let _lock = lock(&folder.with_extension("lock"))?;
    if is_installed(folder, wheels) {
        return Ok(());
    }
    clear_leftovers(folder)?;
    println!("Fetching libtorch {TORCH} into {}: 540 MB to download, 490 MB to keep", folder.display());
    let scratch = Scratch::beside(folder, "partial")?;
    let fresh = scratch.0.join("libtorch");
    for wheel in wheels {
        let downloads = scratch.0.join(wheel.package);
        let file = wheel.download(&downloads)?;
        wheel.unpack(&file, &fresh)?;
        fs::remove_dir_all(&downloads).map_err(Failure::io("remove", &downloads))?;
    }
    finish(&fresh, &stamp(wheels))?;
    let replaced = Scratch::beside(folder, "replaced")?;
    if folder.exists() {
        fs::rename(folder, replaced.0.join("libtorch")).map_err(Failure::io("move away", folder))?;
    }
    fs::rename(&fresh, folder).map_err(Failure::io("put libtorch into", folder))
}

/// What the wheels do not hold: the name the linker asks for, the version that torch-sys checks, and last our stamp.
fn finish(fresh: &Path, stamp: &str) -> Done {
    let link = fresh.join("lib").join("libtorch.so");
    #[cfg(unix)]
    std::os::unix::fs::symlink("libtorch_cpu.so", &link).map_err(Failure::io("create", &link))?;
    for (name, text) in [("build-version", TORCH), (STAMP, stamp)] {
        let path = fresh.join(name);
        fs::write(&path, text).map_err(Failure::io("write", &path))?;
    }
    Ok(())
}

/// Keeps a second set-up of the same checkout waiting; the system releases it, also when we are killed.
fn lock(path: &Path) -> Done<File> {
    let file = File::create(path).map_err(Failure::io("create", path))?;
    if file.try_lock().is_err() {
        println!("Waiting for another set-up of this checkout");
        file.lock().map_err(Failure::io("lock", path))?;
    }
    Ok(file)
}

/// A folder for unfinished work beside the one it is for. Removed when dropped, or by the next run if we are killed.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(folder: &Path, role: &str) -> Done<Self> {
        let path = folder.with_extension(format!("{role}-{}", std::process::id()));
        fs::create_dir_all(&path).map_err(Failure::io("create", &path))?;
        Ok(Self(path))
    }

    fn is_one(path: &Path, folder: &Path) -> bool {
        let role = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        path.file_stem() == folder.file_stem() && (role.starts_with("partial-") || role.starts_with("replaced-"))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next set-up, which says so if it fails again.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes what set-ups that were killed have left beside `folder`. Only for who holds the lock.
fn clear_leftovers(folder: &Path) -> Done {
    let parent = folder.parent().unwrap_or(folder);
    for entry in fs::read_dir(parent).map_err(Failure::io("read", parent))? {
        let path = entry.map_err(Failure::io("read", parent))?.path();
        if Scratch::is_one(&path, folder) {
            println!("Removing what an interrupted set-up left in {}", path.display());
            fs::remove_dir_all(&path).map_err(Failure::io("remove", &path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn a_libtorch_of_the_users_own_wins() {
        let ours = Path::new("/checkout/.sluicegate/libtorch");
        assert_eq!(Choice::of(None, false, ours), Choice::Ours);
        assert_eq!(Choice::of(Some(ours.into()), false, ours), Choice::Ours);
        assert_eq!(Choice::of(Some("/opt/libtorch".into()), false, ours), Choice::Own("/opt/libtorch".into()));
        assert_eq!(Choice::of(Some("/opt/libtorch".into()), true, ours), Choice::PyTorch);
    }

    #[test]
    fn our_folder_is_known_under_another_spelling() {
        let temp = tempfile::tempdir().unwrap();
        let ours = temp.path().join("libtorch");
        fs::create_dir(&ours).unwrap();
        assert_eq!(Choice::of(Some(ours.join("..").join("libtorch")), false, &ours), Choice::Ours);
    }

    #[test]
    fn an_own_libtorch_that_lacks_a_part_is_refused_by_its_name() {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("include")).unwrap();
        let library = format!("lib/{DLL_PREFIX}torch_cpu{DLL_SUFFIX}");
        let failure = check_own(temp.path()).unwrap_err().to_string();
        assert!(failure.contains(&format!("where there is no {library};")), "{failure}");
        touch(&temp.path().join(library));
        check_own(temp.path()).unwrap();
    }

    #[test]
    fn only_a_folder_with_the_stamp_of_these_pins_and_all_its_parts_is_installed() {
        let temp = tempfile::tempdir().unwrap();
        let wheels = &WHEELS[1..];
        for part in wheels.iter().flat_map(|wheel| wheel.parts) {
            touch(&temp.path().join(part.to));
        }
        assert!(!is_installed(temp.path(), wheels));
        fs::write(temp.path().join(STAMP), stamp(wheels)).unwrap();
        assert!(is_installed(temp.path(), wheels));
        fs::write(temp.path().join(STAMP), stamp(&wheels[1..])).unwrap();
        assert!(!is_installed(temp.path(), wheels));
        fs::write(temp.path().join(STAMP), stamp(wheels)).unwrap();
        fs::remove_file(temp.path().join(wheels[0].parts[0].to)).unwrap();
        assert!(!is_installed(temp.path(), wheels));
    }

    #[test]
    fn what_a_killed_set_up_left_is_removed_and_nothing_else() {
        let temp = tempfile::tempdir().unwrap();
        for name in ["libtorch", "libtorch.partial-12", "libtorch.replaced-7", "libtorch.mine", "python"] {
            touch(&temp.path().join(name).join("file"));
        }
        clear_leftovers(&temp.path().join("libtorch")).unwrap();
        let mut left: Vec<_> = fs::read_dir(temp.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["libtorch", "libtorch.mine", "python"]);
    }
}
