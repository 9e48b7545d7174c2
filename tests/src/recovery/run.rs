//! Tells stories in several scenes at once, and gathers what went wrong.

use super::parts::{Case, Program};
use super::scene::{Made, Scene};
use super::stories::Story;
use super::{aftermath, moments};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

/// How often a blow that met nobody is tried again: some steps come or not, as the time falls.
const TRIES: usize = 3;

/// A story in peace, or with a blow.
#[derive(Debug, Clone)]
pub struct Telling {
    /// Which.
    pub story: Story,
    /// The blow.
    pub case: Option<Case>,
    /// A blow that meets nobody is no fault.
    pub may_miss: bool,
}

/// The steps of a story told in peace.
pub type Trails = BTreeMap<Program, Vec<String>>;

/// What came of a telling.
pub struct Told {
    /// Which.
    pub telling: Telling,
    /// The steps, or what went wrong.
    pub outcome: Result<Trails, String>,
}

/// Tells them all, `lanes` at a time, each lane with a scene of its own that is made anew after a fault.
pub fn tell_all(lanes: usize, made: Made, tellings: Vec<Telling>) -> Vec<Told> {
    let queue = Mutex::new(tellings.into_iter().enumerate().collect::<VecDeque<_>>());
    let told = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..lanes {
            scope.spawn(|| {
                let mut scene: Option<Scene> = None;
                while let Some((number, telling)) = next(&queue) {
                    let begun = std::time::Instant::now();
                    let attempt = AssertUnwindSafe(|| {
                        let own_docker = made.own_docker || telling.story.own_docker;
                        if scene
                            .as_ref()
                            .is_none_or(|s| s.dockerd.is_some() != own_docker)
                        {
                            scene = None;
                            scene = Some(Scene::new(Made { own_docker, ..made }));
                        }
                        let scene = scene.as_mut().unwrap_or_else(|| unreachable!("just made"));
                        tell(scene, &telling)
                    });
                    let outcome = catch_unwind(attempt).unwrap_or_else(|panic| Err(words(&*panic)));
                    if outcome.is_err()
                        && let Some(scene) = scene.take()
                    {
                        eprintln!("{}", scene.last_words());
                    }
                    let word = if outcome.is_ok() { "held" } else { "FAILED" };
                    let blow = telling
                        .case
                        .as_ref()
                        .map(|case| format!(", {case}"))
                        .unwrap_or_default();
                    eprintln!(
                        "{word} after {:.1} s: {}{blow}",
                        begun.elapsed().as_secs_f64(),
                        telling.story.name
                    );
                    told.lock()
                        .unwrap()
                        .push((number, Told { telling, outcome }));
                }
                let end = AssertUnwindSafe(|| scene.as_mut().map(aftermath::in_the_end));
                if let Err(panic) = catch_unwind(end) {
                    let mut told = told.lock().unwrap();
                    let outcome = &mut told.last_mut().unwrap().1.outcome;
                    *outcome = Err(format!("in the end of a scene: {}", words(&*panic)));
                }
            });
        }
    });
    let mut told = told.into_inner().unwrap();
    told.sort_by_key(|(number, _)| *number);
    told.into_iter().map(|(_, told)| told).collect()
}

fn next<T>(queue: &Mutex<VecDeque<T>>) -> Option<T> {
    queue.lock().unwrap().pop_front()
}

fn tell(scene: &mut Scene, telling: &Telling) -> Result<Trails, String> {
    for who in [Program::Agent, Program::Market] {
        scene.take_trail(who);
    }
    let mut case = telling.case.clone();
    for _ in 0..TRIES {
        scene.order(case.clone());
        scene.lost_time |= telling.story.loses_time;
        (telling.story.tell)(scene);
        aftermath::at_rest(scene);
        let struck = scene.close();
        let trails = [Program::Agent, Program::Market].map(|who| (who, scene.take_trail(who)));
        aftermath::all(scene);
        if case.is_none() || struck || telling.may_miss {
            return Ok(trails.into());
        }
        // What repeats may have come less often this time.
        if let Some(case) = &mut case {
            case.at.nth = 1;
        }
    }
    Err("the step was not reached".to_owned())
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_else(|| "it panicked without a word".to_owned())
}

/// What went wrong, told all at once.
#[track_caller]
pub fn must_hold(told: &[Told]) {
    let wrong: Vec<String> = told
        .iter()
        .filter_map(|told| {
            let why = told.outcome.as_ref().err()?;
            let case = told.telling.case.as_ref().map(ToString::to_string);
            Some(format!(
                "* {}, {}:\n  {why}",
                told.telling.story.name,
                case.unwrap_or_else(|| "in peace".into())
            ))
        })
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {} went wrong:\n{}",
        wrong.len(),
        told.len(),
        wrong.join("\n")
    );
}

/// The cases of one program's steps: each step that is `wanted` once over all stories, or every moment of each. Those
/// that are `listed` come each time; what is asked of others comes as it is needed.
pub fn cases(
    told: &[Told],
    who: Program,
    every: Option<usize>,
    wanted: impl Fn(&str) -> bool,
    listed: impl Fn(&str) -> bool,
    case: impl Fn(moments::At, usize) -> Case,
) -> Vec<Telling> {
    let mut met: BTreeSet<String> = BTreeSet::new();
    let mut tellings = Vec::new();
    for told in told {
        let Some(trail) = told
            .outcome
            .as_ref()
            .ok()
            .and_then(|trails| trails.get(&who))
        else {
            continue;
        };
        let names = moments::names(trail);
        let ats = match every {
            Some(most) => moments::every(trail, most),
            None => {
                let fresh = names.difference(&met).filter(|name| wanted(name));
                moments::each_once(trail, &fresh.cloned().collect())
            }
        };
        met.extend(names);
        for at in ats {
            let number = tellings.len();
            tellings.push(Telling {
                story: told.telling.story,
                may_miss: every.is_some() || !listed(&at.step),
                case: Some(case(at, number)),
            });
        }
    }
    tellings
}
