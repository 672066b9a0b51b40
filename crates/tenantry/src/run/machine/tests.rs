//! The machine, step by step and under generated schedules.

use std::collections::{BTreeSet, VecDeque};

use super::*;

const S: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(1);

fn job(server: usize, after: Option<JobIndex>) -> JobSpec {
    JobSpec {
        server,
        after,
        ..one()
    }
}

fn one() -> JobSpec {
    JobSpec {
        kind: Some(0),
        ..JobSpec::default()
    }
}

fn lanes(limits: &[usize]) -> Vec<LaneSpec> {
    let lane = |limit: &usize| LaneSpec {
        limit: *limit,
        most: usize::MAX,
        area: 0,
    };
    limits.iter().map(lane).collect()
}

fn spec(jobs: Vec<JobSpec>, limits: &[usize], total: usize) -> Spec {
    Spec {
        jobs,
        lanes: lanes(limits),
        areas: vec![usize::MAX],
        total,
        patience: PATIENCE,
        ..Spec::default()
    }
}

/// A session that was opened on a server which did not say how many it bears.
fn opened(job: JobIndex, took: Duration) -> Input {
    let connections = None;
    Input::Opened(job, Opening { took, connections })
}

fn starts(actions: &[Action]) -> Vec<JobIndex> {
    actions
        .iter()
        .filter_map(|a| if let Action::Start(j) = a { Some(*j) } else { None })
        .collect()
}

fn skips(actions: &[Action]) -> Vec<(JobIndex, Why)> {
    let skip = |a: &Action| {
        if let Action::Skip(j, why) = a {
            Some((*j, *why))
        } else {
            None
        }
    };
    actions.iter().filter_map(skip).collect()
}

fn end(actions: &[Action]) -> Option<End> {
    actions.iter().find_map(|a| {
        if let Action::Finish(end) = a {
            Some(end.clone())
        } else {
            None
        }
    })
}

/// A machine, and what it did so far.
struct Trial {
    machine: Machine,
    at: Duration,
    running: Vec<JobIndex>,
    ends: Vec<End>,
}

impl Trial {
    fn of(spec: Spec) -> (Self, Vec<Action>) {
        let mut trial = Self {
            machine: Machine::new(spec),
            at: Duration::ZERO,
            running: Vec::new(),
            ends: Vec::new(),
        };
        let actions = trial.step(Input::Begin);
        (trial, actions)
    }

    fn step(&mut self, input: Input) -> Vec<Action> {
        if let Input::Ended(job, _) = &input {
            self.running.retain(|running| running != job);
        }
        let actions = self.machine.step(self.at, input);
        self.running.extend(starts(&actions));
        self.ends.extend(end(&actions));
        actions
    }

    fn ended(&mut self, job: JobIndex, ending: Ending) -> Vec<Action> {
        self.step(Input::Ended(job, ending))
    }

    /// Lets time pass until something is due.
    fn pass(&mut self) -> Vec<Action> {
        self.at = self.machine.wake().expect("something is due");
        self.step(Input::Tick)
    }
}

#[test]
fn limits_hold_per_server_per_jurisdiction_and_in_all() {
    let jobs: Vec<JobSpec> = (0..10).map(|i| job(i % 2, None)).collect();
    let (mut trial, begun) = Trial::of(spec(jobs.clone(), &[2, 3], 4));
    assert_eq!(starts(&begun).len(), 4);
    assert_eq!(starts(&trial.ended(0, Ending::Succeeded)).len(), 1);
    let narrow = Spec {
        areas: vec![3],
        ..spec(jobs, &[5, 5], 10)
    };
    assert_eq!(starts(&Trial::of(narrow).1).len(), 3);
}

#[test]
fn a_full_server_does_not_hold_up_another() {
    let jobs = vec![job(0, None), job(0, None), job(0, None), job(1, None)];
    assert_eq!(starts(&Trial::of(spec(jobs, &[1, 1], 10)).1), [0, 3]);
}

#[test]
fn the_longest_begin_first() {
    let long = |expected_ms| JobSpec { expected_ms, ..one() };
    let jobs = vec![long(5), long(900), long(70)];
    assert_eq!(starts(&Trial::of(spec(jobs, &[9], 9)).1), [1, 2, 0]);
}

