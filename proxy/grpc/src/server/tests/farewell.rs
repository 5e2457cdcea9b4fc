//! The end of a connection when the front stops, frame by frame: what a peer gets to read of it.

use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;

/// Types of frames. Source: RFC 9113, section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
/// Of a setting or a ping: it answers one.
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;
/// `POST http://node:1/`, packed. Source: RFC 7541, appendix A.
const HEAD: &[u8] = b"\x83\x86\x84\x41\x06node:1";

/// The peer's end, which says just what a test wants said.
struct Raw<IO>(IO);

impl<IO: AsyncRead + AsyncWrite + Unpin> Raw<IO> {
    /// Begins a connection.
    async fn begin(mut io: IO) -> Raw<IO> {
        io.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let mut raw = Raw(io);
        raw.say(SETTINGS, 0, 0, b"").await.unwrap();
        raw
    }

    async fn say(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> std::io::Result<()> {
        let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.0.write_all(&frame).await?;
        self.0.flush().await
    }

    /// The payload of the next frame of a type. `None`: the connection is closed in good order.
    async fn hear(&mut self, wanted: u8) -> std::io::Result<Option<Vec<u8>>> {
        loop {
            let mut head = [0; 9];
            if self.0.read(&mut head[..1]).await? == 0 {
                return Ok(None);
            }
            self.0.read_exact(&mut head[1..]).await?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.0.read_exact(&mut payload).await?;
            if head[3] == wanted && (wanted != SETTINGS || head[4] != ACK) {
                return Ok(Some(payload));
            }
        }
    }

    /// The last call that the front means to answer, as it says with why it goes.
    async fn last_call(&mut self) -> (u32, u32) {
        let said = self.hear(GOAWAY).await.unwrap().expect("it says farewell");
        let number = |at: usize| u32::from_be_bytes(said[at..at + 4].try_into().unwrap());
        (number(0), number(4))
    }

    /// Has the front stop, and hears how that begins: with all calls that may yet come, and a question that shows which did.
    async fn stopped_by(&mut self, stop: oneshot::Sender<()>) -> Vec<u8> {
        self.hear(SETTINGS).await.unwrap().expect("it begins, too");
        self.say(SETTINGS, ACK, 0, b"").await.unwrap();
        stop.send(()).unwrap();
        assert_eq!(self.last_call().await, (i32::MAX as u32, 0));
        self.hear(PING).await.unwrap().expect("it asks where we are")
    }
}

type Serving = JoinHandle<std::io::Result<()>>;

fn serving<IO>(io: IO, tls: Option<Arc<rustls::ServerConfig>>) -> (Serving, oneshot::Sender<()>)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stop, stopped) = oneshot::channel();
    let (server, stopped) = (clients(&Arc::default()), async { drop(stopped.await) });
    let serving = tokio::spawn(async move {
        match tls {
            None => server.serve_connection(io, stopped).await,
            Some(tls) => server.serve_tls(io, tls, stopped).await,
        }
    });
    (serving, stop)
}

/// A call that its peer sends once the front has decided which one was the last.
async fn crossing(io: impl AsyncRead + AsyncWrite + Unpin, serving: Serving, stop: oneshot::Sender<()>) {
    let mut peer = Raw::begin(io).await;
    let asked = peer.stopped_by(stop).await;
    peer.say(PING, ACK, 0, &asked).await.unwrap();
    // The front has nothing more to wait for.
    tokio::time::sleep(Duration::from_millis(100)).await;
    peer.say(HEADERS, END_HEADERS, 1, HEAD).await.unwrap();
    for part in 0..20 {
        let flags = if part == 19 { END_STREAM } else { 0 };
        // Where the connection is reset, that is not the first to tell of it.
        tokio::time::sleep(Duration::from_millis(5)).await;
        peer.say(DATA, flags, 1, &[0; 1000]).await.expect("the front still reads");
    }
    assert_eq!(peer.last_call().await, (0, 0), "it was not taken, and may be repeated");
    assert_eq!(peer.hear(GOAWAY).await.expect("no reset"), None);
    drop(peer);
    serving.await.unwrap().unwrap();
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    near.set_nodelay(true).unwrap();
    (near, far)
}

#[tokio::test]
async fn a_call_that_crosses_the_farewell_does_not_have_the_connection_reset() {
    let (near, far) = sockets().await;
    let (serving, stop) = serving(far, None);
    crossing(near, serving, stop).await;
}

#[tokio::test]
async fn nor_where_it_is_encrypted() {
    let made = rcgen::generate_simple_self_signed(["node".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certified = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let asking = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let (near, far) = sockets().await;
    let (serving, stop) = serving(far, Some(Arc::new(certified)));
    let name = ServerName::try_from("node").unwrap();
    let near = tokio_rustls::TlsConnector::from(Arc::new(asking)).connect(name, near).await.unwrap();
    crossing(near, serving, stop).await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stays_after_the_farewell_is_left_and_one_that_goes_is_not_waited_for() {
    for (stays, waited) in [(true, Duration::from_secs(2)), (false, Duration::ZERO)] {
        let (near, far) = tokio::io::duplex(1 << 16);
        let (serving, stop) = serving(far, None);
        let mut peer = Raw::begin(near).await;
        let asked = peer.stopped_by(stop).await;
        peer.say(PING, ACK, 0, &asked).await.unwrap();
        assert_eq!(peer.last_call().await, (0, 0));
        assert_eq!(peer.hear(GOAWAY).await.unwrap(), None);
        let began = tokio::time::Instant::now();
        let peer = stays.then_some(peer);
        serving.await.unwrap().unwrap();
        assert_eq!(began.elapsed(), waited);
        drop(peer);
    }
    // Nor is one that goes while the front stays.
    let (near, far) = tokio::io::duplex(1 << 16);
    let (serving, _stop) = serving(far, None);
    let mut peer = Raw::begin(near).await;
    peer.hear(SETTINGS).await.unwrap().expect("it begins, too");
    let began = tokio::time::Instant::now();
    peer.0.shutdown().await.unwrap();
    peer.hear(GOAWAY).await.unwrap();
    serving.await.unwrap().unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
}
