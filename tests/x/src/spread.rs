//! What stands between a suite and the nodes of a cluster: each request over HTTP goes to the next node in turn, and the metrics of all
//! nodes are one page.
//!
//! Deliberately no load balancer: it tries nothing again and looks after no node's health, so whatever a node does, the suite sees.
//! Each request has a connection of its own to its node. So no node learns from a connection what another has
//! answered on it, and what a client may see rests on what the nodes promise each other alone.

use std::collections::HashMap;
use std::io::{self, BufReader, BufWriter, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::Failure;
use crate::message::Head;
use crate::node::page;

/// A listener whose connections are each served by a thread. Dropping it ends the listening; connections end with their clients.
struct Front {
    address: SocketAddr,
    ending: Arc<AtomicBool>,
}

impl Front {
    fn start(serve: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Result<Front, Failure> {
        let trouble = |error| format!("cannot listen on loopback: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(trouble)?;
        let address = listener.local_addr().map_err(trouble)?;
        let ending = Arc::new(AtomicBool::new(false));
        let (ends, serve) = (Arc::clone(&ending), Arc::new(serve));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if ends.load(Ordering::Relaxed) {
                    break;
                }
                let serve = Arc::clone(&serve);
                std::thread::spawn(move || {
                    if let Err(error) = serve(client)
                        && !matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
                    {
                        eprintln!("between a client and the nodes: {error}");
                    }
                });
            }
        });
        Ok(Front { address, ending })
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        // Wakes the listener; where it has ended already there is nothing to wake.
        let _ = TcpStream::connect(self.address);
    }
}

/// A connection, to read from and to write to.
struct Link {
    reader: BufReader<TcpStream>,
    writer: BufWriter<TcpStream>,
}

impl Link {
    fn new(stream: TcpStream) -> io::Result<Link> {
        stream.set_nodelay(true)?;
        Ok(Link { writer: BufWriter::new(stream.try_clone()?), reader: BufReader::new(stream) })
    }
}

/// Requests over HTTP, one to the next node in turn.
pub struct Spread(Front);

impl Spread {
    /// Before these nodes.
    pub fn over(nodes: Vec<SocketAddr>) -> Result<Spread, Failure> {
        let turn = AtomicUsize::new(0);
        Front::start(move |client| spread(Link::new(client)?, &nodes, &turn)).map(Spread)
    }

    /// Its endpoint, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.0.url()
    }
}

fn spread(mut client: Link, nodes: &[SocketAddr], turn: &AtomicUsize) -> io::Result<()> {
    while let Some(request) = Head::read(&mut client.reader)? {
        let at = turn.fetch_add(1, Ordering::Relaxed) % nodes.len();
        // Anew for each request: what lies idle on the way to one node, while the others are asked, a node may close.
        let mut link = Link::new(TcpStream::connect(nodes[at])?)?;
        // A node may refuse a request before it has read all of it: what it says counts first.
        let sent = request.pass_request(&mut client.reader, &mut link.writer);
        let answer = Head::read(&mut link.reader)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let goes_on = answer.pass_answer(&mut link.reader, &mut client.writer)?;
        sent?;
        if !goes_on || request.is_last() {
            return Ok(());
        }
    }
    Ok(())
}

/// The admin ports of all nodes as one: metrics are summed, other pages are the first node's.
pub struct Summed(Front);

impl Summed {
    /// Of these admin ports, `http://ADDRESS:PORT`.
    pub fn over(admins: Vec<String>) -> Result<Summed, Failure> {
        Front::start(move |client| told(Link::new(client)?, &admins)).map(Summed)
    }

    /// Its address, `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        self.0.url()
    }
}

fn told(mut client: Link, admins: &[String]) -> io::Result<()> {
    let Some(request) = Head::read(&mut client.reader)? else { return Ok(()) };
    let path = request.words().nth(1).unwrap_or("/");
    let answer = match path {
        "/metrics" => metrics(admins).map(|text| {
            format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{text}", text.len())
        }),
        _ => {
            admins.first().ok_or_else(|| "there are no nodes".to_owned()).and_then(|first| page(first, path))
        }
    };
    let answer = answer.unwrap_or_else(|why| {
        let why = format!("{why}\n");
        format!("HTTP/1.1 502 Bad Gateway\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{why}", why.len())
    });
    client.writer.write_all(answer.as_bytes())?;
    client.writer.flush()
}

/// The metrics of all nodes, summed.
pub fn metrics(admins: &[String]) -> Result<String, Failure> {
    let pages = admins.iter().map(|admin| {
        let page = page(admin, "/metrics")?;
        let body = page.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        body.ok_or_else(|| format!("{admin}/metrics is no answer"))
    });
    sum(&pages.collect::<Result<Vec<_>, _>>()?)
}