#[test]
fn what_depends_on_a_failure_is_not_run() {
    let jobs = vec![job(0, None), job(0, Some(0)), job(0, Some(1)), job(0, None)];
    let (mut trial, begun) = Trial::of(spec(jobs, &[1], 1));
    assert_eq!(starts(&begun), [0]);
    let actions = trial.ended(0, Ending::Failed(None));
    assert_eq!(skips(&actions), [(1, Why::Dependency), (2, Why::Dependency)]);
    assert_eq!(starts(&actions), [3]);
    assert_eq!(end(&trial.ended(3, Ending::Succeeded)), Some(End::Completed));
}

#[test]
fn a_stop_lets_running_jobs_finish_and_starts_none() {
    let jobs = vec![job(0, None), job(0, None), job(0, Some(0))];
    let (mut trial, _) = Trial::of(spec(jobs, &[1], 1));
    let actions = trial.step(Input::Ask(Asked::Stop(End::Interrupted)));
    assert_eq!(skips(&actions), [(1, Why::Stopped), (2, Why::Stopped)]);
    assert_eq!(end(&trial.ended(0, Ending::Succeeded)), Some(End::Interrupted));
}

#[test]
fn a_run_without_jobs_finishes_at_once() {
    assert_eq!(end(&Trial::of(Spec::default()).1), Some(End::Completed));
}

fn waves(waves: Vec<WaveSpec>, of: &[usize]) -> Spec {
    let job = |wave: &usize| JobSpec { wave: *wave, ..one() };
    Spec {
        waves,
        ..spec(of.iter().map(job).collect(), &[9], 9)
    }
}

fn canary() -> WaveSpec {
    WaveSpec {
        care: Care::Canary,
        ..WaveSpec::default()
    }
}

#[test]
fn a_wave_begins_when_the_one_before_has_ended() {
    let (mut trial, begun) = Trial::of(waves(vec![canary(), WaveSpec::default()], &[1, 0, 1]));
    assert_eq!(begun, [Action::WaveStarted(0), Action::Start(1)]);
    let next = trial.ended(1, Ending::Succeeded);
    let expected = [
        Action::Settle(1),
        Action::WaveFinished(0, Duration::ZERO),
        Action::WaveStarted(1),
        Action::Start(0),
        Action::Start(2),
    ];
    assert_eq!(next, expected);
}

#[test]
fn a_canary_that_fails_ends_the_run() {
    let (mut trial, _) = Trial::of(waves(vec![canary(), WaveSpec::default()], &[0, 1, 1]));
    let actions = trial.ended(0, Ending::Failed(Some(7)));
    assert_eq!(skips(&actions).len(), 2);
    assert_eq!(end(&actions), Some(End::Stopped(Rule::Canary)));
}

/// A canary and four more of its kind, each with a server of its own.
fn with_canary() -> Spec {
    let jobs = (0..5).map(|job| JobSpec {
        server: job,
        wave: usize::from(job > 0),
        ..one()
    });
    Spec {
        waves: vec![canary(), WaveSpec::default()],
        owed: vec![0],
        ..spec(jobs.collect(), &[9; 5], 9)
    }
}

#[test]
fn where_a_canary_could_not_be_tried_another_one_of_its_kind_goes_first() {
    for cannot in [Ending::Otherwise, Ending::LoginRefused] {
        let (mut trial, _) = Trial::of(with_canary());
        assert_eq!(starts(&trial.ended(0, cannot)), [1]);
        assert_eq!(starts(&trial.ended(1, cannot)), [2]);
        assert_eq!(trial.ended(2, Ending::Succeeded).len(), 5, "and then the rest");
        assert_eq!(trial.running, [3, 4]);
    }
    let (mut trial, _) = Trial::of(with_canary());
    trial.ended(0, Ending::Otherwise);
    let failed = trial.ended(1, Ending::Failed(Some(7)));
    assert_eq!(end(&failed), Some(End::Stopped(Rule::Canary)));
}

#[test]
fn another_kind_is_no_stand_in_and_waits_for_none() {
    let mut mixed = with_canary();
    mixed.jobs[1].kind = Some(1);
    mixed.jobs[2].kind = Some(1);
    let (mut trial, _) = Trial::of(mixed.clone());
    assert_eq!(starts(&trial.ended(0, Ending::Otherwise)), [3]);
    mixed.jobs[3].kind = Some(1);
    mixed.jobs[4].kind = Some(1);
    let (mut trial, _) = Trial::of(mixed);
    assert_eq!(starts(&trial.ended(0, Ending::Otherwise)), [1, 2, 3, 4]);
}

