//! The raw TCP server: what the machine's sockets cost with nothing behind them.
//!
//! A connection first sends two little-endian u32, the bytes of a request and of an answer; from then on every so many bytes
//! in are answered with so many bytes out, those that arrived together in one write. One blocking thread a connection: the
//! least that can stand behind a socket.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::BenchError;

/// Most bytes a connection may ask for, each way.
const FRAME_BYTES_MAX: usize = 16 << 20;
/// Most requests that are answered in one write.
const ANSWERED_TOGETHER: usize = 64;
/// Connections served at a time.
const CONNECTIONS_MAX: usize = 1024;

/// What tells the server both numbers of bytes.
pub(crate) fn greeting(request: usize, answer: usize) -> [u8; 8] {
    let mut greeting = [0; 8];
    greeting[..4].copy_from_slice(&(request as u32).to_le_bytes());
    greeting[4..].copy_from_slice(&(answer as u32).to_le_bytes());
    greeting
}

/// Serves until the process is stopped.
pub(crate) fn serve(port: u16) -> Result<(), BenchError> {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .map_err(BenchError::io(format!("listening on port {port}")))?;
    println!("echo  echo://{}", listener.local_addr().map_err(BenchError::io("reading the port"))?);
    serve_on(&listener)
}

/// Serves the connections of a listener.
pub(crate) fn serve_on(listener: &TcpListener) -> Result<(), BenchError> {
    let held = std::sync::Arc::new(());
    for stream in listener.incoming() {
        let stream = stream.map_err(BenchError::io("accepting"))?;
        if std::sync::Arc::strong_count(&held) > CONNECTIONS_MAX {
            continue;
        }
        let hold = std::sync::Arc::clone(&held);
        std::thread::spawn(move || {
            // The peer going away is how every connection ends.
            let _ended = answer(stream);
            drop(hold);
        });
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut sizes = [0; 8];
    stream.read_exact(&mut sizes)?;
    let size = |at: usize| {
        let size = u32::from_le_bytes([sizes[at], sizes[at + 1], sizes[at + 2], sizes[at + 3]]) as usize;
        size.clamp(1, FRAME_BYTES_MAX)
    };
    let (request, answer) = (size(0), size(4));
    let together = (FRAME_BYTES_MAX / request.max(answer)).clamp(1, ANSWERED_TOGETHER);
    let answers = vec![b'x'; answer * together];
    let mut buffer = vec![0; request * together];
    let mut had = 0;
    loop {
        let read = stream.read(&mut buffer[had..])?;
        if read == 0 {
            return Ok(());
        }
        let whole = (had + read) / request;
        had = (had + read) % request;
        stream.write_all(&answers[..whole * answer])?;
    }
}
