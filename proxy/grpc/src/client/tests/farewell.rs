//! Calls that cross the farewell of an endpoint: which of them are put onto another connection, and which are not.

use super::*;

/// Types of frames. Source: RFC 9113, section 6.
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
/// Of a frame of data: the call is all there.
const END_STREAM: u8 = 1;
/// Why an endpoint goes. Source: RFC 9113, section 7.
const NO_ERROR: u8 = 0;
const INTERNAL_ERROR: u8 = 2;
/// What comes before the frames of a client.
const PREFACE_BYTES: usize = 24;

async fn say(far: &mut DuplexStream, kind: u8, payload: &[u8]) {
    let length = u8::try_from(payload.len()).unwrap();
    let frame = [&[0, 0, length, kind, 0, 0, 0, 0, 0], payload].concat();
    far.write_all(&frame).await.unwrap();
}

/// Reads one call whole.
async fn hear_a_call(far: &mut DuplexStream) {
    far.read_exact(&mut [0; PREFACE_BYTES]).await.unwrap();
    loop {
        let mut head = [0; 9];
        far.read_exact(&mut head).await.unwrap();
        let mut payload = vec![0; u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize];
        far.read_exact(&mut payload).await.unwrap();
        let (is_data, flags) = (head[3] == 0, head[4]);
        if is_data && flags & END_STREAM != 0 {
            return;
        }
    }
}

/// An endpoint whose first connection hears a call, says farewell as told and ends; the others are served.
fn leaving(db: &Arc<Noting>, last_call: u8, why: u8) -> Arc<Wired> {
    let server = GrpcServer::new(Arc::clone(db), Auth::Any, settings(), Arc::new(World));
    wired(move |number, mut far| {
        let server = server.clone();
        tokio::spawn(async move {
            if number > 0 {
                return server.serve_connection(far, std::future::pending()).await;
            }
            say(&mut far, SETTINGS, b"").await;
            hear_a_call(&mut far).await;
            say(&mut far, GOAWAY, &[0, 0, 0, last_call, 0, 0, 0, why]).await;
            far.shutdown().await?;
            // Until the client goes.
            drop(far.read_to_end(&mut Vec::new()).await);
            Ok(())
        });
        Ok(())
    })
}

#[tokio::test]
async fn a_call_that_a_farewell_says_was_not_taken_is_put_onto_another_connection() {
    let db = Arc::new(Noting::default());
    let dial = leaving(&db, 0, NO_ERROR);
    client(Lane::Peer, &dial).call(Context::default(), get()).await.unwrap();
    assert_eq!((dial.dialled.load(Ordering::SeqCst), db.0.lock().unwrap().len()), (2, 1));
}

#[tokio::test]
async fn one_that_may_have_been_taken_is_not() {
    // Of one that fails nothing is believed.
    for (last_call, why) in [(1, NO_ERROR), (0, INTERNAL_ERROR)] {
        let db = Arc::new(Noting::default());
        let dial = leaving(&db, last_call, why);
        let error = client(Lane::Peer, &dial).call(Context::default(), get()).await.unwrap_err();
        assert!(error.is_outcome_unknown(), "{error}");
        assert_eq!((dial.dialled.load(Ordering::SeqCst), db.0.lock().unwrap().len()), (1, 0));
    }
}
