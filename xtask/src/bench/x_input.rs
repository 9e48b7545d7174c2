//! A display without a screen, and a hand on its mouse: the X protocol itself, as far as that takes.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};

use crate::ground::Ground;
use crate::packages::program;
use crate::process::wait_until;

const UP_WITHIN: Duration = Duration::from_secs(20);
/// The numbers of displays that are tried.
const DISPLAYS: std::ops::Range<u32> = 90..190;

/// `QueryExtension`, `GetInputFocus`, and `FakeInput` of XTEST.
const QUERY_EXTENSION: u8 = 98;
const GET_INPUT_FOCUS: u8 = 43;
const FAKE_INPUT: u8 = 2;
const MOTION: u8 = 6;

/// A display of our own.
pub struct Display {
    /// `:90`
    pub name: String,
    stream: UnixStream,
    xtest: u8,
    moves: u16,
}

impl Display {
    /// Starts an X server without a screen on a free display, and lays a hand on its mouse.
    pub fn start(ground: &mut Ground) -> anyhow::Result<Display> {
        let number = free_display()?;
        let name = format!(":{number}");
        let mut server = Command::new(program("Xvfb").context("Xvfb is not installed")?);
        server
            .arg(&name)
            .args(["-screen", "0", "640x480x24", "-nolisten", "tcp", "-ac"]);
        ground.start("bench-display", server)?;
        let stream = wait_until("the display", UP_WITHIN, || {
            Ok(UnixStream::connect(socket(number)).ok())
        })?;
        stream.set_read_timeout(Some(UP_WITHIN))?;
        let mut display = Display {
            name,
            stream,
            xtest: 0,
            moves: 0,
        };
        display.open()?;
        Ok(display)
    }

    fn open(&mut self) -> anyhow::Result<()> {
        let order = if cfg!(target_endian = "little") {
            b'l'
        } else {
            b'B'
        };
        let mut hello = vec![order, 0];
        hello.extend(11_u16.to_ne_bytes());
        hello.extend([0; 8]);
        self.stream.write_all(&hello)?;
        let mut answer = [0; 8];
        self.stream.read_exact(&mut answer)?;
        let rest = usize::from(u16::from_ne_bytes([answer[6], answer[7]])) * 4;
        let mut setup = vec![0; rest];
        self.stream.read_exact(&mut setup)?;
        if answer[0] != 1 {
            bail!("the display lets nobody in");
        }
        let mut ask = vec![QUERY_EXTENSION, 0];
        ask.extend(4_u16.to_ne_bytes());
        ask.extend(5_u16.to_ne_bytes());
        ask.extend([0; 2]);
        ask.extend(b"XTEST\0\0\0");
        self.stream.write_all(&ask)?;
        let reply = self.reply()?;
        if reply[8] == 0 {
            bail!("the display has no XTEST, so no input can be made on it");
        }
        self.xtest = reply[9];
        Ok(())
    }

    /// Moves the mouse. The answer is when, in Unix milliseconds: just before the request left.
    pub fn touch(&mut self) -> anyhow::Result<f64> {
        self.moves = self.moves % 200 + 1;
        let mut request = vec![self.xtest, FAKE_INPUT];
        request.extend(9_u16.to_ne_bytes());
        request.extend([MOTION, 0, 0, 0]);
        request.extend([0; 4]);
        request.extend([0; 12]);
        request.extend(self.moves.to_ne_bytes());
        request.extend((self.moves / 2).to_ne_bytes());
        request.extend([0; 8]);
        // With it, a request that has a reply: then the server has certainly taken both.
        request.extend([GET_INPUT_FOCUS, 0]);
        request.extend(1_u16.to_ne_bytes());
        let at = SystemTime::now().duration_since(UNIX_EPOCH)?;
        self.stream.write_all(&request)?;
        self.reply()?;
        Ok(at.as_secs_f64() * 1_000.0)
    }

    /// The next reply; events are passed over.
    fn reply(&mut self) -> anyhow::Result<[u8; 32]> {
        let begun = Instant::now();
        loop {
            let mut packet = [0; 32];
            self.stream.read_exact(&mut packet)?;
            match packet[0] {
                0 => bail!(
                    "the display refused a request, with its error {}",
                    packet[1]
                ),
                1 => return Ok(packet),
                _ if begun.elapsed() > UP_WITHIN => bail!("the display never replied"),
                _ => {}
            }
        }
    }
}

/// The number of a display that nobody has.
pub fn free_display() -> anyhow::Result<u32> {
    DISPLAYS
        .into_iter()
        .find(|number| !socket(*number).exists())
        .context("every display from :90 on is taken")
}

fn socket(number: u32) -> PathBuf {
    PathBuf::from(format!("/tmp/.X11-unix/X{number}"))
}
