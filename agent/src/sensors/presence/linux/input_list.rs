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

#[cfg(test)]
mod tests {
    use super::*;

    /// As the kernel prints them: a keyboard of a laptop, its power button, a mouse, a touch pad, a wheel, a gamepad
    /// and its motion sensor, the volume keys of a headset, a jack.
    const LIST: &str = r#"I: Bus=0011 Vendor=0001 Product=0001 Version=ab41
N: Name="AT Translated Set 2 keyboard"
P: Phys=isa0060/serio0/input0
S: Sysfs=/devices/platform/i8042/serio0/input/input3
U: Uniq=
H: Handlers=sysrq kbd event3 leds 
B: PROP=0
B: EV=120013
B: KEY=402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe
B: MSC=10
B: LED=7

I: Bus=0019 Vendor=0000 Product=0001 Version=0000
N: Name="Power Button"
H: Handlers=kbd event0 
B: PROP=0
B: EV=3
B: KEY=10000000000000 0

I: Bus=0003 Vendor=046d Product=c077 Version=0111
N: Name="Logitech USB Optical Mouse"
H: Handlers=mouse0 event4 
B: PROP=0
B: EV=17
B: KEY=ff0000 0 0 0 0
B: REL=903
B: MSC=10

I: Bus=0018 Vendor=06cb Product=cd7a Version=0100
N: Name="SYNA8004:00 06CB:CD7A Touchpad"
H: Handlers=mouse1 event5 
B: PROP=5
B: EV=1b
B: KEY=e520 10000 0 0 0 0
B: ABS=2e0800000000003

I: Bus=0003 Vendor=046d Product=c24f Version=0111
N: Name="Logitech G29 Driving Force Racing Wheel"
H: Handlers=event20 js0 
B: PROP=0
B: EV=20001b
B: KEY=1ff 0 0 0 0 0 0 ffff00000000 0 0 0 0
B: ABS=30027

I: Bus=0005 Vendor=054c Product=09cc Version=8100
N: Name="Wireless Controller"
H: Handlers=event21 js1 
B: PROP=0
B: EV=20000b
B: KEY=7fdb000000000000 0 0 0 0
B: ABS=3003f

I: Bus=0005 Vendor=054c Product=09cc Version=8100
N: Name="Wireless Controller Motion Sensors"
H: Handlers=event22 js2 
B: PROP=40
B: EV=19
B: ABS=3f

I: Bus=0003 Vendor=0951 Product=16a4 Version=0111
N: Name="HyperX Headset"
H: Handlers=kbd event7 
B: PROP=0
B: EV=1b
B: KEY=e000000000000 0

I: Bus=0000 Vendor=0000 Product=0000 Version=0000
N: Name="HDA Intel PCH Headphone"
H: Handlers=event9 
B: PROP=0
B: EV=21
B: SW=4
"#;

    #[test]
    fn what_a_device_is_shows_in_what_it_can_do() {
        let found: Vec<_> = parse(LIST)
            .into_iter()
            .map(|it| (it.name, it.kind, it.event.unwrap(), it.joystick))
            .collect();
        let row = |name: &str, kind, event: &str, joystick: Option<&str>| {
            (name.into(), kind, event.into(), joystick.map(Into::into))
        };
        let expected = [
            row("AT Translated Set 2 keyboard", Kind::Desk, "event3", None),
            row("Power Button", Kind::Other, "event0", None),
            row("Logitech USB Optical Mouse", Kind::Desk, "event4", None),
            row("SYNA8004:00 06CB:CD7A Touchpad", Kind::Desk, "event5", None),
            row(
                "Logitech G29 Driving Force Racing Wheel",
                Kind::Gamepad,
                "event20",
                Some("js0"),
            ),
            row("Wireless Controller", Kind::Gamepad, "event21", Some("js1")),
            row(
                "Wireless Controller Motion Sensors",
                Kind::Other,
                "event22",
                Some("js2"),
            ),
            row("HyperX Headset", Kind::Keys, "event7", None),
            row("HDA Intel PCH Headphone", Kind::Other, "event9", None),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_list_of_nothing_is_a_list() {
        assert_eq!(parse(""), []);
        assert_eq!(parse("\n\nI: Bus=0003\n"), []);
    }
}
