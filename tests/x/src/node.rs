//! A fresh node in memory, for one suite, and how the pages of its admin port are read.

#![allow(
    clippy::disallowed_methods,
    reason = "the patience of a chore with a process is counted on the machine's clock"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::build::shown;

/// A node that has not printed its addresses or is not ready by then is given up.
const START_TIMEOUT: Duration = Duration::from_secs(30);
/// A node that has not stopped by then after a signal is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(20);
/// How often the node is asked.
const POLL: Duration = Duration::from_millis(20);

/// A running node. Dropping it kills it.
pub struct Node {
    process: Child,
    /// The HTTP endpoint, `http://127.0.0.1:PORT`.
    pub http: String,
    /// The DAX endpoint, `dax://127.0.0.1:PORT`.
    pub dax: String,
    /// The gRPC endpoint, `grpc://127.0.0.1:PORT`.
    pub grpc: String,
    /// The admin port, `http://127.0.0.1:PORT`.
    pub admin: String,
}

impl Node {
    /// Starts `forebay dev --in-memory` on free ports and waits until it is ready.
    pub fn dev(forebay: &Path) -> Result<Node, Failure> {
        let ports = ["--http-port", "--dax-port", "--grpc-port", "--admin-port"];
        let mut command = Command::new(forebay);
        command.args(["dev", "--in-memory"]).args(ports.iter().flat_map(|port| [port, "0"]));
        Node::launch(command)
    }

    /// Starts what becomes a node with all these ports and waits until it is ready.
    pub fn launch(mut command: Command) -> Result<Node, Failure> {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", shown(&command)))?;
        let stdout = process.stdout.take().ok_or("the node has no standard output")?;
        let mut node = Node {
            process,
            http: String::new(),
            dax: String::new(),
            grpc: String::new(),
            admin: String::new(),
        };
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || {
            // Read to the end, so that the node never blocks on a full pipe; nobody listens after the start.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        let until = Instant::now() + START_TIMEOUT;
        while node.http.is_empty() || node.dax.is_empty() || node.grpc.is_empty() || node.admin.is_empty() {
            let left = until.saturating_duration_since(Instant::now());
            let line = said
                .recv_timeout(left)
                .map_err(|_| "the node did not print its http, dax, grpc and admin addresses".to_owned())?;
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["http", url] => node.http = url.to_owned(),
                ["dax", url] => node.dax = url.to_owned(),
                ["grpc", url] => node.grpc = url.to_owned(),
                ["admin", url] => node.admin = url.to_owned(),
                _ => {}
            }
        }
        while !is_ready(&node.admin) {
            if Instant::now() > until {
                return Err(format!("the node is not ready; see {}/ready", node.admin));
            }
            std::thread::sleep(POLL);
        }
        Ok(node)
    }

    /// Asks the node to stop.
    pub fn terminate(&self) -> Result<(), Failure> {
        let sent = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        if sent.is_ok_and(|status| status.success()) {
            Ok(())
        } else {
            Err("the node had died before it was stopped".to_owned())
        }
    }

    /// Waits until it has stopped, which it must do by itself and well.
    pub fn wait(mut self) -> Result<(), Failure> {
        let until = Instant::now() + STOP_TIMEOUT;
        loop {
            match self.process.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("the node stopped badly: {status}")),
                Ok(None) if Instant::now() < until => std::thread::sleep(POLL),
                Ok(None) => return Err(format!("the node did not stop within {STOP_TIMEOUT:?}")),
                Err(error) => return Err(format!("cannot wait for the node: {error}")),
            }
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is_ready(admin: &str) -> bool {
    page(admin, "/ready").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

/// A page of an admin port, head and body.
pub fn page(admin: &str, path: &str) -> Result<String, Failure> {
    let address = admin.trim_start_matches("http://").trim_end_matches('/');
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().map_err(|error: std::io::Error| format!("{admin}{path}: {error}"))
}

/// The value of a sample on a page of metrics, by its name and labels as they are written there.
pub fn sample(page: &str, name: &str) -> Result<f64, Failure> {
    let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.and_then(|value| value.parse().ok()).ok_or_else(|| format!("{name} is not among the metrics"))
}
