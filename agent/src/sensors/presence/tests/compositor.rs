//! A compositor that is nothing but the wire: it has one seat and `ext-idle-notify-v1`, and says what the test wants.
//! None of Debian 12 offers that protocol.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// What a client asked to be told of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// 1: films count as input; 2: only input does.
    pub request: u16,
    pub timeout_ms: u32,
    object: u32,
}

/// The compositor's side, once a client has asked.
pub(super) struct Compositor {
    asked: Receiver<(Asked, UnixStream)>,
    client: Option<(u32, UnixStream)>,
}

impl Compositor {
    /// At `socket`, with this version of the protocol.
    pub fn start(socket: &Path, version: u32) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let (tell, asked) = channel();
        std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            serve(stream, version, &tell);
        });
        Self {
            asked,
            client: None,
        }
    }

    pub fn asked(&mut self) -> Asked {
        let (asked, stream) = self.asked.recv_timeout(Duration::from_secs(40)).unwrap();
        self.client = Some((asked.object, stream));
        asked
    }

    pub fn idled(&mut self) {
        self.send(0);
    }

    pub fn resumed(&mut self) {
        self.send(1);
    }

    fn send(&mut self, event: u16) {
        let (object, stream) = self.client.as_mut().unwrap();
        stream.write_all(&message(*object, event, &[])).unwrap();
    }
}

/// Until the client goes.
fn serve(mut stream: UnixStream, version: u32, tell: &Sender<(Asked, UnixStream)>) {
    const DISPLAY: u32 = 1;
    const SEAT: u32 = 100;
    const NOTIFIER: u32 = 101;
    let mut registry = 0;
    let mut notifier = 0;
    while let Some((object, request, words)) = receive(&mut stream) {
        let mut out = Vec::new();
        match (object, request) {
            (DISPLAY, 1) => {
                registry = words[0];
                out.extend(message(registry, 0, &global(SEAT, "wl_seat", 7)));
                out.extend(message(
                    registry,
                    0,
                    &global(NOTIFIER, "ext_idle_notifier_v1", version),
                ));
            }
            // A sync: done.
            (DISPLAY, 0) => out.extend(message(words[0], 0, &[0])),
            // The last word of a bind is the new object.
            (object, 0) if object == registry && words[0] == NOTIFIER => {
                notifier = *words.last().unwrap();
            }
            (object, 1 | 2) if object == notifier => {
                let asked = Asked {
                    request,
                    timeout_ms: words[1],
                    object: words[0],
                };
                tell.send((asked, stream.try_clone().unwrap())).unwrap();
            }
            _ => {}
        }
        stream.write_all(&out).unwrap();
    }
}

/// A number, a name with its length, ended by a zero and filled to whole words, a version.
fn global(name: u32, interface: &str, version: u32) -> Vec<u32> {
    let mut text = interface.as_bytes().to_vec();
    text.push(0);
    let length = u32::try_from(text.len()).unwrap();
    text.resize(text.len().next_multiple_of(4), 0);
    let (text, _) = text.as_chunks::<4>();
    let mut words = vec![name, length];
    words.extend(text.iter().map(|word| u32::from_ne_bytes(*word)));
    words.push(version);
    words
}

fn message(object: u32, event: u16, words: &[u32]) -> Vec<u8> {
    let size = u32::try_from(8 + 4 * words.len()).unwrap();
    let head = [object, size << 16 | u32::from(event)];
    head.iter()
        .chain(words)
        .flat_map(|word| word.to_ne_bytes())
        .collect()
}

fn receive(stream: &mut UnixStream) -> Option<(u32, u16, Vec<u32>)> {
    let mut word = || {
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes).ok()?;
        Some(u32::from_ne_bytes(bytes))
    };
    let (object, head) = (word()?, word()?);
    let count = (head >> 16) / 4 - 2;
    let words = (0..count).map(|_| word()).collect::<Option<Vec<u32>>>()?;
    Some((object, (head & 0xffff) as u16, words))
}
