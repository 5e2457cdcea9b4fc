//! A real node: the binary as a process, started, watched, stopped or killed.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::wire::{Reply, Wire};

/// A node that is not ready by then has failed.
pub const START_TIMEOUT: Duration = Duration::from_secs(60);
/// A node that has not stopped by then after a signal has failed.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// What a node counts as late as that, it does not count.
const COUNT_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a process is looked at.
const POLL: Duration = Duration::from_millis(5);

/// Where the binary is: `FOREBAY_BIN`, or beside the test programs where cargo puts it. Panics where there is none: a test
/// of the binary without the binary is a failed test.
pub fn binary() -> PathBuf {
    if let Some(path) = std::env::var_os("FOREBAY_BIN") {
        let path = PathBuf::from(path);
        assert!(path.exists(), "FOREBAY_BIN is {}, which does not exist", path.display());
        return path;
    }
    let test = std::env::current_exe().expect("a program knows where it is");
    // target/release/deps/TEST
    let path = test.ancestors().nth(2).expect("test programs stand in target/release/deps").join("forebay");
    assert!(
        path.exists(),
        "there is no {}; build it with `cargo build --release -p forebay-proxy`, or set FOREBAY_BIN",
        path.display()
    );
    path
}

/// A running node. Dropping it kills it.
pub struct Node {
    process: Child,
    /// Where DynamoDB's API is served.
    pub http: SocketAddr,
    /// Where DAX is served in plain text, if it is.
    pub dax: Option<SocketAddr>,
    /// Where DAX is served over TLS, if it is.
    pub dax_tls: Option<SocketAddr>,
    /// Where gRPC is served.
    pub grpc: SocketAddr,
    /// Where health and metrics are served.
    pub admin: SocketAddr,
    /// From the start of the process until `/ready` said so.
    pub ready_after: Duration,
}

/// A process that may become a node, and may be asked by its admin port. Dropping it kills it.
pub struct Spawned {
    process: Child,
    said: std::sync::Arc<std::sync::Mutex<String>>,
    // Ends behind the process, with what that said last.
    hearing: Option<std::thread::JoinHandle<()>>,
}

impl Spawned {
    /// Runs a command. What it says on standard error is kept, and its standard output is not looked at.
    pub fn new(mut command: Command) -> Spawned {
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let stderr = process.stderr.take().expect("it was piped");
        let said = std::sync::Arc::<std::sync::Mutex<String>>::default();
        let heard = std::sync::Arc::clone(&said);
        let hearing = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut said = heard.lock().expect("nobody panics with it");
                said.push_str(&line);
                said.push('\n');
            }
        });
        Spawned { process, said, hearing: Some(hearing) }
    }

    /// What it has said on standard error.
    pub fn said(&self) -> String {
        self.said.lock().expect("nobody panics with it").clone()
    }

    /// The exit code, if it has ended by itself; then all that it said has been heard.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        let status = self.process.try_wait().expect("it is ours")?;
        if let Some(hearing) = self.hearing.take() {
            hearing.join().expect("nobody panics who only listens");
        }
        Some(status.code())
    }

    /// SIGKILL, now.
    pub fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it is ours");
    }

    /// The number of its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// How a process that did not become a node ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` where a signal ended it.
    pub code: Option<i32>,
    /// What it said on standard output and standard error.
    pub said: String,
}

impl Node {
    /// `forebay dev` on free ports, with these arguments besides.
    pub fn dev(arguments: &[&str]) -> Node {
        let dev = [
            "dev",
            "--http-port",
            "0",
            "--dax-port",
            "0",
            "--dax-tls-port",
            "0",
            "--grpc-port",
            "0",
            "--admin-port",
            "0",
        ];
        Node::start(&[&dev, arguments].concat())
    }

    /// `forebay dev` on free ports over a directory.
    pub fn on(directory: &Path) -> Node {
        Node::dev(&["--data", directory.to_str().expect("temporary paths are text")])
    }

