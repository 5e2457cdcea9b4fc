//! Where the operator of a node that stands alone asks: a socket in its data directory.
//!
//! Such a node has no peer port and no secret. Whoever may use the socket owns the data, and may ask and change whatever a cluster's
//! operator may. It lies in a directory of its own, that nobody else may enter. A node that keeps nothing on disk has none.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use raft::BoxedStream;
use store::Embedded;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use crate::cache::Cache;
use crate::cluster::control::{Conversation, Desk, Seat};
use crate::cluster::presence::Presence;
use crate::config::Config;

/// Most conversations at a time; one more is closed.
const CONVERSATIONS_MAX: usize = 8;
/// Longest that one of them may take.
const CONVERSATION_LIMIT: Duration = Duration::from_secs(60);
/// The pause after a connection that could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The socket, served until this is dropped.
pub struct Served {
    task: tokio::task::JoinHandle<()>,
    path: PathBuf,
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
        // What is left over is removed by the next start.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Serves questions about a node that stands alone, if it has a place for them. Call it while the store is open: then the data
/// directory is this process's, and a socket that lies there is of one that has ended.
pub fn serve(config: &Config, store: &Arc<Embedded>, cache: &Arc<Cache>) -> Option<Served> {
    if config.store.in_memory {
        return None;
    }
    let path = socket(&config.store.data);
    match listen(&path) {
        Ok(listener) => {
            let desk = Arc::new(Desk::alone(""));
            let presence = Arc::new(Presence::new(store.log().node_id()));
            desk.member(Seat { store: Arc::clone(store), presence, cache: Arc::clone(cache) });
            Some(Served { task: tokio::spawn(accept(listener, desk)), path })
        }
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "`forebay status` and `forebay param` can't reach this node");
            None
        }
    }
}

fn socket(data: &Path) -> PathBuf {
    data.join("control").join("socket")
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    match std::fs::DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    UnixListener::bind(path)
}

async fn accept(listener: UnixListener, desk: Arc<Desk>) {
    let places = Arc::new(Semaphore::new(CONVERSATIONS_MAX));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let desk = Arc::clone(&desk);
        tokio::spawn(async move {
            let mut stream: BoxedStream = Box::new(stream);
            // An error is somebody who went away.
            let _ = tokio::time::timeout(CONVERSATION_LIMIT, desk.serve(&mut stream)).await;
            drop(place);
        });
    }
}

/// A conversation with the node that stands alone over this data.
pub async fn reach(data: &Path) -> io::Result<Conversation> {
    let path = socket(data);
    let unreachable = |error: io::Error| {
        let why = format!(
            "{}: {error}; is the node of this config running, and may you read its data directory?",
            path.display()
        );
        io::Error::new(error.kind(), why)
    };
    Ok(Conversation::over(Box::new(UnixStream::connect(&path).await.map_err(unreachable)?)))
}
