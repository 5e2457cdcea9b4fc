//! Connections to names, which are looked up on threads that nobody waits for.
//!
//! The system's resolver blocks, where no name server answers for a minute. On the threads that a runtime has for what blocks, it would
//! keep whoever ends that runtime waiting: a node that was asked to stop would close its store late, and a command that has given
//! up would not end. Those that ask for a name at about the same time share a look-up. One that is stuck is not waited for by whoever
//! asks later, since a question that was lost may be answered the next time; and of a name there are few at a time.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;

/// So old a look-up may be for others to join it: what most answers take, and less than it takes to ask a name server again.
const SHARED_FOR: Duration = Duration::from_secs(1);
/// Look-ups of one name at a time; more wait for the youngest.
const OF_A_NAME_MAX: usize = 4;

/// Connects to an address or to a name, of which all addresses are tried in turn. No limit on time: whoever waits may give up.
/// Errors: what the resolver or the network says.
pub async fn connect(host: &str, port: u16) -> io::Result<TcpStream> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return TcpStream::connect((address, port)).await;
    }
    let mut found = SYSTEM.find(host).await?;
    found.iter_mut().for_each(|address| address.set_port(port));
    TcpStream::connect(&found[..]).await
}

static SYSTEM: Lookups = Lookups::by(|host| Ok((host, 0).to_socket_addrs()?.collect()));

type Resolve = fn(&str) -> io::Result<Vec<SocketAddr>>;
/// What was found; an error as its parts, since all that wait for it get it.
type Found = Result<Vec<SocketAddr>, (io::ErrorKind, String)>;

struct Lookups {
    resolve: Resolve,
    // Of each name, the youngest last. Held to find or change an entry.
    under_way: Mutex<BTreeMap<String, Vec<UnderWay>>>,
}

#[derive(Clone)]
struct UnderWay {
    begun: Instant,
    answer: watch::Receiver<Option<Found>>,
}

impl Lookups {
    const fn by(resolve: Resolve) -> Lookups {
        Lookups { resolve, under_way: Mutex::new(BTreeMap::new()) }
    }

    async fn find(&'static self, host: &str) -> io::Result<Vec<SocketAddr>> {
        let mut answer = self.begin(host)?;
        let found = answer.wait_for(Option::is_some).await;
        let found = found.map_err(|_| io::Error::other("the look-up of a name ended without an answer"))?;
        match found.as_ref().expect("it was waited for") {
            Ok(addresses) => Ok(addresses.clone()),
            Err((kind, text)) => Err(io::Error::new(*kind, text.clone())),
        }
    }

    /// A look-up of a name that is under way, or a new one. Errors: the system refuses a thread.
    fn begin(&'static self, host: &str) -> io::Result<watch::Receiver<Option<Found>>> {
        let (tell, answer) = watch::channel(None);
        let begun = Instant::now();
        {
            let mut under_way = self.under_way.lock();
            let of_name = under_way.entry(host.to_owned()).or_default();
            if let Some(youngest) = of_name.last()
                && (begun.duration_since(youngest.begun) < SHARED_FOR || of_name.len() == OF_A_NAME_MAX)
            {
                return Ok(youngest.answer.clone());
            }
            of_name.push(UnderWay { begun, answer: answer.clone() });
        }
        let ending = Ending { of: self, host: host.to_owned(), answer: answer.clone() };
        std::thread::Builder::new().name("lookup".to_owned()).spawn(move || {
            let found = (self.resolve)(&ending.host);
            // Whoever asks from now on asks anew, and those that wait are told.
            drop(ending);
            tell.send_replace(Some(found.map_err(|error| (error.kind(), error.to_string()))));
        })?;
        Ok(answer)
    }
}

/// A look-up that is no longer under way once this is dropped.
struct Ending {
    of: &'static Lookups,
    host: String,
    answer: watch::Receiver<Option<Found>>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        let mut under_way = self.of.under_way.lock();
        if let Entry::Occupied(mut of_name) = under_way.entry(std::mem::take(&mut self.host)) {
            of_name.get_mut().retain(|one| !one.answer.same_channel(&self.answer));
            if of_name.get().is_empty() {
                of_name.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn who_gives_up_and_ends_does_not_wait_for_a_resolver_that_is_stuck() {
        static STUCK: Lookups = Lookups::by(|_| {
            std::thread::sleep(Duration::from_secs(30));
            Ok(Vec::new())
        });
        let begun = Instant::now();
        let runtime = runtime();
        let gave_up = runtime.block_on(async {
            tokio::time::timeout(Duration::from_millis(20), STUCK.find("name")).await.is_err()
        });
        drop(runtime);
        assert!(gave_up && begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!(STUCK.under_way.lock().len(), 1);
    }

    #[test]
    fn all_that_ask_for_a_name_at_once_share_a_look_up_and_the_next_is_a_new_one() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        static GO: AtomicBool = AtomicBool::new(false);
        static COUNTED: Lookups = Lookups::by(|host| {
            ASKED.fetch_add(1, Ordering::Relaxed);
            while !GO.load(Ordering::Relaxed) {
                std::thread::yield_now();
            }
            match host {
                "known" => Ok(vec!["10.0.0.1:0".parse().unwrap(), "[fe80::1%3]:0".parse().unwrap()]),
                _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
            }
        });
        let [mut first, second] = [COUNTED.begin("known").unwrap(), COUNTED.begin("known").unwrap()];
        assert!(first.same_channel(&second));
        GO.store(true, Ordering::Relaxed);
        runtime().block_on(async {
            let found = first.wait_for(Option::is_some).await.unwrap().clone();
            assert_eq!(found.unwrap().unwrap().len(), 2);
            assert_eq!(ASKED.load(Ordering::Relaxed), 1);
            for _ in 0..2 {
                let error = COUNTED.find("unknown").await.unwrap_err();
                assert_eq!(
                    (error.kind(), error.to_string().as_str()),
                    (io::ErrorKind::NotFound, "no such name")
                );
            }
            assert_eq!(ASKED.load(Ordering::Relaxed), 3);
        });
        assert!(COUNTED.under_way.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_later_does_not_wait_for_one_that_is_stuck_and_there_are_few() {
        static ASKED: AtomicUsize = AtomicUsize::new(0);
        static LOST: Lookups = Lookups::by(|_| {
            // Of each two questions the first is lost.
            if ASKED.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                std::thread::sleep(Duration::from_secs(30));
            }
            Ok(Vec::new())
        });
        let stuck = LOST.begin("name").unwrap();
        while ASKED.load(Ordering::Relaxed) == 0 {
            std::thread::yield_now();
        }
        assert!(LOST.begin("name").unwrap().same_channel(&stuck));
        tokio::time::advance(SHARED_FOR).await;
        LOST.find("name").await.unwrap();
        assert_eq!(ASKED.load(Ordering::Relaxed), 2);

        static STUCK: Lookups = Lookups::by(|_| {
            std::thread::sleep(Duration::from_secs(30));
            Ok(Vec::new())
        });
        for _ in 0..10 {
            STUCK.begin("name").unwrap();
            tokio::time::advance(SHARED_FOR).await;
        }
        assert_eq!(STUCK.under_way.lock()["name"].len(), OF_A_NAME_MAX);
    }

    #[test]
    fn names_and_addresses_are_connected_to() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        runtime().block_on(async {
            for host in ["127.0.0.1", "localhost"] {
                assert_eq!(connect(host, port).await.unwrap().peer_addr().unwrap().port(), port, "{host}");
            }
            // No resolver is asked for that.
            connect("no\0host", port).await.unwrap_err();
        });
    }
}
