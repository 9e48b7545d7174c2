//! What the command line asks for.

use std::path::PathBuf;

pub const HELP: &str = "\
Renders a still life at dusk to a PNG file, and says how far it is.

  sample-job [--width PIXELS] [--height PIXELS] [--samples PASSES] [--seed NUMBER] [--rest MS] [--out FILE]
             [--checkpoint FILE] [--checkpoint-passes PASSES]
  sample-job copy FROM TO

Defaults: --width 1200 --height 800 --samples 80 --seed 1 --rest 0 --out /out/picture.png
It rests so many milliseconds after each pass. The same arguments give the same bytes, on any machine and any number of processors.
With --checkpoint it keeps its work in that file, after every 8 passes or as many as are named, and goes on from there
if the file is of the same picture.
With copy it renders nothing, and copies a file: an input that becomes an output.
Exit codes: 0 done, 1 the picture could not be written, 2 bad arguments.
";

/// More would need more memory or time than any job here is given.
const LARGEST_SIDE: u32 = 8192;
const MOST_SAMPLES: u32 = 65_536;
const LONGEST_REST_MS: u32 = 60_000;

const NAMES: [&str; 8] = [
    "--width",
    "--height",
    "--samples",
    "--seed",
    "--rest",
    "--out",
    "--checkpoint",
    "--checkpoint-passes",
];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arguments {
    pub width: u32,
    pub height: u32,
    pub samples: u32,
    pub seed: u32,
    /// How long it rests after each pass, in ms: tests need jobs that last and do little.
    pub rest_ms: u32,
    pub out: PathBuf,
    pub checkpoint: Option<PathBuf>,
    pub checkpoint_passes: u32,
}

impl Default for Arguments {
    fn default() -> Arguments {
        Arguments {
            width: 1200,
            height: 800,
            samples: 80,
            seed: 1,
            rest_ms: 0,
            out: PathBuf::from("/out/picture.png"),
            checkpoint: None,
            checkpoint_passes: 8,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Wish {
    Render(Arguments),
    Copy { from: PathBuf, to: PathBuf },
    Help,
}

/// Reads the arguments after the program's name. The error says which one is wrong and what it should be.
pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Wish, String> {
    let mut wanted = Arguments::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--help" || word == "-h" {
            return Ok(Wish::Help);
        }
        if word == "copy" {
            let rest: Vec<String> = words.collect();
            return match rest.as_slice() {
                [from, to] => Ok(Wish::Copy {
                    from: PathBuf::from(from),
                    to: PathBuf::from(to),
                }),
                _ => Err("copy needs two paths after it: from where, and to where.".to_owned()),
            };
        }
        let (name, given) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (word, None),
        };
        if !NAMES.contains(&name.as_str()) {
            return Err(format!(
                "{name} is not an argument of this program. It takes {}.",
                NAMES.join(", ")
            ));
        }
        let value = given
            .or_else(|| words.next())
            .ok_or_else(|| format!("{name} needs a value after it."))?;
        let number = |least: u32, most: u32| match value.parse::<u32>() {
            Ok(n) if (least..=most).contains(&n) => Ok(n),
            _ => Err(format!(
                "{name} is {value:?}, but must be a whole number from {least} to {most}."
            )),
        };
        match name.as_str() {
            "--width" => wanted.width = number(16, LARGEST_SIDE)?,
            "--height" => wanted.height = number(16, LARGEST_SIDE)?,
            "--samples" => wanted.samples = number(1, MOST_SAMPLES)?,
            "--seed" => wanted.seed = number(0, u32::MAX)?,
            "--rest" => wanted.rest_ms = number(0, LONGEST_REST_MS)?,
            "--checkpoint-passes" => wanted.checkpoint_passes = number(1, MOST_SAMPLES)?,
            "--checkpoint" if value.is_empty() => {
                return Err("--checkpoint needs the path of a file.".to_owned());
            }
            "--checkpoint" => wanted.checkpoint = Some(PathBuf::from(value)),
            _ if value.is_empty() => return Err("--out needs the path of a file.".to_owned()),
            _ => wanted.out = PathBuf::from(value),
        }
    }
    Ok(Wish::Render(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Wish, String> {
        parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn arguments_are_read_in_both_spellings() {
        assert_eq!(
            read("--width 320 --height=200 --seed 9 --rest 20 --out x.png"),
            Ok(Wish::Render(Arguments {
                width: 320,
                height: 200,
                seed: 9,
                rest_ms: 20,
                out: PathBuf::from("x.png"),
                ..Arguments::default()
            }))
        );
        assert_eq!(
            read("--checkpoint /keep/film --checkpoint-passes 3"),
            Ok(Wish::Render(Arguments {
                checkpoint: Some(PathBuf::from("/keep/film")),
                checkpoint_passes: 3,
                ..Arguments::default()
            }))
        );
        assert_eq!(read(""), Ok(Wish::Render(Arguments::default())));
        assert_eq!(read("--help"), Ok(Wish::Help));
        let (from, to) = (PathBuf::from("/in/a"), PathBuf::from("/out/b"));
        assert_eq!(read("copy /in/a /out/b"), Ok(Wish::Copy { from, to }));
    }

    #[test]
    fn a_wrong_argument_is_named_with_what_it_should_be() {
        for (line, part) in [
            (
                "--width 0",
                "--width is \"0\", but must be a whole number from 16 to 8192",
            ),
            ("--samples lots", "--samples is \"lots\""),
            ("--height", "--height needs a value"),
            ("--fast", "--fast is not an argument"),
            ("--out=", "--out needs the path"),
            ("copy /in/a", "copy needs two paths"),
        ] {
            let error = read(line).err().unwrap_or_default();
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
