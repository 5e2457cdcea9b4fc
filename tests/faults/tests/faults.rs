//! Each fault by itself, on plain sockets and files: it happens, it happens to nobody else, and it ends.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use forebay_tests_faults::disk::Disk;
use forebay_tests_faults::network::{Link, Network, Place};
use forebay_tests_faults::relay::Relay;
use forebay_tests_faults::{clock, process};

const PORT: u16 = 7_000;
/// Long enough for anything that arrives at all on this machine, short enough to wait for what does not.
const SOON: Duration = Duration::from_millis(700);
/// TCP sends again after a pause that doubles; this outlasts what a test cuts.
const HEALED: Duration = Duration::from_secs(20);
const CLIENTS: Place = Place::Clients;
const ONE: Place = Place::Node(0);
const OTHER: Place = Place::Node(1);
const THIRD: Place = Place::Node(2);

#[allow(clippy::disallowed_methods, reason = "how long things take is what is tested")]
fn now() -> Instant {
    Instant::now()
}

/// Answers every byte with itself, at each node.
fn network(nodes: usize) -> Network {
    let network = Network::new(nodes).expect("root, iproute2 and nftables");
    for node in 0..nodes {
        let place = Place::Node(node);
        let listener = network.inside(place, || TcpListener::bind(("0.0.0.0", PORT)).expect("a free port"));
        let listener = listener.expect("entered");
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                std::thread::spawn(move || echo(stream));
            }
        });
    }
    network
}

fn echo(mut stream: TcpStream) {
    let mut bytes = [0; 4_096];
    while let Ok(count @ 1..) = stream.read(&mut bytes) {
        if stream.write_all(&bytes[..count]).is_err() {
            return;
        }
    }
}

fn connect(network: &Network, from: Place, to: Place) -> Option<TcpStream> {
    let address = SocketAddr::from((network.address(to), PORT));
    let stream = network.inside(from, || TcpStream::connect_timeout(&address, SOON).ok());
    stream.expect("entered").inspect(|stream| stream.set_nodelay(true).expect("a socket"))
}

/// Whether a byte comes back in time.
fn answers(stream: &mut TcpStream, within: Duration) -> bool {
    stream.set_read_timeout(Some(within)).expect("a socket");
    stream.write_all(b"x").is_ok() && stream.read_exact(&mut [0]).is_ok()
}

#[test]
fn a_node_that_is_cut_off_is_reached_by_no_other_until_it_heals() {
    let mut network = network(3);
    let mut open = connect(&network, ONE, OTHER).expect("whole");
    assert!(answers(&mut open, SOON));
    network.isolate(1).expect("cut");
    assert!(!answers(&mut open, SOON), "a connection that was open is cut too");
    assert!(connect(&network, ONE, OTHER).is_none() && connect(&network, OTHER, ONE).is_none());
    assert!(connect(&network, OTHER, THIRD).is_none() && connect(&network, THIRD, OTHER).is_none());
    // Nobody else is.
    assert!(answers(&mut connect(&network, ONE, THIRD).expect("whole"), SOON));
    assert!(answers(&mut connect(&network, CLIENTS, OTHER).expect("clients are on its side"), SOON));
    network.heal().expect("healed");
    assert!(answers(&mut connect(&network, ONE, OTHER).expect("whole again"), SOON));
    // What was sent while it was cut arrives in the end: nothing was lost of the stream.
    open.set_read_timeout(Some(HEALED)).expect("a socket");
    assert_eq!(open.read(&mut [0]).expect("the connection outlived it"), 1);
}

