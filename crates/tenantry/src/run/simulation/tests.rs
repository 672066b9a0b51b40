//! Ten thousand worlds in which nothing may go wrong, and worlds in which a guard is left out.

use std::time::Instant;

use super::*;

/// What every submission goes through.
const SEEDS: u64 = 10_000;
/// Among so many worlds a guard that is left out must be missed.
const MISSED_AMONG: u64 = 2_000;

#[test]
fn nothing_is_lost_or_doubled_in_ten_thousand_worlds() {
    let begun = Instant::now();
    let mut figures = Figures::default();
    for seed in 0..SEEDS {
        match simulate(seed, Settings::default()) {
            Ok(world) => figures.add(&world),
            Err(violation) => panic!("{violation}"),
        }
    }
    println!("{SEEDS} seeds in {:?}: {figures:?}", begun.elapsed());
    // A world in which nothing goes wrong proves nothing.
    for (what, count) in [
        ("taken over", figures.claims),
        ("followed to the end", figures.followed),
        ("fenced", figures.fenced),
        ("refused", figures.refused),
        ("restored", figures.restored),
    ] {
        assert!(count > 100, "{what}: {count}");
    }
    assert!(figures.completed > SEEDS);
}

#[test]
fn a_seed_gives_the_same_world_every_time() {
    for seed in 0..50 {
        let twice = [(); 2].map(|()| simulate(seed, Settings::default()).unwrap());
        assert_eq!(twice[0], twice[1], "seed {seed}");
    }
}

#[test]
fn a_guard_that_is_left_out_is_missed() {
    for defect in Defect::ALL {
        let settings = Settings {
            defect: Some(defect),
            ..Settings::default()
        };
        let mut worlds = 0..MISSED_AMONG;
        let missed = worlds.find_map(|seed| simulate(seed, settings).err());
        let violation = missed.unwrap_or_else(|| panic!("nobody misses it: {defect:?}"));
        println!("{defect:?}: seed {}: {}", violation.seed, violation.what);
        let sign = match defect {
            Defect::EpochIgnored => "wrote under epoch",
            Defect::LeaseIgnored | Defect::FenceIgnored => "starts a target, but",
            Defect::LockIgnored => "took effect 2 times",
            Defect::NotReadBack => "but its history has",
            Defect::SoakForgotten => "too early behind wave",
        };
        assert!(violation.what.contains(sign), "{defect:?}: {}", violation.what);
        assert!(!violation.trace.is_empty());
    }
}

#[test]
fn one_world_has_a_hundred_thousand_targets_and_twenty_drivers() {
    let settings = Settings {
        targets: 100_000,
        drivers: 20,
        ..Settings::default()
    };
    match simulate(3, settings) {
        Ok(figures) => assert!(figures.targets >= 100_000 && figures.drivers >= 20, "{figures:?}"),
        Err(violation) => panic!("{violation}"),
    }
}
