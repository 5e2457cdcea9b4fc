//! The number a node has in its cluster, kept beside its data.
//!
//! A number is for ever: a node that has lost its data has forgotten how it voted, and comes back under another. So the number
//! stands in the same directory as what it stands for, and is on the disk before anybody is told of it.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const FILE: &str = "node.json";

/// A node's number, and how it came by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The cluster's name.
    pub cluster: String,
    /// The number.
    pub node: u64,
    /// Where it comes from.
    pub origin: Origin,
    /// The names of the clusters of whose data this one was made, the oldest first. Written by `forebay recover`, which gives none of
    /// them again: nodes of those that come back would take this one for theirs. None in a file of an older program.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub former: Vec<String>,
}

impl Identity {
    /// Of a node of a cluster that was made of no other's data, as far as it knows.
    pub fn new(cluster: impl Into<String>, node: u64, origin: Origin) -> Identity {
        Identity { cluster: cluster.into(), node, origin, former: Vec::new() }
    }

    /// Whether a node of a cluster may be started over the data that this belongs to, in `data`. Errors: why not, and what to do.
    pub fn serves(&self, cluster: &str, data: &Path) -> Result<(), String> {
        let data = data.display();
        if self.origin == Origin::Recovering {
            return Err(format!(
                "`forebay recover` was cut short while it made another cluster of the data in {data}, which is of member {}. Nothing was \
                 changed. Run it again, with the same settings: it goes on where it was",
                self.node
            ));
        }
        if self.cluster != cluster {
            return Err(format!(
                "the data belongs to the cluster {:?}, and [cluster] name is {cluster:?}. Nothing was changed. Set the name back, or, where \
                 that cluster is lost and this one was made of another node's data by `forebay recover`, give this node an empty data \
                 directory in the place of {data}",
                self.cluster
            ));
        }
        Ok(())
    }

    /// Whether a cluster that is made of this data may not have a name, since nodes may come back that know each other by it.
    pub fn had(&self, name: &str) -> bool {
        self.cluster == name || self.former.iter().any(|former| former == name)
    }
}

/// How a node came by its number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// By its place among those that begin the cluster, which may not all know it yet.
    Founding {
        /// Their addresses, in order.
        nodes: Vec<String>,
    },
    /// By its place among those that began the cluster; all of them know.
    Founded {
        /// Their addresses, in order.
        nodes: Vec<String>,
    },
    /// It was given by the primary.
    Joined,
    /// It has the number that it had in the cluster named here, and `forebay recover` is making another cluster of its data: nothing
    /// may be started over it before that has come to its end.
    Recovering,
}

/// Where the number is kept.
#[derive(Debug, Clone)]
pub struct IdentityFile {
    // None: the node keeps nothing, and begins anew each time.
    path: Option<PathBuf>,
}

impl IdentityFile {
    /// Beside the data; nowhere, for a node whose data is in memory.
    pub fn beside(data: Option<&Path>) -> IdentityFile {
        IdentityFile { path: data.map(|data| data.join(FILE)) }
    }

    /// The directory of the data. Where nothing is kept, that is no path.
    pub fn data(&self) -> &Path {
        self.path.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
    }

    /// The number, if there is one. Errors: a file that can't be read, or is not what this program writes.
    pub fn read(&self) -> io::Result<Option<Identity>> {
        let Some(path) = &self.path else { return Ok(None) };
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                let what = format!("{} is damaged: {error}", path.display());
                io::Error::new(io::ErrorKind::InvalidData, what)
            }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps the number; it is on the disk when this returns. Whatever happens in between, the old or the new one is there.
    pub fn write(&self, identity: &Identity) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let Some(directory) = path.parent() else { return Ok(()) };
        std::fs::create_dir_all(directory)?;
        let new = path.with_extension("new");
        let mut file = File::create(&new)?;
        file.write_all(&serde_json::to_vec(identity).map_err(io::Error::other)?)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        File::open(directory)?.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_back_and_a_damaged_one_is_not_taken_for_none() {
        let directory = std::env::temp_dir().join(format!("forebay-identity-{}", std::process::id()));
        let file = IdentityFile::beside(Some(&directory));
        assert_eq!(file.read().unwrap(), None);
        let nodes = vec!["a:1".to_owned(), "b:1".to_owned()];
        let origins = [
            Origin::Founding { nodes: nodes.clone() },
            Origin::Founded { nodes },
            Origin::Joined,
            Origin::Recovering,
        ];
        for origin in origins {
            let identity = Identity { former: vec!["b".into()], ..Identity::new("c", 2, origin) };
            file.write(&identity).unwrap();
            assert_eq!(file.read().unwrap(), Some(identity));
        }
        // As a program wrote it that knew of no recovery.
        let older = r#"{"cluster":"c","node":2,"origin":"joined"}"#;
        std::fs::write(directory.join(FILE), older).unwrap();
        let joined = Identity::new("c", 2, Origin::Joined);
        assert_eq!(file.read().unwrap().as_ref(), Some(&joined));
        file.write(&joined).unwrap();
        assert_eq!(std::fs::read_to_string(directory.join(FILE)).unwrap(), older);
        std::fs::write(directory.join(FILE), "{").unwrap();
        assert!(file.read().unwrap_err().to_string().contains("damaged"));
        std::fs::remove_dir_all(&directory).unwrap();
        let nowhere = IdentityFile::beside(None);
        nowhere.write(&joined).unwrap();
        assert_eq!(nowhere.read().unwrap(), None);
    }
}