#[test]
fn where_nobody_can_stand_in_for_a_canary_the_run_stops() {
    let jobs = (0..20).map(|job| JobSpec {
        wave: usize::from(job > 0),
        ..one()
    });
    let spec = Spec {
        jobs: jobs.collect(),
        ..with_canary()
    };
    let (mut trial, _) = Trial::of(spec);
    for job in 0..5 {
        assert_eq!(starts(&trial.ended(job, Ending::Otherwise)), [job + 1]);
    }
    let stopped = trial.ended(5, Ending::Otherwise);
    assert_eq!(
        (skips(&stopped).len(), end(&stopped)),
        (14, Some(End::Stopped(Rule::NoCanary)))
    );
}

#[test]
fn a_gate_ends_the_run_and_a_run_that_is_promoted_begins_behind_it() {
    let gate = WaveSpec {
        gate: Some(Gate),
        ..WaveSpec::default()
    };
    let spec = waves(vec![gate, WaveSpec::default()], &[0, 1]);
    let (mut trial, _) = Trial::of(spec.clone());
    let actions = trial.ended(0, Ending::Succeeded);
    assert_eq!(skips(&actions), [(1, Why::Stopped)]);
    assert_eq!(end(&actions), Some(End::Gate(0)));
    let promoted = Spec { wave: 1, ..spec };
    assert_eq!(
        starts(&Trial::of(promoted).1),
        [0, 1],
        "what was left of the first goes with it"
    );
}

#[test]
fn a_gate_behind_the_last_targets_stops_nobody() {
    let gate = WaveSpec {
        gate: Some(Gate),
        ..WaveSpec::default()
    };
    let (mut trial, _) = Trial::of(waves(vec![gate, WaveSpec::default()], &[0]));
    assert_eq!(end(&trial.ended(0, Ending::Succeeded)), Some(End::Completed));
}

#[test]
fn a_soak_is_waited_for_or_cut_short() {
    let soaking = || {
        let wave = WaveSpec {
            soak: 600 * S,
            ..WaveSpec::default()
        };
        let (mut trial, _) = Trial::of(waves(vec![wave, WaveSpec::default()], &[0, 1]));
        assert!(starts(&trial.ended(0, Ending::Succeeded)).is_empty());
        trial
    };
    let mut waited = soaking();
    assert_eq!(starts(&waited.pass()), [1]);
    assert_eq!(waited.at, 600 * S);
    let mut promoted = soaking();
    assert_eq!(starts(&promoted.step(Input::Ask(Asked::Promote))), [1]);
}

/// A run that soaks for ten minutes behind its first wave, whose targets have ended but for those of `of`.
fn soaks(soak: Option<Duration>, before: usize, of: &[usize]) -> Spec {
    let wave = WaveSpec {
        soak: 600 * S,
        was_worked_on: before > 0,
        ..WaveSpec::default()
    };
    Spec {
        soak,
        ..waves(vec![wave, WaveSpec::default()], of)
    }
}

#[test]
fn a_soak_is_told_when_it_begins() {
    let (mut trial, _) = Trial::of(soaks(None, 0, &[0, 1]));
    let told = trial.ended(0, Ending::Succeeded);
    assert_eq!(told, [Action::Settle(0), Action::WaveFinished(0, 600 * S)]);
    assert_eq!(trial.pass(), [Action::WaveStarted(1), Action::Start(1)]);
}

#[test]
fn a_soak_is_gone_on_with_by_whoever_takes_the_run_up() {
    let (mut trial, begun) = Trial::of(soaks(Some(9 * S), 1, &[1]));
    assert_eq!(begun, [Action::WaveFinished(0, 9 * S)]);
    assert_eq!(trial.pass(), [Action::WaveStarted(1), Action::Start(0)]);
    assert_eq!(trial.at, 9 * S);
    let over = Trial::of(soaks(Some(Duration::ZERO), 1, &[1])).1;
    assert_eq!(starts(&over), [0], "it was over");
    let unknown = Trial::of(soaks(None, 1, &[1])).1;
    let told = [Action::WaveFinished(0, 600 * S)];
    assert_eq!(unknown, told, "nobody wrote down that it had begun");
}

