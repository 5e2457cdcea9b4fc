//! The raw TCP server: what the machine's sockets cost with nothing behind them.
//!
//! A connection first sends two little-endian u32, the bytes of a request and of an answer; from then on every so many bytes
//! in are answered with so many bytes out. One blocking thread a connection: the least that can stand behind a socket.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use crate::BenchError;

/// Most bytes a connection may ask for, each way.
const FRAME_BYTES_MAX: usize = 16 << 20;
/// Connections served at a time.
const CONNECTIONS_MAX: usize = 1024;

/// Serves until the process is stopped.
pub(crate) fn serve(port: u16) -> Result<(), BenchError> {
    let listener = TcpListener::bind(("127.0.0.1", port))
        .map_err(BenchError::io(format!("listening on port {port}")))?;
    println!("echo  echo://{}", listener.local_addr().map_err(BenchError::io("reading the port"))?);
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
    let size =
        |at: usize| u32::from_le_bytes([sizes[at], sizes[at + 1], sizes[at + 2], sizes[at + 3]]) as usize;
    let (request, answer) = (size(0).min(FRAME_BYTES_MAX), vec![b'x'; size(4).min(FRAME_BYTES_MAX)]);
    let mut buffer = vec![0; request];
    loop {
        stream.read_exact(&mut buffer)?;
        stream.write_all(&answer)?;
    }
}
