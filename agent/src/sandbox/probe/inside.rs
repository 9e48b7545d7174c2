//! The program in the probe container. Compiled by `agent/build.rs` for Linux, with neither a standard library nor
//! a C library, and carried by the agent: a few KiB that need nothing beside them.
//!
//! It knows nothing of what it is for. Its arguments say what to do, each in as many words as it takes:
//!
//! * `show PATH`: a file's content, after the line `= show PATH`;
//! * `try NAME NUMBER A B C D E F`: the system call of that number, and what it answered, as the line
//!   `= try NAME ANSWER` (below zero: an error's number). An argument is a number, or `@` and a text.
//!
//! Last comes the line `= done`.

#![no_std]
#![no_main]

use core::arch::{asm, global_asm};
use core::mem::MaybeUninit;

#[cfg(target_arch = "x86_64")]
mod calls {
    pub const READ: isize = 0;
    pub const WRITE: isize = 1;
    pub const OPENAT: isize = 257;
    pub const CLOSE: isize = 3;
    pub const EXIT: isize = 231;
}

#[cfg(target_arch = "aarch64")]
mod calls {
    pub const READ: isize = 63;
    pub const WRITE: isize = 64;
    pub const OPENAT: isize = 56;
    pub const CLOSE: isize = 57;
    pub const EXIT: isize = 94;
}

// The kernel leaves the arguments where the stack begins; a function wants them in a register, and the stack even.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call begin",
);

#[cfg(target_arch = "aarch64")]
global_asm!(".globl _start", "_start:", "mov x0, sp", "bl begin");

#[cfg(target_arch = "x86_64")]
fn call(number: isize, a: [isize; 6]) -> isize {
    let answer;
    // SAFETY: what the calls read are texts of the arguments and `BUFFER`, which live as long as the program.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number => answer,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _,
        );
    }
    answer
}

#[cfg(target_arch = "aarch64")]
fn call(number: isize, a: [isize; 6]) -> isize {
    let answer;
    // SAFETY: as above.
    unsafe {
        asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") a[0] => answer,
            in("x1") a[1], in("x2") a[2], in("x3") a[3], in("x4") a[4], in("x5") a[5],
        );
    }
    answer
}

const AT_FDCWD: isize = -100;
const STDOUT: isize = 1;
/// Lines of a file are written in pieces of this many bytes.
const PIECE: usize = 1024;

#[unsafe(no_mangle)]
extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: the kernel puts the number of arguments there, then a pointer to each.
    let count = unsafe { *stack };
    let argument = |index: usize| -> *const u8 {
        if index < count {
            // SAFETY: as above.
            unsafe { *stack.add(1 + index) as *const u8 }
        } else {
            c"".as_ptr().cast()
        }
    };
    let mut at = 1;
    while at < count {
        match byte(argument(at), 0) {
            b's' => {
                show(argument(at + 1));
                at += 2;
            }
            b't' => {
                let given = |index: usize| value(argument(at + 3 + index));
                let given = [given(0), given(1), given(2), given(3), given(4), given(5)];
                let answer = call(value(argument(at + 2)), given);
                say(c"= try ".as_ptr().cast());
                say(argument(at + 1));
                say(c" ".as_ptr().cast());
                say_number(answer);
                say(c"\n".as_ptr().cast());
                at += 9;
            }
            _ => exit(2),
        }
    }
    say(c"= done\n".as_ptr().cast());
    exit(0)
}

fn show(path: *const u8) {
    say(c"= show ".as_ptr().cast());
    say(path);
    say(c"\n".as_ptr().cast());
    let file = call(calls::OPENAT, [AT_FDCWD, path as isize, 0, 0, 0, 0]);
    if file < 0 {
        return;
    }
    let mut piece = MaybeUninit::<[u8; PIECE]>::uninit();
    let place = piece.as_mut_ptr().cast::<u8>();
    loop {
        let read = call(calls::READ, [file, place as isize, PIECE as isize, 0, 0, 0]);
        if read <= 0 {
            break;
        }
        write(place, read);
    }
    call(calls::CLOSE, [file, 0, 0, 0, 0, 0]);
    say(c"\n".as_ptr().cast());
}

/// A number, with a sign or without; a text as the place where it lies.
fn value(word: *const u8) -> isize {
    let (negative, mut at) = match byte(word, 0) {
        b'@' => return word as isize + 1,
        b'-' => (true, 1),
        _ => (false, 0),
    };
    let mut value: isize = 0;
    loop {
        let digit = byte(word, at);
        if !digit.is_ascii_digit() {
            return if negative {
                value.wrapping_neg()
            } else {
                value
            };
        }
        value = value.wrapping_mul(10).wrapping_add(isize::from(digit & 15));
        at += 1;
    }
}

fn byte(word: *const u8, at: usize) -> u8 {
    // SAFETY: words end with a zero, and nobody reads beyond it. Volatile, or loops over it would become calls of a C
    // library's functions.
    unsafe { word.add(at).read_volatile() }
}

fn say(word: *const u8) {
    let mut length = 0;
    while byte(word, length) != 0 {
        length += 1;
    }
    write(word, length as isize);
}

fn say_number(number: isize) {
    if number < 0 {
        say(c"-".as_ptr().cast());
    }
    let left = number.unsigned_abs();
    let mut unit: usize = 1;
    while left / unit >= 10 {
        unit *= 10;
    }
    while unit > 0 {
        let digit = b'0' + (left / unit % 10) as u8;
        write(&raw const digit, 1);
        unit /= 10;
    }
}

/// What cannot be written is missing from what is read, and so is seen.
fn write(from: *const u8, length: isize) {
    let mut done = 0;
    while done < length {
        let written = call(
            calls::WRITE,
            [STDOUT, from as isize + done, length - done, 0, 0, 0],
        );
        if written <= 0 {
            exit(3);
        }
        done += written;
    }
}

fn exit(code: isize) -> ! {
    loop {
        call(calls::EXIT, [code, 0, 0, 0, 0, 0]);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(4)
}

/// What the language's own parts would call to clear up after a panic; this program ends instead.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}
