//! The long form of the kill cycles: `FOREBAY_CYCLES` of them, 200 unless said otherwise; `FOREBAY_SEED` to repeat one.

use forebay_tests::kill;

#[test]
fn nothing_acknowledged_is_lost_by_many_kills() {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")),
        Err(_) => default,
    };
    let cycles = number("FOREBAY_CYCLES", 200) as usize;
    let seed = number("FOREBAY_SEED", 20_261_121);
    println!("seed {seed}");
    let report = kill::run(cycles, seed);
    println!("{report}");
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
    assert_eq!(report.cycles, cycles);
}
