//! Benchmarks, one GPU after the other, while nothing is rented.

use super::Daemon;
use crate::bench::{self, BenchResult, Stage};
use sublet_core::Event;
use sublet_protocol::gpu::BenchScore;
use sublet_protocol::ids::GpuId;
use sublet_protocol::local::{BenchOutcome, BenchView};
use sublet_protocol::problem::{Problem, ProblemCode};
use tokio::sync::mpsc;

/// What the benchmarking task tells.
pub enum MeasureNews {
    /// How far it is, over all GPUs, in thousandths.
    Progress(u16, String),
    /// One GPU is done.
    Outcome(GpuId, String, Result<Box<BenchResult>, String>),
    /// All are done.
    Done,
}

/// The benchmark that runs, or the last one.
#[derive(Default)]
pub struct Measuring {
    news: Option<mpsc::Receiver<MeasureNews>>,
    /// As the local API shows it.
    pub view: Option<BenchView>,
}

impl Measuring {
    /// The next news; waits for ever while nothing is measured.
    pub async fn next(&mut self) -> Option<MeasureNews> {
        match &mut self.news {
            Some(news) => Some(news.recv().await.unwrap_or(MeasureNews::Done)),
            None => std::future::pending().await,
        }
    }

    /// How it goes.
    pub fn view(&self) -> BenchView {
        self.view.clone().unwrap_or(BenchView {
            running: false,
            progress_permille: 0,
            step: "Nothing has been measured since the agent started.".to_owned(),
            results: Vec::new(),
        })
    }
}

impl Daemon {
    pub(super) async fn start_measuring(&mut self) -> Result<BenchView, Problem> {
        if self.measuring.news.is_some() {
            return Err(Problem::new(
                ProblemCode::Conflict,
                "A benchmark is running already.",
            ));
        }
        if self.memory.is_renting() {
            return Err(Problem::new(
                ProblemCode::Conflict,
                "A job is running, and would be slowed down and measured along. Pause renting first.",
            ));
        }
        let targets: Vec<_> = self
            .machine
            .gpus
            .iter()
            .filter_map(|gpu| {
                gpu.adapter
                    .as_ref()
                    .map(|a| (gpu.id.clone(), gpu.name.clone(), a.id.clone()))
            })
            .collect();
        if targets.is_empty() {
            return Err(Problem::new(
                ProblemCode::NotFound,
                "No GPU was found that can be measured; `sublet doctor` says more.",
            ));
        }
        let (tell, news) = mpsc::channel(64);
        let graphics = self.graphics.clone();
        tokio::spawn(async move {
            let count = targets.len() as f32;
            for (at, (id, name, adapter)) in targets.into_iter().enumerate() {
                let progress = |p: bench::Progress| {
                    let share = ((at as f32 + p.done) / count * 1000.0) as u16;
                    let what = match p.stage {
                        Stage::SetUp => "opening",
                        Stage::MatrixProduct => "multiplying matrices on",
                        Stage::Bandwidth => "streaming memory of",
                    };
                    // A full channel only means that this step is not shown.
                    let _ = tell.try_send(MeasureNews::Progress(
                        share.min(1000),
                        format!("{what} {name}"),
                    ));
                };
                let result = bench::run(&graphics, &adapter, progress, bench::TIMEOUT).await;
                let result = result.map(Box::new).map_err(|error| error.to_string());
                if tell
                    .send(MeasureNews::Outcome(id, name, result))
                    .await
                    .is_err()
                {
                    return;
                }
            }
        });
        self.measuring.news = Some(news);
        let view = BenchView {
            running: true,
            progress_permille: 0,
            step: "starting".to_owned(),
            results: Vec::new(),
        };
        self.measuring.view = Some(view.clone());
        self.take(Event::Tick).await;
        Ok(view)
    }

    pub(super) async fn measured(&mut self, news: MeasureNews) {
        let mut view = self.measuring.view();
        match news {
            MeasureNews::Progress(permille, step) => {
                view.progress_permille = view.progress_permille.max(permille);
                view.step = step;
            }
            MeasureNews::Outcome(gpu, name, result) => {
                let kept = result.and_then(|result| {
                    self.machine
                        .keep_score(&mut self.store, &gpu, &result)
                        .map_err(|error| error.to_string())?;
                    Ok(result)
                });
                view.results.push(outcome(gpu, name, kept.as_deref()));
                self.take(Event::Tick).await;
            }
            MeasureNews::Done => {
                view.running = false;
                view.progress_permille = 1000;
                view.step = "done".to_owned();
                self.measuring.news = None;
            }
        }
        self.measuring.view = Some(view);
    }
}

fn outcome(gpu: GpuId, name: String, result: Result<&BenchResult, &String>) -> BenchOutcome {
    let spread =
        |r: &BenchResult| (r.gflops_spread.max(r.bandwidth_spread) * 1000.0).round() as u32;
    BenchOutcome {
        gpu,
        name,
        score: result.as_ref().ok().map(|r| BenchScore::from(*r)),
        spread_permille: result.as_ref().ok().map(|r| spread(r)),
        problem: result.err().cloned(),
    }
}
