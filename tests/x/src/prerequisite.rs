//! What must be on the machine besides Rust, and how it gets there on Debian.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::build::{run, shown};
use crate::{Failure, say, toolchain};

/// One thing that must be there.
pub struct Prerequisite {
    /// What it is called.
    name: &'static str,
    /// What needs it.
    why: &'static str,
    /// Debian's packages that bring it, new enough in Debian 12.
    packages: &'static [&'static str],
    /// Whether it is there.
    present: fn() -> bool,
}

/// What the build needs.
pub const NATIVE: &[Prerequisite] = &[
    Prerequisite {
        name: "libclang",
        why: "the storage engine's bindings are generated from its C headers",
        packages: &["libclang-dev"],
        present: has_libclang,
    },
    Prerequisite {
        name: "a C++ compiler",
        why: "the storage engine is C++",
        packages: &["g++"],
        present: || ["c++", "g++", "clang++"].iter().any(|compiler| answers(compiler, &["--version"])),
    },
];

/// A version, as far as it matters: its first two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What the suites of real clients, of deploy/ and the differential test need, besides the toolchains of [`crate::toolchain`].
pub const CLIENTS: &[Prerequisite] = &[
    Prerequisite {
        name: "Python 3.10 or newer with venv",
        why: "boto3, PynamoDB, the AWS CLI and the differential test run on it",
        packages: &["python3", "python3-venv"],
        present: || {
            is_there("python3", &["--version"], Version(3, 10))
                && answers("python3", &["-c", "import ensurepip, venv"])
        },
    },
    Prerequisite {
        name: "openssl",
        why: "the suites that connect over TLS make their certificates with it",
        packages: &["openssl"],
        present: || answers("openssl", &["version"]),
    },
    Prerequisite {
        name: "a Java development kit 17 or newer",
        why: "the AWS SDK for Java and DynamoDB Local run on it",
        packages: &["default-jdk-headless"],
        present: || is_there("javac", &["-version"], Version(17, 0)),
    },
    Prerequisite {
        name: "Maven",
        why: "it fetches the AWS SDK for Java and DynamoDB Local",
        packages: &["maven"],
        present: || answers("mvn", &["--version"]),
    },
    Prerequisite {
        name: "buildah",
        why: "it builds the image of a node",
        packages: &["buildah"],
        present: || answers("buildah", &["--version"]),
    },
    Prerequisite {
        name: "systemd's tools, 250 or newer",
        why: "they check the unit of a node",
        packages: &["systemd"],
        present: || is_there("systemd-analyze", &["--version"], Version(250, 0)),
    },
    Prerequisite {
        name: "iproute2",
        why: "three nodes are run in network namespaces of their own",
        packages: &["iproute2"],
        present: || answers("ip", &["-Version"]),
    },
    Prerequisite {
        name: "curl",
        why: "the script of three local nodes asks them with it whether they are ready",
        packages: &["curl"],
        present: || answers("curl", &["--version"]),
    },
];

/// What the tests of faults need, besides root.
pub const FAULTS: &[Prerequisite] = &[
    Prerequisite {
        name: "iproute2",
        why: "the tests of faults give each node a network namespace",
        packages: &["iproute2"],
        present: || answers("ip", &["-V"]) && answers("tc", &["-V"]),
    },
    Prerequisite {
        name: "nftables",
        why: "the tests of faults drop packets with it",
        packages: &["nftables"],
        present: || answers("nft", &["--version"]),
    },
    Prerequisite {
        name: "libfaketime",
        why: "the tests of faults make the wall clock of one node jump with it",
        packages: &["libfaketime"],
        present: has_libfaketime,
    },
];

