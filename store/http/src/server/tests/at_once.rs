//! What the store answers at once is answered as what it is asked for, and nothing is asked twice.

use super::*;

/// A store that notes how it was asked, and knows some answers at once.
struct Noting {
    knows: bool,
    asked: Mutex<Vec<(&'static str, Context)>>,
}

impl Noting {
    fn answer(&self, how: &'static str, cx: &Context) -> Answer {
        let mut asked = self.asked.lock();
        asked.push((how, cx.clone()));
        let bytes = Bytes::from_static(b"{}");
        let crc32 = crc32fast::hash(&bytes);
        let version = Version { incarnation: 1, shard: 0, index: asked.len() as u64 };
        let response = Response::Ready(Ready { wire: Wire::Json, bytes, crc32 });
        Answer { response, version: Some(version), source: Source::Cache }
    }
}

impl DynamoDb for Noting {
    async fn call(&self, cx: Context, _: Request) -> Result<Answer, Error> {
        Ok(self.answer("call", &cx))
    }

    fn call_now(&self, cx: &mut Context, _: &Request) -> Option<Answer> {
        let answer = self.answer("now", cx);
        self.knows.then_some(answer)
    }
}

/// How a store was asked by two reads of one connection, at which versions, and the versions the reads were told.
async fn two_reads(knows: bool) -> (Vec<(&'static str, Option<u64>)>, Vec<String>) {
    let db = Arc::new(Noting { knows, asked: Mutex::default() });
    let server = HttpServer::new(Arc::clone(&db), Auth::Any, HttpSettings::default(), Arc::new(Still));
    let connection = server.connection();
    let mut told = Vec::new();
    for _ in 0..2 {
        let request = get_item().body(Bytes::from_static(GET_BODY.as_bytes())).unwrap();
        let seen = Seen::of(server.handle(request, &connection).await).await;
        assert_eq!((seen.status, seen.text()), (200, "{}"));
        told.push(seen.header("x-forebay-version").unwrap().to_owned());
    }
    let asked = db.asked.lock();
    assert!(asked.iter().all(|(how, cx)| *how == "now" || cx.deadline.is_some()));
    assert!(asked.iter().all(|(_, cx)| cx.wire == Wire::Json));
    (asked.iter().map(|(how, cx)| (*how, cx.min_version.map(|floor| floor.index))).collect(), told)
}

#[tokio::test]
async fn what_is_known_at_once_is_not_called_for_and_raises_the_floor() {
    let (asked, told) = two_reads(true).await;
    assert_eq!(asked, [("now", None), ("now", Some(1))]);
    assert_eq!(told, ["1.1.0.1", "1.1.0.2"]);
}

#[tokio::test]
async fn what_is_not_known_at_once_is_called_for_with_the_same_floor() {
    let (asked, told) = two_reads(false).await;
    assert_eq!(asked, [("now", None), ("call", None), ("now", Some(2)), ("call", Some(2))]);
    assert_eq!(told, ["1.1.0.2", "1.1.0.4"]);
}