#[test]
fn nothing_is_waited_for_behind_a_wave_without_targets() {
    assert_eq!(starts(&Trial::of(soaks(None, 0, &[1])).1), [0]);
}

fn ruled(jobs: usize, rules: StopRules) -> Spec {
    Spec {
        rules,
        ..spec(vec![one(); jobs], &[9], 9)
    }
}

#[test]
fn the_run_stops_with_the_first_failure_that_it_does_not_bear() {
    let rules = StopRules {
        max_failures: Some(2),
        ..StopRules::default()
    };
    let (mut trial, _) = Trial::of(ruled(20, rules));
    trial.step(opened(0, S / 100));
    assert_eq!(starts(&trial.ended(0, Ending::Failed(None))).len(), 1);
    assert_eq!(starts(&trial.ended(1, Ending::Failed(None))).len(), 1);
    assert_eq!(
        trial.ended(2, Ending::Unreachable).len(),
        2,
        "a server is no failure"
    );
    let actions = trial.ended(3, Ending::Failed(None));
    assert_eq!(skips(&actions).len(), 20 - 11 - 1 + 1);
    while let Some(job) = trial.running.first().copied() {
        trial.ended(job, Ending::Succeeded);
    }
    assert_eq!(trial.ends, [End::Stopped(Rule::MaxFailures { most: 2 })]);
}

#[test]
fn until_one_is_otherwise_no_more_begin_than_the_rule_needs_to_see() {
    let rules = StopRules {
        same_error: Some(3),
        ..StopRules::default()
    };
    let (mut trial, begun) = Trial::of(ruled(20, rules.clone()));
    assert_eq!(starts(&begun).len(), 3);
    for job in 0..2 {
        assert!(starts(&trial.ended(job, Ending::Failed(Some(7)))).is_empty());
    }
    let actions = trial.ended(2, Ending::Failed(Some(7)));
    assert_eq!(skips(&actions).len(), 17);
    assert_eq!(end(&actions), Some(End::Stopped(Rule::SameError { first: 3 })));
    for otherwise in [Ending::Succeeded, Ending::Failed(Some(8))] {
        let (mut trial, _) = Trial::of(ruled(20, rules.clone()));
        trial.step(opened(0, S / 100));
        trial.ended(0, Ending::Failed(Some(7)));
        assert_eq!(starts(&trial.ended(1, otherwise)).len(), 8);
    }
}

#[test]
fn whoever_takes_a_run_up_knows_how_far_its_failures_are_alike() {
    let before = |alike_before, failed_before| StopRules {
        same_error: Some(3),
        failed_before,
        alike_before,
        ..StopRules::default()
    };
    let one = Alike::default().with(Some(7));
    let (mut trial, begun) = Trial::of(ruled(20, before(one, 1)));
    assert_eq!(starts(&begun).len(), 2);
    trial.ended(0, Ending::Failed(Some(7)));
    let actions = trial.ended(1, Ending::Failed(Some(7)));
    assert_eq!(end(&actions), Some(End::Stopped(Rule::SameError { first: 3 })));
    let unlike = one.with(Some(8));
    assert_eq!(starts(&Trial::of(ruled(20, before(unlike, 2))).1).len(), 5);
}

#[test]
fn behind_a_wave_of_which_nothing_could_be_tried_nothing_is_waited_for() {
    let guarded = WaveSpec {
        gate: Some(Gate),
        soak: 600 * S,
        ..WaveSpec::default()
    };
    let mut spec = waves(
        vec![WaveSpec::default(), guarded, WaveSpec::default()],
        &[0, 1, 2],
    );
    for job in 1..3 {
        spec.jobs[job].after = Some(0);
    }
    let (mut trial, _) = Trial::of(spec);
    assert_eq!(
        end(&trial.ended(0, Ending::Failed(Some(7)))),
        Some(End::Completed)
    );
}

