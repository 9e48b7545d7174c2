//! Input devices themselves, without a display: what there is to sit at, and every touch of those that this user may
//! read. Nothing is taken from whoever else reads them.
//!
//! At rest what has gathered is read once a second; while listening each device wakes the thread.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::select_all;
use sublet_core::facts::InputKind;
use tokio::net::unix::pipe::Receiver;
use tokio::time::sleep;

use super::input_event::{self, Pad};
use super::input_list::{self, Device, Kind};
use super::{DEAF, Senses, Surroundings};
use crate::sensors::presence::board::Post;

pub(super) async fn run(desk: Post, pads: Post, here: Arc<Surroundings>, mut senses: Senses) {
    let mut watch = Devices {
        here,
        desk,
        pads,
        list: None,
        open: BTreeMap::new(),
        last: Instant::now(),
    };
    loop {
        watch.find();
        watch.drain(senses.listening());
        watch.report();
        if senses.listening() && !watch.open.is_empty() {
            tokio::select! {
                _ = senses.pulse.changed() => {}
                _ = senses.ears.changed() => {}
                () = watch.spoke() => {
                    watch.drain(true);
                    sleep(DEAF).await;
                }
            }
        } else {
            tokio::select! {
                _ = senses.pulse.changed() => {}
                _ = senses.ears.changed() => {}
            }
        }
    }
}

struct Devices {
    here: Arc<Surroundings>,
    desk: Post,
    pads: Post,
    /// The list as it was read last, and what stands in it.
    list: Option<(String, Vec<Device>)>,
    /// By the path of its file.
    open: BTreeMap<PathBuf, Open>,
    /// The last touch at the desk; at first, when watching began.
    last: Instant,
}

struct Open {
    device: Device,
    file: std::fs::File,
    joystick: bool,
    pad: Pad,
}

impl Devices {
    /// Opens what is new, forgets what has gone.
    fn find(&mut self) {
        let list = match std::fs::read_to_string(&self.here.input_list) {
            Ok(list) => list,
            Err(error) => {
                let why = format!(
                    "The list of input devices, {}, cannot be read: {error}.",
                    self.here.input_list.display()
                );
                self.list = None;
                return self.desk.fails(why);
            }
        };
        let first = self.list.is_none();
        if self.list.as_ref().is_none_or(|(before, _)| *before != list) {
            let devices = input_list::parse(&list);
            let wanted: Vec<PathBuf> = devices.iter().filter_map(|it| self.file(it)).collect();
            self.open.retain(|path, _| wanted.contains(path));
            self.list = Some((list, devices));
        }
        let devices = self.list.as_ref().map(|(_, devices)| devices.clone());
        for device in devices.into_iter().flatten() {
            self.open_one(device, first);
        }
    }

    /// The file through which a device is heard. A joystick's own file tells how far an axis is from its middle.
    fn file(&self, device: &Device) -> Option<PathBuf> {
        let name = match device.kind {
            Kind::Other => return None,
            Kind::Gamepad => device.joystick.as_ref().or(device.event.as_ref()),
            Kind::Desk | Kind::Keys => device.event.as_ref(),
        };
        Some(self.here.dev.join("input").join(name?))
    }

    fn open_one(&mut self, device: Device, first: bool) {
        let Some(path) = self.file(&device) else {
            return;
        };
        if self.open.contains_key(&path) {
            return;
        }
        let joystick = device.kind == Kind::Gamepad && device.joystick.is_some();
        let Ok(file) = open(&path) else {
            return;
        };
        if !first && device.kind == Kind::Desk {
            // Somebody plugged it in, or woke it.
            self.last = Instant::now();
        }
        let open = Open {
            device,
            file,
            joystick,
            pad: Pad::default(),
        };
        self.open.insert(path, open);
    }

    /// Reads what has gathered since the last time.
    fn drain(&mut self, listening: bool) {
        let (mut desk, mut pads) = (false, false);
        self.open.retain(|_, open| {
            let touched = open.drain();
            let here = touched.is_some();
            let touched = touched.unwrap_or(false);
            match open.device.kind {
                Kind::Gamepad => pads |= touched,
                _ => desk |= touched,
            }
            // A device that was pulled out is found again when it is back.
            here
        });
        if desk {
            self.last = Instant::now();
            if listening {
                self.desk.heard(InputKind::Desk);
            }
        }
        if pads && listening {
            self.pads.heard(InputKind::Gamepad);
        } else if pads {
            self.pads.touch(Instant::now(), InputKind::Gamepad, false);
        }
    }

    /// Until any device has something to tell.
    async fn spoke(&self) {
        let ears: Vec<Receiver> = self
            .open
            .values()
            .filter_map(|open| Receiver::from_file_unchecked(open.file.try_clone().ok()?).ok())
            .collect();
        if ears.is_empty() {
            return std::future::pending().await;
        }
        // One that fails is found out when it is read.
        let _ = select_all(ears.iter().map(|ear| Box::pin(ear.readable()))).await;
    }

    fn report(&self) {
        let Some((_, devices)) = &self.list else {
            return;
        };
        let count = |kind| {
            let of_kind = devices.iter().filter(|device| device.kind == kind);
            let open = of_kind.clone().filter(|device| {
                let file = self.file(device);
                file.is_some_and(|file| self.open.contains_key(&file))
            });
            (of_kind.count(), open.count())
        };
        let (desk, heard) = count(Kind::Desk);
        self.desk.seat(desk > 0);
        if desk == 0 {
            self.desk
                .works("No keyboard, mouse or touch screen is connected.");
        } else if heard == desk {
            self.desk.touch(self.last, InputKind::Desk, true);
            self.desk.works(format!(
                "{desk} keyboards, mice and the like: last input {} s ago.",
                self.last.elapsed().as_secs()
            ));
        } else {
            if heard > 0 {
                self.desk.touch(self.last, InputKind::Desk, false);
            }
            self.desk.fails(format!(
                "{} of {desk} keyboards, mice and the like may not be read by this user.",
                desk - heard
            ));
        }
        let (pads, heard) = count(Kind::Gamepad);
        if pads == 0 {
            self.pads.not_here("No gamepad or wheel is connected.");
        } else if heard == pads {
            self.pads
                .works(format!("{pads} gamepads or wheels are heard."));
        } else {
            self.pads.fails(format!(
                "{} of {pads} gamepads or wheels may not be read by this user.",
                pads - heard
            ));
        }
    }
}

fn open(path: &PathBuf) -> std::io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // The numbers that the kernel has for it are the same in rustix.
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

impl Open {
    /// Whether a person is among what has gathered; `None` once the device has gone.
    fn drain(&mut self) -> Option<bool> {
        // A whole number of records of either kind.
        let mut records = [0; input_event::EVENT * 64];
        let mut touched = false;
        loop {
            match self.file.read(&mut records) {
                Ok(0) => return None,
                Ok(length) => touched |= self.touched(&records[..length]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    return Some(touched);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    fn touched(&mut self, records: &[u8]) -> bool {
        match (self.device.kind, self.joystick) {
            (Kind::Gamepad, true) => self.pad.joystick_moved(records),
            (Kind::Gamepad, false) => self.pad.event_moved(records),
            _ => input_event::desk_touched(records),
        }
    }
}
