//! The sample job: renders one picture and says how far it is.

mod arguments;
mod camera;
mod checkpoint;
mod film;
mod geometry;
mod material;
mod sampler;
mod scene;
mod sky;
mod tracer;
mod vector;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use arguments::{Arguments, HELP, Wish};
use film::Film;
use scene::Scene;

/// Progress lines come no closer together than this.
const PACE: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let wanted = match arguments::parse(std::env::args().skip(1)) {
        Ok(Wish::Render(wanted)) => wanted,
        Ok(Wish::Copy { from, to }) => return finish(copy(&from, &to)),
        Ok(Wish::Help) => return finish(say(HELP)),
        Err(why) => {
            complain(&why);
            return ExitCode::from(2);
        }
    };
    finish(render(&wanted))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let copied = File::open(from).and_then(|mut from| io::copy(&mut from, &mut File::create(to)?));
    let bytes = copied.map_err(|e| {
        format!(
            "{} cannot be copied to {}: {e}.",
            from.display(),
            to.display()
        )
    })?;
    say(&format!("copied {bytes} bytes to {}\n", to.display()))
}

fn finish(outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            ExitCode::FAILURE
        }
    }
}

fn render(wanted: &Arguments) -> Result<(), String> {
    let name = wanted.out.display();
    let partial = wanted.out.with_extension("partial");
    // Opened first: a folder that cannot be written is found out now, not after the work.
    let file = File::create(&partial)
        .map_err(|e| format!("The picture cannot be written to {name}: {e}. Give a path in a folder that exists and may be written with --out."))?;
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    say(&format!(
        "rendering {} x {} pixels in {} passes on {threads} threads, seed {}\n",
        wanted.width, wanted.height, wanted.samples, wanted.seed
    ))?;

    let started = Instant::now();
    let scene = Scene::still_life();
    let mut film = begin(wanted)?;
    let mut told: Option<Instant> = None;
    while film.passes < wanted.samples {
        film.add_pass(&scene, threads);
        let pass = film.passes;
        // Where passes may be done twice, each is told: so they can be counted.
        let each = wanted.checkpoint.is_some();
        if each || pass == wanted.samples || told.is_none_or(|at| at.elapsed() >= PACE) {
            say(&progress(pass, wanted.samples))?;
            told = Some(Instant::now());
        }
        if let Some(file) = &wanted.checkpoint
            && pass % wanted.checkpoint_passes == 0
        {
            checkpoint::save(&film, file).map_err(|e| {
                format!("The checkpoint {} cannot be written: {e}.", file.display())
            })?;
        }
        thread::sleep(Duration::from_millis(wanted.rest_ms.into()));
    }

    let bytes = save(&film, file, &partial, &wanted.out)
        .map_err(|e| format!("The picture cannot be written to {name}: {e}."))?;
    let seconds = started.elapsed().as_secs_f64();
    say(&format!(
        "wrote {name}, {bytes} bytes, after {seconds:.1} s\n"
    ))
}

/// An empty film, or what another process has gathered of the same picture.
fn begin(wanted: &Arguments) -> Result<Film, String> {
    let (width, height, seed) = (wanted.width, wanted.height, wanted.seed);
    let fresh = Film::new(width, height, seed);
    let Some(file) = &wanted.checkpoint else {
        return Ok(fresh);
    };
    let name = file.display();
    match checkpoint::load(file, width, height, seed) {
        Ok(Some(film)) if film.passes <= wanted.samples => {
            say(&format!("goes on after {} passes\n", film.passes))?;
            Ok(film)
        }
        Ok(_) => Ok(fresh),
        Err(why) => {
            complain(&format!("{name} cannot be read ({why}); it begins anew."));
            Ok(fresh)
        }
    }
}

/// Writes beside the path and renames, so that whoever looks finds a whole picture or none. Returns the size in bytes.
fn save(film: &Film, file: File, partial: &Path, out: &Path) -> io::Result<u64> {
    let mut buffer = BufWriter::new(file);
    film.write_png(&mut buffer).map_err(io::Error::other)?;
    let file = buffer
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    let bytes = file.metadata()?.len();
    fs::rename(partial, out)?;
    Ok(bytes)
}

/// `progress 0.4200 42 of 100 passes`: the fraction done, then the same for people.
fn progress(done: u32, of: u32) -> String {
    let fraction = f64::from(done) / f64::from(of);
    format!("progress {fraction:.4} {done} of {of} passes\n")
}

fn say(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(|e| format!("Progress cannot be written to standard output: {e}."))
}

fn complain(why: &str) {
    // Nobody is left to tell when standard error is closed too.
    drop(writeln!(io::stderr(), "sample-job: {why}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_progress_line_reads_as_documented() {
        assert_eq!(progress(42, 100), "progress 0.4200 42 of 100 passes\n");
        assert_eq!(progress(64, 64), "progress 1.0000 64 of 64 passes\n");
    }
}
