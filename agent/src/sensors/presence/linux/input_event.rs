//! What device files tell: the kernel's `struct input_event` of an event device, and `struct js_event` of a joystick.

use crate::sensors::presence::sticks::Sticks;

/// The size of one record of an event device on 64-bit systems: two words of time, kind, code, value.
pub(super) const EVENT: usize = 24;
/// The size of one record of a joystick: time, value, kind, number.
pub(super) const JOYSTICK: usize = 8;

const KEY: u16 = 1;
const RELATIVE: u16 = 2;
const ABSOLUTE: u16 = 3;

/// Whether a person did something to a keyboard, a mouse or a screen. Lights, repeats and marks between events do
/// not count.
pub(super) fn desk_touched(records: &[u8]) -> bool {
    events(records).any(|(kind, _, _)| matches!(kind, KEY | RELATIVE | ABSOLUTE))
}

/// Kind, code and value of each whole record.
fn events(records: &[u8]) -> impl Iterator<Item = (u16, u16, i32)> {
    records.chunks_exact(EVENT).filter_map(|record| {
        let kind = u16::from_ne_bytes(record.get(16..18)?.try_into().ok()?);
        let code = u16::from_ne_bytes(record.get(18..20)?.try_into().ok()?);
        let value = i32::from_ne_bytes(record.get(20..24)?.try_into().ok()?);
        Some((kind, code, value))
    })
}

/// A gamepad, and how it stood when it last counted.
#[derive(Debug, Default)]
pub(super) struct Pad {
    sticks: Sticks<(u8, u16)>,
    widest: i32,
}

impl Pad {
    /// Whether a person moved it, from records of its joystick file. The first records tell how it stands.
    pub fn joystick_moved(&mut self, records: &[u8]) -> bool {
        const BUTTON: u8 = 1;
        const AXIS: u8 = 2;
        /// How it stands, not that something changed; told first, and again once too much was missed.
        const STANDING: u8 = 0x80;
        /// A quarter of the way from the middle to the end, which the kernel puts at 32767 for every axis.
        const FAR: i32 = 8_192;

        let mut moved = false;
        for record in records.chunks_exact(JOYSTICK) {
            let value = i32::from(i16::from_ne_bytes([record[4], record[5]]));
            let (kind, number) = (record[6] & !STANDING, u16::from(record[7]));
            match kind {
                BUTTON => moved |= self.sticks.moved((kind, number), value, 1),
                AXIS => moved |= self.sticks.moved((kind, number), value, FAR),
                _ => {}
            }
        }
        moved
    }

    /// The same from records of its event file, which does not tell how far its axes go.
    pub fn event_moved(&mut self, records: &[u8]) -> bool {
        const HATS: std::ops::RangeInclusive<u16> = 0x10..=0x17;
        const AXES: std::ops::RangeInclusive<u16> = 0..=0x0f;

        let mut moved = false;
        for (kind, code, value) in events(records) {
            match kind {
                KEY => moved = true,
                ABSOLUTE if HATS.contains(&code) => moved = true,
                ABSOLUTE if AXES.contains(&code) => {
                    self.widest = self.widest.max(value.saturating_abs());
                    moved |= self.sticks.moved((1, code), value, far(self.widest));
                }
                _ => {}
            }
        }
        moved
    }
}

/// A good part of the way of an axis whose values were at most so wide: they have 8, 10 or 16 bits.
fn far(widest: i32) -> i32 {
    match widest {
        ..=255 => 48,
        256..=1_023 => 192,
        _ => 8_192,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u16, code: u16, value: i32) -> Vec<u8> {
        let mut record = vec![0x5a; 16];
        record.extend(kind.to_ne_bytes());
        record.extend(code.to_ne_bytes());
        record.extend(value.to_ne_bytes());
        record
    }

    fn js(kind: u8, number: u8, value: i16) -> Vec<u8> {
        let mut record = vec![1, 2, 3, 4];
        record.extend(value.to_ne_bytes());
        record.extend([kind, number]);
        record
    }

    /// Bytes as `xxd` showed them on a real machine: the letter A pressed, with its scan code and the mark that ends it.
    const A_PRESSED: &str = "\
        6d5c1f6600000000e3110a0000000000040004001e000000\
        6d5c1f6600000000e3110a000000000001001e0001000000\
        6d5c1f6600000000e3110a00000000000000000000000000";

    #[test]
    fn a_key_a_motion_and_a_finger_count_lights_and_marks_do_not() {
        assert!(desk_touched(&hex::decode(A_PRESSED).unwrap()));
        assert!(desk_touched(&event(RELATIVE, 0, -1)));
        assert!(desk_touched(&event(ABSOLUTE, 0x35, 800)));
        let lamp = [event(0x11, 1, 1), event(0, 0, 0), event(4, 4, 30)].concat();
        assert!(!desk_touched(&lamp));
        assert!(!desk_touched(&event(KEY, 30, 1)[..23]));
    }

    #[test]
    fn a_stick_that_trembles_is_nobody() {
        let mut pad = Pad::default();
        let standing = [js(0x81, 0, 0), js(0x82, 0, 900), js(0x82, 5, -32_767)].concat();
        assert!(!pad.joystick_moved(&standing));
        assert!(!pad.joystick_moved(&[js(2, 0, 1_400), js(2, 0, -300)].concat()));
        assert!(pad.joystick_moved(&js(2, 0, 12_000)));
        // It is still held there: nothing new.
        assert!(!pad.joystick_moved(&js(2, 0, 11_000)));
        assert!(pad.joystick_moved(&js(1, 0, 1)));
        // Too much was missed: it tells again how it stands, and the button has been let go.
        assert!(pad.joystick_moved(&[js(0x81, 0, 0), js(0x82, 0, 11_000)].concat()));
    }

    #[test]
    fn a_pad_without_a_joystick_file_is_heard_through_its_events() {
        let mut pad = Pad::default();
        assert!(pad.event_moved(&event(KEY, 0x130, 1)));
        assert!(pad.event_moved(&event(ABSOLUTE, 0x11, -1)));
        assert!(!pad.event_moved(&[event(ABSOLUTE, 0, 127), event(ABSOLUTE, 0, 131)].concat()));
        assert!(pad.event_moved(&event(ABSOLUTE, 0, 250)));
        let mut wide = Pad::default();
        assert!(!wide.event_moved(&[event(ABSOLUTE, 1, -1_200), event(ABSOLUTE, 1, 900)].concat()));
        assert!(wide.event_moved(&event(ABSOLUTE, 1, 30_000)));
    }
}
