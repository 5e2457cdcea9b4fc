//! Nodes that say what no node says: nothing panics or hangs, and a write is never sent again without leave.

use super::*;

/// What a node says to each thing it is asked, in turn, and what it does when it has nothing left to say.
#[derive(Debug, Clone)]
struct Script {
    answers: Vec<Vec<u8>>,
    hangs_up: bool,
}

fn answer() -> impl Strategy<Value = Vec<u8>> {
    let sound = [
        "80f6",
        "80bfff",
        "8002",
        "80a162706b6153",
        "80816176",
        "80bf0042020aff",
        "80bf0041014300",
        "8101 6161 f6",
        "8401182518261835 6161 83 6161 f6 190190",
        "8504182518261827182b 6161 83 6161 f6 190190",
        "8504182518261827183a 6161 84 6161 f6 190190 83 6161 6161 420201",
    ]
    .map(|answer| unhex(&answer.replace(' ', "")));
    let sound = proptest::sample::select(sound.to_vec());
    let changed =
        (sound.clone(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut answer, at, byte)| {
            let at = at.index(answer.len());
            answer[at] = byte;
            answer
        });
    let noise = proptest::collection::vec(any::<u8>(), 0..30);
    prop_oneof![3 => sound.clone(), 3 => changed, 1 => (sound, noise.clone()).prop_map(|(mut answer, noise)| {
        answer.extend(noise);
        answer
    }), 1 => noise]
}

fn script() -> impl Strategy<Value = Script> {
    (proptest::collection::vec(answer(), 0..8), any::<bool>())
        .prop_map(|(answers, hangs_up)| Script { answers, hangs_up })
}

/// A node that tells the roster and, of the rest, follows its script over all its connections. Counts operations.
fn follow(net: &Net, script: Script) -> Arc<AtomicUsize> {
    let operations = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&operations);
    let left = Mutex::new(VecDeque::from(script.answers));
    node(net, move |method| {
        if matches!(method, Method::Operation(_)) {
            counted.fetch_add(1, Ordering::Relaxed);
        }
        let next = match method {
            Method::Endpoints => Some(unhex(&ONE_NODE.replace(' ', ""))),
            _ => left.lock().unwrap().pop_front(),
        };
        match next {
            Some(answer) => Reply::Say(answer),
            None if script.hangs_up => Reply::HangUp,
            None => Reply::Nothing,
        }
    });
    operations
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]
    #[test]
    fn whatever_a_node_says_a_request_ends_in_time(
        script in script(),
        writes: bool,
        pipelining in 1..3usize,
    ) {
        let (again, ended) = on_a_runtime(async {
            let net = Arc::new(Net::default());
            let operations = follow(&net, script);
            let db = client(&net, DaxDbSettings { pipelining, ..settings() });
            let request = || if writes { put("x", "1") } else { get("x") };
            let calls = async { tokio::join!(
                db.call(Context::default(), request()),
                db.call(Context::default(), request()),
            ) };
            let ended = tokio::time::timeout(Duration::from_secs(11), calls).await.is_ok();
            (operations.load(Ordering::Relaxed), ended)
        });
        prop_assert!(ended);
        // Two requests, each three times at most.
        prop_assert!(again <= 6, "{}", again);
    }

    #[test]
    fn a_write_whose_answer_is_no_answer_is_sent_once(answer in answer(), hangs_up: bool) {
        let codes = read_codes(&mut Reader::new(&answer));
        let may_be_repeated = codes.is_ok_and(|codes| Again::after(&codes) == Again::Always);
        let operations = on_a_runtime(async {
            let net = Arc::new(Net::default());
            let before = ["80a162706b6153", "8002"].map(unhex);
            let answers = [&before[..], &[answer]].concat();
            let operations = follow(&net, Script { answers, hangs_up });
            let _ = client(&net, settings()).call(Context::default(), put("x", "1")).await;
            operations.load(Ordering::Relaxed)
        });
        prop_assert!(operations == 1 || may_be_repeated, "{}", operations);
    }
}