#[test]
fn a_link_is_cut_in_one_direction() {
    let mut network = network(2);
    let bind = |place| {
        let address = SocketAddr::from((network.address(place), PORT));
        let socket =
            network.inside(place, || UdpSocket::bind(address).expect("a free port")).expect("entered");
        socket.set_read_timeout(Some(SOON)).expect("a socket");
        (socket, address)
    };
    let ((one, at_one), (other, at_other)) = (bind(ONE), bind(OTHER));
    let arrives = |from: &UdpSocket, to: &UdpSocket, at| {
        from.send_to(b"x", at).expect("sent");
        to.recv(&mut [0]).is_ok()
    };
    assert!(arrives(&one, &other, at_other) && arrives(&other, &one, at_one));
    network.set(ONE, OTHER, Link::Cut).expect("cut");
    assert!(!arrives(&one, &other, at_other));
    assert!(arrives(&other, &one, at_one));
    network.heal().expect("healed");
    assert!(arrives(&one, &other, at_other) && arrives(&other, &one, at_one));
}

#[test]
fn a_link_loses_the_share_it_is_told() {
    let mut network = network(2);
    let address = SocketAddr::from((network.address(OTHER), PORT));
    let receiver = network.inside(OTHER, || UdpSocket::bind(address).expect("a free port")).expect("entered");
    let sender =
        network.inside(ONE, || UdpSocket::bind(("0.0.0.0", 0)).expect("a free port")).expect("entered");
    receiver.set_read_timeout(Some(SOON)).expect("a socket");
    let arrived = || {
        receiver.set_nonblocking(true).expect("a socket");
        let mut count = 0;
        for number in 0..2_000_u32 {
            sender.send_to(&number.to_be_bytes(), address).expect("sent");
            // As it goes, so that no buffer overflows.
            count += usize::from(receiver.recv(&mut [0; 4]).is_ok());
        }
        receiver.set_nonblocking(false).expect("a socket");
        while receiver.recv(&mut [0; 4]).is_ok() {
            count += 1;
        }
        count
    };
    assert!(arrived() >= 1_990);
    network.set(ONE, OTHER, Link::Loses(30)).expect("set");
    let share = arrived();
    assert!((1_250..=1_550).contains(&share), "{share} of 2,000 arrived");
    network.heal().expect("healed");
    assert!(arrived() >= 1_990);
}

#[test]
fn a_place_sends_no_faster_than_it_may() {
    const BYTES: usize = 250_000;
    let network = network(2);
    let transfer = || {
        let mut stream = connect(&network, ONE, OTHER).expect("whole");
        stream.set_read_timeout(Some(HEALED)).expect("a socket");
        let begun = now();
        let mut answered = stream.try_clone().expect("a socket");
        let writing = std::thread::spawn(move || stream.write_all(&vec![7; BYTES]));
        let mut back = vec![0; BYTES];
        answered.read_exact(&mut back).expect("all of it comes back");
        writing.join().expect("no panic").expect("written");
        begun.elapsed()
    };
    let free = transfer();
    network.limit(ONE, Some(1_000)).expect("limited");
    let limited = transfer();
    network.limit(ONE, None).expect("lifted");
    let lifted = transfer();
    // Two million bits at a million a second, less what a burst lets through.
    assert!(limited > Duration::from_millis(1_500), "{limited:?}");
    assert!(free < Duration::from_millis(800) && lifted < Duration::from_millis(800), "{free:?}, {lifted:?}");
}

