//! What a connection is given does not go back, also where its requests run side by side.

use std::collections::VecDeque;

use super::*;

fn at(index: u64) -> Version {
    Version { incarnation: 1, shard: 0, index }
}

/// A store that answers one call after the other as listed: after so many seconds, at that version.
struct Listed {
    answers: Mutex<VecDeque<(u64, u64)>>,
    floors: Mutex<Vec<Option<Version>>>,
}

impl DynamoDb for Listed {
    async fn call(&self, cx: Context, _: Request) -> Result<Answer, Error> {
        self.floors.lock().push(cx.min_version);
        let (seconds, index) = self.answers.lock().pop_front().expect("as many calls as are listed");
        if seconds > 0 {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
        let bytes = Bytes::from_static(b"{}");
        let crc32 = crc32fast::hash(&bytes);
        let response = Response::Ready(Ready { wire: Wire::Json, bytes, crc32 });
        Ok(Answer { response, version: Some(at(index)), source: Source::Store })
    }
}

fn listed(answers: &[(u64, u64)]) -> (Arc<Listed>, HttpServer<Arc<Listed>>) {
    let answers = Mutex::new(answers.iter().copied().collect());
    let db = Arc::new(Listed { answers, floors: Mutex::default() });
    (Arc::clone(&db), HttpServer::new(db, Auth::Any, HttpSettings::default(), Arc::new(Still)))
}

async fn read(server: &HttpServer<Arc<Listed>>, connection: &ConnectionState, after: u64) -> String {
    tokio::time::sleep(Duration::from_secs(after)).await;
    let request = get_item().body(Bytes::from_static(GET_BODY.as_bytes())).unwrap();
    let seen = Seen::of(server.handle(request, connection).await).await;
    seen.header("x-forebay-version").unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn a_read_that_another_stream_overtook_is_asked_again_at_what_that_one_saw() {
    let (db, server) = listed(&[(5, 3), (0, 9), (0, 10)]);
    let connection = server.connection();
    let (slow, quick) = tokio::join!(read(&server, &connection, 0), read(&server, &connection, 1));
    assert_eq!((slow.as_str(), quick.as_str()), ("1.1.0.a", "1.1.0.9"));
    assert_eq!(*db.floors.lock(), [None, None, Some(at(9))]);
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_again_once_only() {
    let (db, server) = listed(&[(5, 3), (0, 9), (5, 9), (0, 12)]);
    let connection = server.connection();
    let (slow, quick, quickest) = tokio::join!(
        read(&server, &connection, 0),
        read(&server, &connection, 1),
        read(&server, &connection, 6)
    );
    assert_eq!((slow.as_str(), quick.as_str(), quickest.as_str()), ("1.1.0.9", "1.1.0.9", "1.1.0.c"));
    assert_eq!(*db.floors.lock(), [None, None, Some(at(9)), Some(at(9))]);
}

#[tokio::test(start_paused = true)]
async fn pipelined_reads_ask_for_what_the_one_before_was_given() {
    let (db, server) = listed(&[(1, 4), (0, 6), (0, 6)]);
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    tokio::spawn(async move { server.serve_connection(far, std::future::pending()).await });
    near.write_all(plain("GetItem", "", GET_BODY).repeat(3).as_bytes()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(read_answer(&mut near).await.unwrap().0, 200);
    }
    assert_eq!(*db.floors.lock(), [None, Some(at(4)), Some(at(6))]);
}