/// Samples of the same name and labels are added up; comments stand as on the first page that has them.
fn sum(pages: &[String]) -> Result<String, Failure> {
    let mut rows: Vec<(&str, Option<f64>)> = Vec::new();
    let mut place: HashMap<&str, usize> = HashMap::new();
    for line in pages.iter().flat_map(|page| page.lines()).filter(|line| !line.is_empty()) {
        let (name, value) = if line.starts_with('#') {
            (line, None)
        } else {
            let (name, value) = line.rsplit_once(' ').ok_or_else(|| format!("no sample: {line}"))?;
            (name, Some(value.parse::<f64>().map_err(|_| format!("no number: {line}"))?))
        };
        let at = *place.entry(name).or_insert_with(|| {
            rows.push((name, value.map(|_| 0.0)));
            rows.len() - 1
        });
        if let (Some(sum), Some(value)) = (&mut rows[at].1, value) {
            *sum += value;
        }
    }
    let lines = rows.into_iter().map(|(name, value)| match value {
        None => format!("{name}\n"),
        Some(value) => format!("{name} {value}\n"),
    });
    Ok(lines.collect())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, Read};

    use super::*;

    /// Answers each request with its own name and the path, on as many connections as come.
    fn named(name: &'static str) -> Front {
        let serve = move |stream| {
            let mut link = Link::new(stream)?;
            while let Some(request) = Head::read(&mut link.reader)? {
                request.pass_request(&mut link.reader, &mut io::sink())?;
                let said = format!("{name}{}", request.words().nth(1).unwrap_or_default());
                let (half, rest) = said.split_at(1);
                let chunks = format!("1\r\n{half}\r\n{:x}\r\n{rest}\r\n0\r\n\r\n", rest.len());
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
                link.writer.write_all(format!("{head}{chunks}").as_bytes())?;
                link.writer.flush()?;
            }
            Ok(())
        };
        Front::start(serve).expect("a free port")
    }

    #[test]
    fn each_request_goes_to_the_next_node_and_each_answer_comes_back_whole() {
        let nodes = ["a", "b", "c"].map(named);
        let spread = Spread::over(nodes.iter().map(|node| node.address).collect()).unwrap();
        let mut clients = [0, 1].map(|_| Link::new(TcpStream::connect(spread.0.address).unwrap()).unwrap());
        for at in 0..7 {
            let client = &mut clients[at % 2];
            write!(client.writer, "POST /{at} HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody").unwrap();
            client.writer.flush().unwrap();
            let mut said = String::new();
            while !said.ends_with("0\r\n\r\n") {
                client.reader.read_line(&mut said).unwrap();
            }
            let name = ["a", "b", "c"][at % 3];
            assert!(said.ends_with(&format!("\r\n\r\n1\r\n{name}\r\n2\r\n/{at}\r\n0\r\n\r\n")), "{said}");
        }
    }

    #[test]
    fn a_connection_that_a_node_has_closed_is_not_asked_on() {
        // Answers one request on each connection, and says nothing of closing it.
        let node = Front::start(|stream| {
            let mut link = Link::new(stream)?;
            if let Some(request) = Head::read(&mut link.reader)? {
                request.pass_request(&mut link.reader, &mut io::sink())?;
                link.writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")?;
            }
            link.writer.flush()
        });
        let node = node.unwrap();
        let spread = Spread::over(vec![node.address]).unwrap();
        let mut client = Link::new(TcpStream::connect(spread.0.address).unwrap()).unwrap();
        for _ in 0..3 {
            client.writer.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
            client.writer.flush().unwrap();
            let answer = Head::read(&mut client.reader).unwrap().expect("an answer");
            assert_eq!(answer.words().nth(1), Some("200"));
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    #[test]
    fn a_node_that_is_gone_is_not_hidden() {
        let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let spread = Spread::over(vec![gone]).unwrap();
        let mut client = TcpStream::connect(spread.0.address).unwrap();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        assert_eq!(client.read(&mut [0; 16]).unwrap_or(0), 0);
    }

    #[test]
    fn metrics_are_added_up_by_name_and_labels() {
        let pages = [
            "# TYPE a counter\na{x=\"1\"} 2\na{x=\"2\"} 3\nonly 1.5\n",
            "# TYPE a counter\na{x=\"1\"} 40\nother{b=\"c d\"} 7\n",
        ];
        assert_eq!(
            sum(&pages.map(str::to_owned)),
            Ok("# TYPE a counter\na{x=\"1\"} 42\na{x=\"2\"} 3\nonly 1.5\nother{b=\"c d\"} 7\n".to_owned())
        );
        assert!(sum(&["a b".to_owned()]).is_err());
    }
}