#[test]
fn a_relay_delivers_late_and_in_order() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let target = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        listener.incoming().flatten().for_each(|stream| drop(std::thread::spawn(|| echo(stream))))
    });
    let relay = Relay::new(([127, 0, 0, 1], 0).into(), target, Duration::from_millis(150)).expect("listens");
    let mut stream = TcpStream::connect(relay.address()).expect("listens");
    stream.set_nodelay(true).expect("a socket");
    let round = |stream: &mut TcpStream| {
        let begun = now();
        assert!(answers(stream, HEALED));
        begun.elapsed()
    };
    // Once in each direction.
    assert!(round(&mut stream) >= Duration::from_millis(300));
    relay.set(Duration::ZERO);
    round(&mut stream);
    assert!(round(&mut stream) < Duration::from_millis(150));
    // Ten pieces under way at once take no longer than one.
    relay.set(Duration::from_millis(150));
    let begun = now();
    for number in 0..10_u8 {
        stream.write_all(&[number]).expect("sent");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut back = [0; 10];
    stream.read_exact(&mut back).expect("all of it comes back");
    assert_eq!(back, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(begun.elapsed() < Duration::from_millis(1_500), "{:?}", begun.elapsed());
    // The end arrives too.
    stream.shutdown(std::net::Shutdown::Write).expect("a socket");
    assert_eq!(stream.read(&mut [0]).expect("an orderly end"), 0);
}

#[test]
fn a_process_stands_still_goes_on_and_is_killed() {
    let mut child = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cat");
    let (mut to, mut from) = (child.stdin.take().expect("piped"), child.stdout.take().expect("piped"));
    let (send, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut byte = [0];
        while let Ok(1) = from.read(&mut byte) {
            let _ = send.send(byte[0]);
        }
    });
    to.write_all(b"a").expect("it reads");
    assert_eq!(lines.recv_timeout(HEALED), Ok(b'a'));
    let paused = process::pause(child.id()).expect("ours");
    to.write_all(b"b").expect("the pipe is open");
    assert!(lines.recv_timeout(SOON).is_err(), "it stands still");
    drop(paused);
    assert_eq!(lines.recv_timeout(HEALED), Ok(b'b'), "nothing was lost of what it was sent");
    process::kill(child.id()).expect("ours");
    assert_eq!(child.wait().expect("ours").code(), None, "a signal ended it");
    assert!(lines.recv_timeout(HEALED).is_err());
}

#[test]
fn a_small_disk_fills_and_has_room_again() {
    let disk = Disk::new(1 << 20).expect("root and mount");
    let path = disk.path().to_owned();
    let fill = || std::fs::write(path.join("large"), vec![1; 2 << 20]);
    assert_eq!(fill().expect_err("it is too small").kind(), ErrorKind::StorageFull);
    std::fs::remove_file(path.join("large")).expect("it is there");
    std::fs::write(path.join("small"), vec![1; 1 << 19]).expect("there is room again");
    drop(disk);
    assert!(!path.exists());
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("the system says");
    assert!(!mounts.contains(path.to_str().expect("text")), "it is unmounted");
}

#[test]
fn a_process_starts_at_another_uptime_and_the_machine_keeps_its_own() {
    let uptime = |text: String| -> f64 {
        text.split_whitespace().next().and_then(|seconds| seconds.parse().ok()).expect("seconds")
    };
    let ours = || uptime(std::fs::read_to_string("/proc/uptime").expect("the system says"));
    let before = ours();
    let hour = Duration::from_secs(3_600);
    let output = clock::ahead(hour, "cat").arg("/proc/uptime").output().expect("unshare");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let theirs = uptime(String::from_utf8_lossy(&output.stdout).into_owned());
    assert!((3_599.9..3_660.0).contains(&(theirs - before)), "{theirs} and {before}");
    assert!(ours() - before < 60.0);
}

