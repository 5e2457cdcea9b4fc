//! Bounded, deterministic fuzzing of expression text.
//!
//! `FOREBAY_FUZZ_RUNS` sets how many texts (200,000 without it), `FOREBAY_FUZZ_SEED` which. A failing text is printed by
//! the assertion that failed; a panic inside the library prints its seed.

use super::samples::{
    Random, broken, check_text, condition_text, key_condition_text, noise, projection_text, sample_items,
    soup, update_text,
};

fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")),
        Err(_) => default,
    }
}

fn text_of(random: &mut Random) -> String {
    let sound = match random.below(8) {
        0 => return soup(random),
        1 => return noise(random),
        2 | 3 => {
            let depth = random.below(5);
            condition_text(random, depth)
        }
        4 | 5 => update_text(random),
        6 => projection_text(random),
        _ => key_condition_text(random),
    };
    if random.below(2) == 0 { broken(random, &sound) } else { sound }
}

#[test]
fn fuzz_expression_text() {
    let runs = setting("FOREBAY_FUZZ_RUNS", 200_000);
    let first = setting("FOREBAY_FUZZ_SEED", 1);
    let items = sample_items();
    let mut taken = 0;
    for seed in first..first + runs {
        let text = text_of(&mut Random::new(seed));
        let result = std::panic::catch_unwind(|| check_text(&text, &items));
        taken += u64::from(result.unwrap_or_else(|_| panic!("seed {seed}: {text:?}")) > 0);
    }
    println!("{runs} texts from seed {first}, {taken} of them sound");
    // A generator that no parser takes anything from would prove nothing.
    assert!(taken * 4 > runs && taken * 10 < runs * 9, "{taken} of {runs} were sound");
}

#[test]
fn fuzz_texts_at_the_limit_of_length() {
    let items = sample_items();
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let mut text = String::new();
        while text.len() < 3900 {
            let piece = match seed % 4 {
                0 => soup(&mut random),
                1 => random.pick(&["(", "NOT (", "size(", "a[0].", "(a = :s AND (", "f("]).to_owned(),
                2 => format!("a{} ,", text.len()),
                _ => format!("{} OR ", condition_text(&mut random, 3)),
            };
            text.push_str(&piece);
        }
        check_text(&text, &items);
    }
    for text in ["(", "NOT ", "a", ":s ", "#", "é", "a.", "a[0]", "size(", "\0", "=", "a=:s AND "] {
        let megabytes = text.repeat(2 * 1024 * 1024 / text.len());
        check_text(&megabytes, &items);
    }
}