#[test]
fn behind_a_wave_that_was_current_nothing_is_waited_for() {
    let guarded = |was_worked_on| WaveSpec {
        gate: Some(Gate),
        soak: 600 * S,
        was_worked_on,
        ..WaveSpec::default()
    };
    let of = |was_worked_on| Trial::of(waves(vec![guarded(was_worked_on), WaveSpec::default()], &[0, 1])).0;
    assert_eq!(starts(&of(false).ended(0, Ending::Current)), [1]);
    // Something was done in it before.
    assert!(starts(&of(true).ended(0, Ending::Current)).is_empty());
    assert!(
        starts(&of(false).ended(0, Ending::Otherwise)).is_empty(),
        "nobody knows"
    );
}

#[test]
fn the_central_database_says_nothing_about_others() {
    let rules = StopRules {
        same_error: Some(3),
        ..StopRules::default()
    };
    let mut spec = ruled(20, rules);
    spec.jobs[0].kind = None;
    for job in 1..20 {
        spec.jobs[job].after = Some(0);
    }
    let (mut trial, begun) = Trial::of(spec);
    assert_eq!(starts(&begun), [0]);
    assert_eq!(starts(&trial.ended(0, Ending::Succeeded)).len(), 3);
}

#[test]
fn where_nothing_is_left_to_stop_the_run_is_complete() {
    let rules = StopRules {
        same_error: Some(2),
        max_failures: Some(0),
        ..StopRules::default()
    };
    let (mut trial, _) = Trial::of(ruled(2, rules));
    trial.ended(0, Ending::Failed(Some(7)));
    assert_eq!(
        end(&trial.ended(1, Ending::Failed(Some(7)))),
        Some(End::Completed)
    );
}

#[test]
fn a_server_that_never_answers_is_given_up_and_others_go_on() {
    let jobs = (0..20).map(|i| job(usize::from(i >= 15), None)).collect();
    let (mut trial, _) = Trial::of(spec(jobs, &[5, 1], 9));
    let mut away = BTreeSet::new();
    for _ in 0..200 {
        let asked: Vec<JobIndex> = trial.running.iter().copied().filter(|job| *job < 15).collect();
        let mut actions = Vec::new();
        for job in asked {
            actions.extend(trial.ended(job, Ending::Unreachable));
        }
        if trial.running.is_empty() || !trial.running.iter().any(|job| *job < 15) {
            actions.extend(trial.pass());
        }
        let is_away = |why: Why| why == Why::ServerAway { server: 0 };
        away.extend(
            skips(&actions)
                .into_iter()
                .filter(|(_, why)| is_away(*why))
                .map(|(job, _)| job),
        );
        if away.len() == 15 {
            break;
        }
    }
    assert_eq!(away, (0..15).collect());
    assert!((8 * S..30 * S).contains(&trial.at), "{:?}", trial.at);
    for job in 15..20 {
        assert_eq!(trial.running, [job]);
        trial.ended(job, Ending::Succeeded);
    }
    assert_eq!(trial.ends, [End::Completed]);
}

#[test]
fn a_server_that_answered_before_is_waited_for_by_one_job_at_a_time() {
    let jobs = (0..30).map(|_| job(0, None)).collect();
    let (mut trial, _) = Trial::of(spec(jobs, &[5], 5));
    trial.step(opened(0, S / 100));
    trial.ended(0, Ending::Succeeded);
    while trial.running.len() > 1 || trial.at < S {
        for job in trial.running.clone() {
            trial.ended(job, Ending::Unreachable);
        }
        trial.pass();
    }
    let mut asked = 0;
    while trial.at < 40 * S {
        trial.pass();
        assert!(trial.running.len() <= 1, "{:?}", trial.running);
        for job in trial.running.clone() {
            asked += 1;
            trial.ended(job, Ending::Unreachable);
        }
    }
    assert!((5..15).contains(&asked), "{asked}");
    while trial.running.is_empty() {
        trial.pass();
    }
    let back = trial.running[0];
    let actions = trial.step(opened(back, S / 100));
    assert_eq!(starts(&actions).len(), 4, "it is back");
}