#[test]
fn a_wall_clock_jumps_for_a_running_process_and_for_nothing_else() {
    const HOUR: i64 = 3_600;
    let clock = clock::WallClock::new().expect("libfaketime");
    let told = "import sys, time\nfor line in sys.stdin: print(time.time(), time.monotonic(), flush=True)";
    let mut process = clock.command("python3");
    process.args(["-c", told]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut process = process.spawn().expect("env and python3");
    let mut to = process.stdin.take().expect("piped");
    let mut from = BufReader::new(process.stdout.take().expect("piped"));
    // How far its wall clock is from ours, and what its monotonic one says. Unit: seconds.
    let mut ask = || {
        to.write_all(b"\n").expect("it reads");
        let mut line = String::new();
        from.read_line(&mut line).expect("it answers");
        let (wall, monotonic) = line.trim().split_once(' ').expect("two clocks");
        let seconds = |text: &str| text.parse::<f64>().expect("seconds");
        (seconds(wall) - ours(), seconds(monotonic))
    };
    let (off, begun) = ask();
    assert!(off.abs() < 1.0, "{off}");
    clock.started(process.id()).expect("ours");
    let mut last = begun;
    for ahead in [HOUR, -HOUR, 0] {
        clock.set(ahead).expect("ours");
        let begun = now();
        let shown = loop {
            let (off, monotonic) = ask();
            assert!(monotonic >= last && monotonic - last < 60.0, "{monotonic} after {last}");
            last = monotonic;
            if (off - ahead as f64).abs() < 1.0 {
                break begun.elapsed();
            }
            assert!(begun.elapsed() < Duration::from_secs(5), "{off} s and not {ahead}");
            std::thread::sleep(Duration::from_millis(10));
        };
        println!("{ahead} s, {shown:?} after it was told");
    }
    process.kill().expect("it runs");
    process.wait().expect("ours");
    for left in ["faketime_shm_", "sem.faketime_sem_"] {
        let left = format!("/dev/shm/{left}{}", process.id());
        assert!(!std::path::Path::new(&left).exists(), "{left} is left");
    }
}

/// The machine's wall clock. Unit: seconds since 1970.
#[allow(clippy::disallowed_methods, reason = "what is tested is that it stays what it is")]
fn ours() -> f64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.expect("it is later").as_secs_f64()
}

/// Every namespace there is.
fn namespaces() -> BTreeSet<String> {
    let output = Command::new("ip").args(["netns", "list"]).output().expect("ip");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// How many of them belong to a network of this name.
fn of(network: &str) -> usize {
    namespaces()
        .iter()
        .filter(|name| name.strip_prefix(network).is_some_and(|rest| rest.starts_with('-')))
        .count()
}

#[test]
fn nothing_is_left_by_a_panic_nor_by_a_run_that_was_killed() {
    // The number of a process that is gone, as a killed run's.
    let mut gone = Command::new("true").spawn().expect("true");
    gone.wait().expect("ours");
    let left = format!("fbfault-{}-0-1", gone.id());
    assert!(Command::new("ip").args(["netns", "add", &left]).status().expect("ip").success());
    let mut sleeper = Command::new("ip").args(["netns", "exec", &left, "sleep", "1000"]).spawn().expect("ip");
    // Not ours to remove: of a run that is alive.
    let alive = format!("fbfault-{}-0-1", std::os::unix::process::parent_id());
    assert!(Command::new("ip").args(["netns", "add", &alive]).status().expect("ip").success());
    // Until the sleeper is in the namespace.
    std::thread::sleep(SOON);

    let (send, made) = std::sync::mpsc::channel();
    let panicking = std::thread::spawn(move || {
        let network = Network::new(2).expect("root, iproute2 and nftables");
        let child = network.command(ONE, "sleep").arg("1000").spawn().expect("it runs");
        // Until it is in the namespace.
        std::thread::sleep(SOON);
        send.send((network.name().to_owned(), of(network.name()), child)).expect("somebody waits");
        panic!("on purpose");
    });
    let (name, made, mut child) = made.recv().expect("it was made");
    assert!(panicking.join().is_err());
    assert_eq!((made, of(&name)), (4, 0), "two nodes, clients and a bridge; and nothing");
    assert_eq!(child.wait().expect("ours").code(), None, "the process in it was killed");
    assert_eq!(sleeper.wait().expect("ours").code(), None, "the process in what was left was killed");
    let after = namespaces();
    assert!(!after.contains(&left), "what was left is swept");
    assert!(after.contains(&alive), "what is another's is not");
    assert!(Command::new("ip").args(["netns", "delete", &alive]).status().expect("ip").success());
}
