//! What must be on the machine besides Rust, and how it gets there on Debian.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::build::{run, shown};
use crate::{Failure, say};

/// One thing that must be there.
pub struct Prerequisite {
    /// What it is called.
    name: &'static str,
    /// What needs it.
    why: &'static str,
    /// Debian's packages that bring it.
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

/// What the suites of real clients and the differential test need.
pub const CLIENTS: &[Prerequisite] = &[
    Prerequisite {
        name: "Python with venv",
        why: "boto3, PynamoDB, the AWS CLI and the differential test run on it",
        packages: &["python3", "python3-venv"],
        present: || answers("python3", &["-c", "import ensurepip, venv"]),
    },
    Prerequisite {
        name: "Node.js with npm",
        why: "the AWS SDK for JavaScript runs on it",
        packages: &["nodejs", "npm"],
        present: || answers("node", &["--version"]) && answers("npm", &["--version"]),
    },
    Prerequisite {
        name: "Go",
        why: "the AWS SDK for Go is tested with it",
        packages: &["golang-go"],
        present: || answers("go", &["version"]),
    },
    Prerequisite {
        name: "Java",
        why: "the AWS SDK for Java and DynamoDB Local run on it",
        packages: &["default-jdk-headless"],
        present: || answers("javac", &["-version"]),
    },
    Prerequisite {
        name: "Maven",
        why: "it fetches the AWS SDK for Java and DynamoDB Local",
        packages: &["maven"],
        present: || answers("mvn", &["--version"]),
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