    /// The binary with these arguments, until it is ready. Panics where it does not get there.
    pub fn start(arguments: &[&str]) -> Node {
        let mut command = Command::new(binary());
        command.args(arguments);
        Node::launch(command)
    }

    /// As [`Node::start`], under what a shell's `ulimit` is told.
    pub fn under(ulimit: &str, arguments: &[&str]) -> Node {
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("ulimit {ulimit} && exec \"$0\" \"$@\"")).arg(binary()).args(arguments);
        Node::launch(command)
    }

    /// A command that becomes a node, until it is ready. Panics where it does not get there.
    pub fn launch(mut command: Command) -> Node {
        #[allow(clippy::disallowed_methods, reason = "the time a start takes is what is measured")]
        let begun = Instant::now();
        let mut process = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary runs");
        let stdout = process.stdout.take().expect("it was piped");
        let (say, said) = mpsc::channel();
        std::thread::spawn(move || {
            // Read to the end, so that the node never blocks on a full pipe; nobody listens after the start.
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        // What is not always there comes before what is.
        let (mut http, mut dax, mut dax_tls, mut grpc, mut admin) = (None, None, None, None, None);
        while http.is_none() || admin.is_none() {
            let left = START_TIMEOUT.saturating_sub(begun.elapsed());
            let line = said.recv_timeout(left).expect("the node prints its addresses");
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["http", url] => http = Some(address(url)),
                ["dax", url] => dax = Some(address(url)),
                ["daxs", url] => dax_tls = Some(address(url)),
                ["grpc", url] => grpc = Some(address(url)),
                ["admin", url] => admin = Some(address(url)),
                _ => {}
            }
        }
        let (http, admin) = (http.expect("looped until there"), admin.expect("looped until there"));
        let grpc = grpc.expect("it comes before the admin port");
        let mut node = Node { process, http, dax, dax_tls, grpc, admin, ready_after: Duration::ZERO };
        while node.get("/ready").is_none_or(|reply| reply.status != 200) {
            assert!(begun.elapsed() < START_TIMEOUT, "the node is not ready");
            std::thread::sleep(POLL);
        }
        node.ready_after = begun.elapsed();
        node
    }

    /// A page of the admin port; `None` where it does not answer.
    pub fn get(&self, path: &str) -> Option<Reply> {
        page(self.admin, path)
    }

    /// Its wall clock, as it tells whoever asks it over HTTP; `None` where it does not answer. Unit: seconds since 1970.
    pub fn wall_seconds(&self) -> Option<u64> {
        let mut wire = Wire::connect(self.http).ok()?;
        let reply = wire.ask("ListTables", &serde_json::json!({})).ok()?;
        read_date(reply.header("date").expect("every answer is dated"))
    }

    /// The value of a metric, all label sets summed; `None` where there is none of that name.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metric_of(name, "")
    }

    /// The same, of the label sets in which this label stands, written `name="value"`.
    pub fn metric_of(&self, name: &str, label: &str) -> Option<f64> {
        let page = self.get("/metrics")?;
        let text = String::from_utf8_lossy(&page.body).into_owned();
        let mut sum = None;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (known, value) = line.rsplit_once(' ')?;
            if known.split('{').next() == Some(name) && known.contains(label) {
                sum = Some(sum.unwrap_or(0.0) + value.parse::<f64>().ok()?);
            }
        }
        sum
    }

    /// Waits until a metric, as in [`Node::metric_of`], has a value that is right. For what is counted once it is done: whoever has an
    /// answer, or is cut off, may ask before the thread that did it has come to that.
    pub fn wait_for_metric(&self, name: &str, label: &str, is_right: impl Fn(f64) -> bool) {
        #[allow(clippy::disallowed_methods, reason = "the test's own patience")]
        let begun = Instant::now();
        loop {
            let value = self.metric_of(name, label);
            if value.is_some_and(&is_right) {
                return;
            }
            assert!(begun.elapsed() < COUNT_TIMEOUT, "{name} {label} is {value:?}");
            std::thread::sleep(POLL);
        }
    }

    /// A connection to the API.
    pub fn connect(&self) -> Wire {
        Wire::connect(self.http).expect("the node listens")
    }

    /// One request on a connection of its own, which must succeed.
    pub fn ok(&self, op: &str, body: &Value) -> Value {
        let reply = self.connect().ask(op, body).expect("the node answers");
        assert_eq!(reply.status, 200, "{op} {body}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    /// Makes a table and waits until it is usable.
    pub fn create_table(&self, table: &Value) {
        self.ok("CreateTable", table);
        let name = &table["TableName"];
        for _ in 0..12_000 {
            let got = self.ok("DescribeTable", &serde_json::json!({"TableName": name}));
            if got["Table"]["TableStatus"] == "ACTIVE" {
                return;
            }
            std::thread::sleep(POLL);
        }
        panic!("table {name} does not become usable");
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// SIGKILL, now.
    pub fn kill(&mut self) {
        self.process.kill().expect("it runs");
        self.process.wait().expect("it is ours");
    }

    /// SIGTERM.
    pub fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the node had ended before it was stopped");
    }

    /// SIGTERM, then waits until it has ended.
    pub fn stop(mut self) -> ExitStatus {
        self.terminate();
        self.wait()
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        wait(&mut self.process)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Both fail when it has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A page of an admin port; `None` where nobody answers there.
pub fn page(admin: SocketAddr, path: &str) -> Option<Reply> {
    let mut wire = Wire::connect(admin).ok()?;
    wire.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").as_bytes())
        .ok()?;
    wire.reply().ok()
}

/// Runs the binary to its end, which must come by itself.
pub fn run(arguments: &[&str], environment: &[(&str, OsString)]) -> Ended {
    let mut process = Command::new(binary())
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdout = process.stdout.take().expect("it was piped");
    let mut stderr = process.stderr.take().expect("it was piped");
    let reading = std::thread::spawn(move || {
        let mut said = String::new();
        // What is no text counts as nothing said.
        let _ = stdout.read_to_string(&mut said);
        said
    });
    let also = std::thread::spawn(move || {
        let mut said = String::new();
        let _ = stderr.read_to_string(&mut said);
        said
    });
    let status = wait(&mut process);
    let said = reading.join().expect("the reader ends") + &also.join().expect("the reader ends");
    Ended { code: status.code(), said }
}

fn wait(process: &mut Child) -> ExitStatus {
    #[allow(clippy::disallowed_methods, reason = "the test's own patience")]
    let begun = Instant::now();
    loop {
        if let Some(status) = process.try_wait().expect("it is ours") {
            return status;
        }
        if begun.elapsed() > STOP_TIMEOUT {
            let _ = process.kill();
            let _ = process.wait();
            panic!("the process does not end within {STOP_TIMEOUT:?}");
        }
        std::thread::sleep(POLL);
    }
}

/// The moment of a date as in `Sun, 06 Nov 1994 08:49:37 GMT`, in seconds since 1970; `None` where it is none.
fn read_date(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let [_, day, month, year, time, "GMT"] = text.split_whitespace().collect::<Vec<_>>()[..] else {
        return None;
    };
    let month = MONTHS.find(month)? / 3 + 1;
    let time = time.replace(':', "");
    http_front::sigv4::time::read(format!("{year}{month:02}{day}T{time}Z").as_bytes())
}

fn address(url: &str) -> SocketAddr {
    let (_, address) = url.split_once("://").expect("an address is printed as a URL");
    address.trim_end_matches('/').parse().expect("an address is printed as IP and port")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_answers_are_read() {
        assert_eq!(read_date("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        assert_eq!(read_date("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(read_date("Sun, 06 Nov 1994 08:49:37"), None);
    }
}