/// Makes sure that all of `needed` is there: installs what is missing where that is possible, else says how to.
pub fn ensure(needed: &[Prerequisite]) -> Result<(), Failure> {
    let missing: Vec<&Prerequisite> = needed.iter().filter(|one| !(one.present)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    for one in &missing {
        say(&format!("{} is missing: {}", one.name, one.why));
    }
    let packages: Vec<&str> = missing.iter().flat_map(|one| one.packages).copied().collect();
    install(&packages)?;
    match missing.iter().find(|one| !(one.present)()) {
        None => Ok(()),
        Some(one) => Err(format!("{} is still missing after installing {}", one.name, packages.join(" "))),
    }
}

/// Makes sure of all that the suites of real clients need, and answers the PATH they are to run with.
pub fn ensure_clients() -> Result<OsString, Failure> {
    ensure(CLIENTS)?;
    toolchain::path(&toolchain::ensure()?)
}

fn install(packages: &[&str]) -> Result<(), Failure> {
    let by_hand = format!("apt-get update && apt-get install -y {}", packages.join(" "));
    if !answers("apt-get", &["--version"]) {
        return Err(format!(
            "this machine has no apt-get; install these by its own means: {}",
            packages.join(" ")
        ));
    }
    let prefix: &[&str] = if is_root() {
        &[]
    } else if answers("sudo", &["-n", "true"]) {
        &["sudo", "-n"]
    } else {
        return Err(format!("installing needs root; run this and try again:\n\n  sudo sh -c '{by_hand}'\n"));
    };
    say(&format!("installing from Debian: {}", packages.join(" ")));
    run(&mut apt(prefix, &["update", "-q"]))?;
    let mut install = vec!["install", "-q", "-y", "--no-install-recommends"];
    install.extend(packages);
    run(&mut apt(prefix, &install))
}

fn apt(prefix: &[&str], args: &[&str]) -> Command {
    // Through env, because sudo drops variables that are merely set.
    let mut words = prefix.to_vec();
    words.extend(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(args).stdin(Stdio::null());
    command
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Whether `program args` ends well. What it prints is of no interest.
fn answers(program: &str, args: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Whether `program args` ends well and says a version of at least `least`.
pub fn is_there(program: &str, args: &[&str], least: Version) -> bool {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output();
    output.is_ok_and(|output| {
        let said = String::from_utf8_lossy(&output.stdout);
        output.status.success() && version(&said).is_some_and(|version| version >= least)
    })
}

/// The first version in a text such as `go version go1.24.3 linux/amd64`, `v20.1.0` or `javac 25`.
fn version(text: &str) -> Option<Version> {
    let start = text.find(|letter: char| letter.is_ascii_digit())?;
    let mut numbers = text[start..].split(|letter: char| !letter.is_ascii_digit());
    let major = numbers.next()?.parse().ok()?;
    let dotted = text[start..].trim_start_matches(|letter: char| letter.is_ascii_digit()).starts_with('.');
    let minor = if dotted { numbers.next().and_then(|minor| minor.parse().ok()).unwrap_or(0) } else { 0 };
    Some(Version(major, minor))
}

/// Whether a program can be told another time. The loader passes over what it can't load, so that the time itself is looked at.
fn has_libfaketime() -> bool {
    let mut date = Command::new("date");
    date.arg("+%Y").stdin(Stdio::null()).stderr(Stdio::null());
    date.env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketimeMT.so.1").env("FAKETIME", "@2001-06-15 12:00:00");
    date.output().is_ok_and(|output| output.stdout.trim_ascii() == b"2001")
}

/// Where the bindings' generator looks for libclang, near enough: its own variable, LLVM's folders, the library folders.
fn has_libclang() -> bool {
    if std::env::var_os("LIBCLANG_PATH").is_some() {
        return true;
    }
    let llvm = folders_in("/usr/lib", "llvm").into_iter().map(|folder| format!("{folder}/lib"));
    let multiarch = folders_in("/usr/lib", "").into_iter().filter(|folder| folder.ends_with("-linux-gnu"));
    llvm.chain(multiarch)
        .chain(["/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/opt/llvm/lib"].map(str::to_owned))
        .any(|folder| holds_libclang(Path::new(&folder)))
}

fn holds_libclang(folder: &Path) -> bool {
    names_in(folder).iter().any(|name| {
        let libclang = name.starts_with("libclang.") || name.starts_with("libclang-");
        libclang && !name.starts_with("libclang-cpp") && (name.contains(".so") || name.ends_with(".dylib"))
    })
}

fn folders_in(parent: &str, prefix: &str) -> Vec<String> {
    let names = names_in(Path::new(parent));
    names.into_iter().filter(|name| name.starts_with(prefix)).map(|name| format!("{parent}/{name}")).collect()
}

/// A folder that is absent or unreadable holds nothing for us.
fn names_in(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The command that installs the components of Rust that `check` needs, run if they are missing.
pub fn ensure_rust_components() -> Result<(), Failure> {
    let wanted = [("rustfmt", "fmt"), ("clippy", "clippy")];
    for (component, subcommand) in wanted {
        if answers("cargo", &[subcommand, "--version"]) {
            continue;
        }
        say(&format!("{component} is missing: check needs it"));
        let mut add = Command::new("rustup");
        add.args(["component", "add", component]);
        let command = shown(&add);
        run(&mut add)
            .map_err(|failure| format!("{failure}; install {component} (with rustup: {command})"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_tools_print_them() {
        for (said, meant) in [
            ("go version go1.19.8 linux/amd64", Version(1, 19)),
            ("v18.20.4\n", Version(18, 20)),
            ("Python 3.11.2", Version(3, 11)),
            ("javac 17.0.15", Version(17, 0)),
            ("javac 25 (build 36)", Version(25, 0)),
            ("javac 1.8.0_402", Version(1, 8)),
        ] {
            assert_eq!(version(said), Some(meant), "{said}");
        }
        assert_eq!(version("no version"), None);
    }

    #[test]
    fn what_is_older_or_absent_is_not_there() {
        assert!(is_there("sh", &["-c", "echo v20.1.0"], Version(20, 0)));
        assert!(!is_there("sh", &["-c", "echo v18.20.4"], Version(20, 0)));
        assert!(!is_there("sh", &["-c", "echo v20.1.0; exit 1"], Version(20, 0)));
        assert!(!is_there("there-is-no-such-program", &[], Version(0, 0)));
    }
}