#[test]
fn a_server_without_connections_is_asked_for_fewer_until_it_has_some() {
    let jobs = (0..100).map(|_| job(0, None)).collect();
    let (mut trial, begun) = Trial::of(spec(jobs, &[64], 64));
    assert_eq!(starts(&begun).len(), 5, "nobody knows what it bears");
    assert_eq!(starts(&trial.step(opened(0, S / 100))).len(), 59);
    let mut ended = 0;
    let mut most = 64;
    while trial.ends.is_empty() {
        // The server has ten.
        while trial.running.len() > 10 {
            let last = trial.running[trial.running.len() - 1];
            trial.ended(last, Ending::Crowded);
        }
        match trial.running.first().copied() {
            Some(job) => {
                ended += 1;
                trial.ended(job, Ending::Succeeded);
            }
            None => drop(trial.pass()),
        }
        most = trial.running.len();
    }
    assert_eq!((ended, trial.ends.as_slice()), (100, [End::Completed].as_slice()));
    assert!(most <= 20, "{most}");
}

#[test]
fn half_of_a_servers_connections_are_left_to_others() {
    for (connections, running) in [(Some(27), 13), (Some(1), 5), (Some(400), 64), (None, 64)] {
        let jobs = (0..100).map(|_| job(0, None)).collect();
        let (mut trial, _) = Trial::of(spec(jobs, &[64], 64));
        let took = S / 100;
        trial.step(Input::Opened(0, Opening { took, connections }));
        assert_eq!(trial.running.len(), running, "{connections:?}");
        // Nothing that goes well or is wished for raises that.
        trial.step(Input::Ask(Asked::Faster));
        for job in trial.running.clone() {
            trial.ended(job, Ending::Succeeded);
        }
        let most = if running == 64 {
            65
        } else {
            connections.map_or(64, |all| (all / 2).max(1))
        };
        assert!(
            trial.running.len() <= most,
            "{connections:?}: {}",
            trial.running.len()
        );
    }
}

#[test]
fn a_wrong_login_that_several_share_is_tried_twice() {
    let shared = JobSpec {
        login: Some(0),
        ..one()
    };
    let with = || Spec {
        logins: vec![2],
        ..spec(vec![shared.clone(); 10], &[5], 5)
    };
    let (mut trial, begun) = Trial::of(with());
    assert_eq!(starts(&begun), [0]);
    let second = starts(&trial.ended(0, Ending::LoginRefused));
    assert_eq!(second.len(), 1);
    let actions = trial.ended(second[0], Ending::LoginRefused);
    assert_eq!(skips(&actions).len(), 8);
    assert_eq!(end(&actions), Some(End::Completed));
    let (mut trial, _) = Trial::of(with());
    assert_eq!(starts(&trial.step(opened(0, S))).len(), 4, "it is right");
}

#[test]
fn nothing_new_starts_while_the_registry_is_away_or_silent_for_too_long() {
    let jobs = vec![one(); 9];
    let (mut trial, _) = Trial::of(spec(jobs.clone(), &[2], 2));
    trial.step(Input::Registry(Said::Away));
    assert!(starts(&trial.ended(0, Ending::Succeeded)).is_empty());
    assert_eq!(
        starts(&trial.step(Input::Registry(Said::Ours { ago: Duration::ZERO }))).len(),
        1
    );
    trial.at = 21 * S;
    assert!(
        starts(&trial.ended(1, Ending::Succeeded)).is_empty(),
        "the lease may be somebody else's"
    );
    assert_eq!(
        starts(&trial.step(Input::Registry(Said::Ours { ago: Duration::ZERO }))).len(),
        1
    );
    let (mut lost, _) = Trial::of(spec(jobs, &[1], 1));
    lost.step(Input::Registry(Said::Away));
    lost.ended(0, Ending::Succeeded);
    assert_eq!(end(&lost.pass()), Some(End::RegistryLost));
    assert_eq!(lost.at, PATIENCE);
}

#[test]
fn the_speed_can_be_changed() {
    let jobs = vec![one(); 9];
    let (mut trial, _) = Trial::of(spec(jobs, &[2], 2));
    assert_eq!(starts(&trial.step(Input::Ask(Asked::Faster))).len(), 1);
    trial.step(Input::Ask(Asked::Slower));
    trial.step(Input::Ask(Asked::Slower));
    assert!(starts(&trial.ended(0, Ending::Succeeded)).is_empty());
    assert_eq!(trial.machine.total(), 1);
}

