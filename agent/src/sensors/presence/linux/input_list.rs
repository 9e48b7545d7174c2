//! The kernel's list of input devices, `/proc/bus/input/devices`: which there are, and what they can do.
//!
//! It can be read by everybody and, unlike the device files, is the host's even inside a container.

/// What a device is to the person who uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Keyboard, mouse, touch pad, touch screen, pen: where there is one, there is a place to sit at.
    Desk,
    /// A few keys of their own, such as for the volume. Somebody uses them, and nobody sits down for them.
    Keys,
    /// Gamepad, wheel, joystick.
    Gamepad,
    /// Lid, power button, jacks, motion sensors: they speak without a person.
    Other,
}

/// One input device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Device {
    pub name: String,
    pub kind: Kind,
    /// The name of its file in `/dev/input`, such as `event3`.
    pub event: Option<String>,
    /// The name of its joystick file, where the kernel made one.
    pub joystick: Option<String>,
}

/// Every device of the list.
pub(super) fn parse(list: &str) -> Vec<Device> {
    list.split("\n\n")
        .filter_map(|lines| device(lines, u64::BITS))
        .collect()
}

fn device(lines: &str, word_bits: u32) -> Option<Device> {
    let after = |start: &str| lines.lines().find_map(|line| line.strip_prefix(start));
    let name = after("N: Name=")?.trim().trim_matches('"').to_owned();
    let handlers: Vec<&str> = after("H: Handlers=")?.split_whitespace().collect();
    let handler = |start: &str| {
        let mut numbered = handlers.iter().filter(|handler| {
            let number = handler.strip_prefix(start);
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        });
        numbered.next().map(|found| String::from(*found))
    };
    let bits = |what: &str| Bits::parse(after(what).unwrap_or_default(), word_bits);
    let can = Abilities {
        bus: after("I: Bus=").and_then(|bus| u16::from_str_radix(bus.get(..4)?, 16).ok()),
        properties: bits("B: PROP="),
        events: bits("B: EV="),
        keys: bits("B: KEY="),
        relative: bits("B: REL="),
    };
    Some(Device {
        name,
        kind: can.kind(),
        event: handler("event"),
        joystick: handler("js"),
    })
}

/// A set of numbers as the kernel prints it: words in hexadecimal, the highest first.
struct Bits {
    words: Vec<u64>,
    word_bits: u32,
}

impl Bits {
    fn parse(text: &str, word_bits: u32) -> Self {
        let word = |word| u64::from_str_radix(word, 16).unwrap_or(0);
        Self {
            words: text.split_whitespace().rev().map(word).collect(),
            word_bits,
        }
    }

    fn has(&self, bit: u32) -> bool {
        let word = self.words.get((bit / self.word_bits) as usize);
        word.is_some_and(|word| word >> (bit % self.word_bits) & 1 == 1)
    }

    fn any(&self, mut bits: std::ops::RangeInclusive<u32>) -> bool {
        bits.any(|bit| self.has(bit))
    }
}

struct Abilities {
    bus: Option<u16>,
    properties: Bits,
    events: Bits,
    keys: Bits,
    relative: Bits,
}

/// Numbers of `linux/input-event-codes.h` and `linux/input.h`.
impl Abilities {
    fn kind(&self) -> Kind {
        const ACCELEROMETER: u32 = 6;
        const ABSOLUTE: u32 = 3;
        const LETTERS: std::ops::RangeInclusive<u32> = 16..=25;
        const VOLUME_UP: u32 = 115;
        const PLAY_PAUSE: u32 = 164;
        const BUTTON_LEFT: u32 = 0x110;
        const JOYSTICK_AND_GAMEPAD: std::ops::RangeInclusive<u32> = 0x120..=0x13e;
        const PEN: u32 = 0x140;
        const TOUCH: u32 = 0x14a;
        const GEARS: std::ops::RangeInclusive<u32> = 0x150..=0x151;
        const USB: u16 = 3;
        const BLUETOOTH: u16 = 5;

        let absolute = self.events.has(ABSOLUTE);
        let moves = self.relative.has(0) && self.relative.has(1);
        if self.properties.has(ACCELEROMETER) {
            Kind::Other
        } else if self.keys.any(LETTERS)
            || (moves && self.keys.has(BUTTON_LEFT))
            || (absolute
                && [PEN, TOUCH, BUTTON_LEFT]
                    .iter()
                    .any(|key| self.keys.has(*key)))
        {
            Kind::Desk
        } else if absolute && (self.keys.any(JOYSTICK_AND_GAMEPAD) || self.keys.any(GEARS)) {
            Kind::Gamepad
        } else if matches!(self.bus, Some(USB | BLUETOOTH))
            && (self.keys.has(VOLUME_UP) || self.keys.has(PLAY_PAUSE))
        {
            Kind::Keys
        } else {
            Kind::Other
        }
    }
}
