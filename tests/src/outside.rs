//! Clients of DAX in other languages, each as a service of the contract: a process of its own that asks what it is told.
//!
//! One line to it is a request, `{"operation": …, "input": …}` in DynamoDB's JSON; one line back is `{"output": …}` or
//! `{"error": …}`, the body that the API would have sent. Whoever asks notes the time on this side of both lines, which is
//! before the client sends anything and after it has its answer. The processes are `play.sh` of the suites in `tests/clients`,
//! with their pinned packages.
//!
//! The client finds the cluster's nodes by itself and chooses among them. It is told to try nothing twice: a second try inside
//! the client would make two operations of one.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use api::{Answer, Context, DynamoDb, Error, ErrorKind, OpKind, Request, Source};
use http_front::codec;
use serde_json::Value;

/// A client that says nothing for so long hangs: its own patience ends before.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The same, of its first answer: it may have to be installed.
const START_TIMEOUT: Duration = Duration::from_secs(300);

/// Whose client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `amazon-dax-client`.
    Python,
    /// `aws-dax-go-v2`.
    Go,
}

/// The client.
pub struct Outside {
    language: Language,
    // Held for one question and its answer: it asks one thing at a time.
    pipe: Mutex<Pipe>,
}

struct Pipe {
    process: Child,
    to: ChildStdin,
    from: Receiver<String>,
}

impl Drop for Pipe {
    fn drop(&mut self) {
        // Both fail where it has ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Outside {
    /// Starts it, and waits until it is there. `seed` is `dax://host:port`.
    pub fn start(language: Language, seed: &str) -> Outside {
        let suite = match language {
            Language::Python => "dax-python",
            Language::Go => "dax-go-v2",
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients").join(suite).join("play.sh");
        let mut process = Command::new(&script)
            .arg(seed)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap_or_else(|why| panic!("{}: {why}", script.display()));
        let to = process.stdin.take().expect("it was piped");
        let stdout = process.stdout.take().expect("it was piped");
        let (say, from) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if say.send(line).is_err() {
                    return;
                }
            }
        });
        let ready = from.recv_timeout(START_TIMEOUT);
        assert_eq!(ready.as_deref(), Ok("ready"), "the client in {language:?} does not start");
        Outside { language, pipe: Mutex::new(Pipe { process, to, from }) }
    }

    fn ask(&self, request: &Request) -> Result<Answer, Error> {
        let op = request.kind();
        let input: Value = serde_json::from_slice(&codec::encode_request(request)).expect("we write JSON");
        let line = serde_json::json!({"operation": op.name(), "input": input}).to_string() + "\n";
        let mut pipe = self.pipe.lock().unwrap_or_else(PoisonError::into_inner);
        pipe.to.write_all(line.as_bytes()).expect("the client reads");
        let said = pipe.from.recv_timeout(ANSWER_TIMEOUT);
        drop(pipe);
        let said =
            said.unwrap_or_else(|why| panic!("the client in {:?}: {why}, after {line}", self.language));
        read(op, &said).unwrap_or_else(|why| panic!("the client in {:?}: {why}: {said}", self.language))
    }
}

/// What a line says. Errors: that it says nothing.
fn read(op: OpKind, line: &str) -> Result<Result<Answer, Error>, String> {
    let said: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
    if let Some(error) = said.get("error") {
        // What names no kind of the service comes from the client itself: what became of the request is not known.
        let status = http_front::error::status(ErrorKind::InternalServerError);
        return Ok(Err(http_front::error::read_body(status, error.to_string().as_bytes())));
    }
    let output = said.get("output").ok_or("neither output nor error")?.to_string();
    let response =
        codec::decode_response(op, output.as_bytes()).map_err(|error| error.message.to_string())?;
    Ok(Ok(Answer { response, version: None, source: Source::Store }))
}

impl DynamoDb for Outside {
    async fn call(&self, _: Context, request: Request) -> Result<Answer, Error> {
        self.ask(&request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_says_of_itself_is_an_unknown_outcome_and_what_the_service_says_is_not() {
        let read = |line| read(OpKind::PutItem, line).unwrap().unwrap_err().kind;
        let refused = r#"{"error": {"__type": "ConditionalCheckFailedException", "message": "no"}}"#;
        assert_eq!(read(refused), ErrorKind::ConditionalCheckFailedException);
        let broken = r#"{"error": {"__type": "ConnectionResetError", "message": "peer"}}"#;
        assert_eq!(read(broken), ErrorKind::InternalServerError);
    }
}