proptest::proptest! {
    /// Whatever the jobs, limits, waves and endings: every job is settled or skipped exactly once, limits hold, order
    /// holds, and the run finishes exactly once.
    #[test]
    fn every_job_ends_once_within_the_limits(
        specs in proptest::collection::vec(
            (0..3usize, proptest::option::of(0..40usize), 0..3usize, proptest::option::of(0..2usize)), 0..40),
        limits in proptest::collection::vec(1..4usize, 3),
        total in 1..6usize,
        rules in (proptest::option::of(0..6usize), proptest::option::of(1..4usize)),
        fates in proptest::collection::vec(0..24u8, 0..200),
        stop_at in proptest::option::of(0..60usize),
    ) {
        let jobs: Vec<JobSpec> = specs
            .iter()
            .enumerate()
            .map(|(i, (server, after, wave, login))| JobSpec {
                kind: Some(i % 2),
                server: *server,
                after: after.filter(|a| *a < i),
                login: *login,
                wave: *wave,
                expected_ms: 0,
            })
            .collect();
        let count = jobs.len();
        let soak = WaveSpec { soak: S, ..WaveSpec::default() };
        let (mut trial, begun) = Trial::of(Spec {
            waves: vec![canary(), soak, WaveSpec::default()],
            owed: vec![0, 1],
            logins: vec![2; 2],
            rules: StopRules { max_failures: rules.0, same_error: rules.1, ..StopRules::default() },
            ..spec(jobs.clone(), &limits, total)
        });
        let mut ended: Vec<Option<bool>> = vec![None; count];
        let mut well: Vec<bool> = vec![false; count];
        let mut fates = VecDeque::from(fates);
        let mut actions = begun;
        for turn in 0..5_000 {
            for action in std::mem::take(&mut actions) {
                match action {
                    Action::Start(job) => {
                        proptest::prop_assert!(ended[job].is_none());
                        if let Some(before) = jobs[job].after {
                            proptest::prop_assert_eq!(ended[before], Some(true));
                        }
                    }
                    Action::Settle(job) => {
                        proptest::prop_assert!(ended[job].replace(well[job]).is_none());
                    }
                    Action::Skip(job, _) => proptest::prop_assert!(ended[job].replace(false).is_none()),
                    Action::Again(..) | Action::WaveStarted(_) | Action::WaveFinished(..) | Action::Finish(_) => {}
                }
            }
            proptest::prop_assert!(trial.running.len() <= total);
            for (server, limit) in limits.iter().enumerate() {
                let there = trial.running.iter().filter(|job| jobs[**job].server == server);
                proptest::prop_assert!(there.count() <= *limit);
            }
            if !trial.ends.is_empty() && trial.running.is_empty() {
                break;
            }
            if stop_at == Some(turn) {
                actions = trial.step(Input::Ask(Asked::Stop(End::Paused)));
                continue;
            }
            let Some(job) = trial.running.pop() else {
                actions = trial.pass();
                continue;
            };
            trial.running.push(job);
            let ending = match fates.pop_front().unwrap_or(0) {
                0..=9 => Ending::Succeeded,
                10 | 11 => Ending::Failed(Some(1)),
                12 => Ending::Failed(None),
                13 => Ending::Refused,
                14..=16 => Ending::Crowded,
                17..=20 => Ending::Unreachable,
                21 => Ending::LoginRefused,
                22 => Ending::Otherwise,
                _ => {
                    actions = trial.step(opened(job, S / 50));
                    continue;
                }
            };
            well[job] = ending == Ending::Succeeded;
            actions = trial.ended(job, ending);
        }
        proptest::prop_assert_eq!(trial.ends.len(), 1);
        proptest::prop_assert!(ended.iter().all(Option::is_some));
    }
}

#[test]
fn an_answer_counts_from_when_it_was_asked() {
    let (mut trial, _) = Trial::of(spec(vec![job(0, None); 3], &[1], 1));
    trial.step(Input::Registry(Said::Ours {
        ago: Duration::from_secs(15),
    }));
    trial.at += Duration::from_secs(4);
    assert_eq!(starts(&trial.ended(0, Ending::Succeeded)), [1]);
    trial.at += S;
    assert!(starts(&trial.ended(1, Ending::Succeeded)).is_empty());
    // An answer that lay unread while the process stood still says nothing of today.
    let old = Said::Ours {
        ago: Duration::from_mins(1),
    };
    assert!(starts(&trial.step(Input::Registry(old))).is_empty());
}
