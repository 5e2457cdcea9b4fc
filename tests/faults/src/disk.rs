//! A small disk: a file system of its own, in memory, of a given size.

use std::path::{Path, PathBuf};

use crate::tool::{FaultError, is_left_over, name, run};

/// The disk. Dropping it unmounts it with all that is on it.
#[derive(Debug)]
pub struct Disk(PathBuf);

impl Disk {
    /// An empty one. Unit: bytes. First removes what runs that were killed have left.
    pub fn new(bytes: u64) -> Result<Disk, FaultError> {
        sweep()?;
        let path = std::env::temp_dir().join(name());
        let shown = path.display().to_string();
        std::fs::create_dir(&path).map_err(|why| FaultError::system(&shown, why))?;
        let disk = Disk(path);
        let options = format!("size={bytes},mode=0700");
        run("mount", &["-t", "tmpfs", "-o", &options, "forebay-fault", &shown], "")?;
        Ok(disk)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Where it cannot be removed, the next run sweeps.
        let _ = remove(&self.0);
    }
}

fn remove(path: &Path) -> Result<(), FaultError> {
    // Lazily: a process that still has a file open keeps the file, and not the place.
    run("umount", &["--lazy", &path.display().to_string()], "")?;
    std::fs::remove_dir(path).map_err(|why| FaultError::system(path.display().to_string(), why))
}

fn sweep() -> Result<(), FaultError> {
    let mounts =
        std::fs::read_to_string("/proc/self/mounts").map_err(|why| FaultError::system("mounts", why))?;
    for path in mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new) {
        let ours = path.parent() == Some(&std::env::temp_dir());
        if ours && path.file_name().and_then(|name| name.to_str()).is_some_and(is_left_over) {
            // Another run may sweep at the same time.
            let _ = remove(path);
        }
    }
    Ok(())
}
