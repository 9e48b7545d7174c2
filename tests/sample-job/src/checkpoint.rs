//! A picture in the making, kept in a file, so that another process goes on where one had to stop: the picture is the
//! same to the byte.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use crate::film::Film;
use crate::vector::{Vec3, vec3};

/// What the file begins with; the number changes with what follows, and with how light is traced.
const MAGIC: &[u8; 16] = b"sublet picture 1";

/// Writes what was gathered so far. Whoever looks finds a whole file or none: it is written under a name that begins
/// with a dot, and renamed.
pub fn save(film: &Film, file: &Path) -> io::Result<()> {
    let half = half(file);
    let mut to = BufWriter::new(File::create(&half)?);
    to.write_all(MAGIC)?;
    for number in [film.width, film.height, film.seed, film.passes] {
        to.write_all(&number.to_le_bytes())?;
    }
    for sum in &film.sums {
        for value in [sum.x, sum.y, sum.z] {
            to.write_all(&value.to_le_bytes())?;
        }
    }
    to.into_inner()?.sync_all()?;
    fs::rename(&half, file)
}

/// What was gathered of this very picture, if there is such a file.
pub fn load(file: &Path, width: u32, height: u32, seed: u32) -> io::Result<Option<Film>> {
    let mut from = match File::open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => BufReader::new(opened?),
    };
    let mut magic = [0; 16];
    from.read_exact(&mut magic)?;
    let mut numbers = [0; 4];
    for number in &mut numbers {
        let mut bytes = [0; 4];
        from.read_exact(&mut bytes)?;
        *number = u32::from_le_bytes(bytes);
    }
    if magic != *MAGIC || numbers[..3] != [width, height, seed] {
        return Ok(None);
    }
    let mut film = Film::new(width, height, seed);
    film.passes = numbers[3];
    for sum in &mut film.sums {
        *sum = read_vector(&mut from)?;
    }
    Ok(Some(film))
}

fn read_vector(from: &mut impl Read) -> io::Result<Vec3> {
    let mut values = [0.0; 3];
    for value in &mut values {
        let mut bytes = [0; 4];
        from.read_exact(&mut bytes)?;
        *value = f32::from_le_bytes(bytes);
    }
    let [x, y, z] = values;
    Ok(vec3(x, y, z))
}

fn half(file: &Path) -> PathBuf {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!(".{name}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may stop at once")]

    use super::*;
    use crate::scene::Scene;
    use std::num::NonZeroUsize;

    #[test]
    fn a_picture_that_was_interrupted_is_the_same_to_the_byte() {
        let folder = std::env::temp_dir().join(format!("sample-job-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("film");
        let scene = Scene::still_life();
        let threads = NonZeroUsize::MIN;
        let mut whole = Film::new(32, 18, 5);
        let mut part = Film::new(32, 18, 5);
        for pass in 0..4 {
            whole.add_pass(&scene, threads);
            part.add_pass(&scene, threads);
            if pass < 3 {
                save(&part, &file).unwrap();
                part = load(&file, 32, 18, 5).unwrap().unwrap();
            }
        }
        assert_eq!((part.passes, part.develop()), (4, whole.develop()));
        // Of another picture, and of half a file, nothing is taken.
        assert!(load(&file, 32, 18, 6).unwrap().is_none());
        assert!(load(&folder.join("none"), 32, 18, 5).unwrap().is_none());
        let bytes = fs::read(&file).unwrap();
        fs::write(&file, &bytes[..bytes.len() - 1]).unwrap();
        assert!(load(&file, 32, 18, 5).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
