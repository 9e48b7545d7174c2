//! Writes down which capabilities and pages the window has.
#![expect(clippy::print_stdout, reason = "it is how cargo is told")]

fn main() {
    // The pages are part of the program.
    println!("cargo:rerun-if-changed=../ui/dist");
    tauri_build::build();
}
